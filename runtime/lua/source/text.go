package source

import (
	"sort"

	"github.com/hookd/hookd/engine/diag"
)

// maxIndent is as far as indent looks, in bytes.
const maxIndent = 256

// text is a source with a table of its lines.
type text struct {
	name  string
	src   []byte
	lines []int32 // where each line begins
}

// newText counts lines as the parser does: \n, \r, \r\n and \n\r each end one.
func newText(name string, src []byte) text {
	t := text{name: name, src: src, lines: []int32{0}}
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c != '\n' && c != '\r' {
			continue
		}
		if i+1 < len(src) && src[i+1] != c && (src[i+1] == '\n' || src[i+1] == '\r') {
			i++
		}
		t.lines = append(t.lines, int32(i+1))
	}
	return t
}

// line returns the number, from 1 on, of the line that holds an offset.
func (t text) line(offset int) int {
	return sort.Search(len(t.lines), func(i int) bool { return int(t.lines[i]) > offset })
}

// indent returns how many blanks and tabs begin a line, up to maxIndent.
func (t text) indent(line int) int {
	n := 0
	for at := int(t.lines[line-1]); at+n < len(t.src) && n < maxIndent; n++ {
		if c := t.src[at+n]; c != ' ' && c != '\t' {
			break
		}
	}
	return n
}

// diagnostic turns a complaint into what is shown to the author.
func (t text) diagnostic(c *complaint) *diag.Diagnostic {
	line := t.line(c.from)
	start := int(t.lines[line-1])
	end := lineEnd(t.src, start)
	d := &diag.Diagnostic{
		File: t.name, Line: line, Col: c.from - start + 1,
		Msg: c.msg, Source: string(t.src[start:end]), Hint: c.hint,
		Width: max(1, min(c.to, end)-c.from),
	}
	if c.warning {
		d.Severity = diag.Warning
	}
	return d
}
