package diag

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerpt is how many runes of a source line are shown at most: minified files
// have lines of any length.
const excerpt = 120

const (
	sgrReset   = "\x1b[0m"
	sgrBold    = "\x1b[1m"
	sgrError   = "\x1b[1;31m"
	sgrWarning = "\x1b[1;33m"
	sgrHint    = "\x1b[36m"
)

// Render writes the diagnostic for people: position and message, the source
// line, a caret under what is meant, and the hint. With color it uses ANSI
// escapes. Control characters of the source never reach the terminal.
func (d *Diagnostic) Render(w io.Writer, color bool) error {
	b := bufio.NewWriter(w)
	paint := func(sgr, text string) {
		if color {
			text = sgr + text + sgrReset
		}
		_, _ = b.WriteString(text) // bufio keeps the first error for Flush
	}
	grave := sgrError
	if d.Severity == Warning {
		grave = sgrWarning
	}
	if p := d.position(); p != "" {
		paint(sgrBold, printable(p)+": ")
	}
	paint(grave, d.Severity.String()+": ")
	paint(sgrBold, printable(d.Msg))
	b.WriteByte('\n')
	if d.Source != "" {
		line, pad, mark := d.excerpt()
		b.WriteString("  " + line + "\n")
		if mark != "" {
			b.WriteString("  " + pad)
			paint(grave, mark)
			b.WriteByte('\n')
		}
	}
	if d.Hint != "" {
		b.WriteString("  ")
		paint(sgrHint, "hint: ")
		b.WriteString(printable(d.Hint) + "\n")
	}
	return b.Flush()
}

// Render writes every diagnostic of the list, in its order.
func (l List) Render(w io.Writer, color bool) error {
	for _, d := range l {
		if err := d.Render(w, color); err != nil {
			return err
		}
	}
	return nil
}

// excerpt returns the shown part of the source line, the padding in front of
// the caret and the caret itself. The padding repeats the line's tabs, so it is
// as wide as the text above it whatever the terminal's tab stops are.
func (d *Diagnostic) excerpt() (line, pad, mark string) {
	src := strings.TrimRight(d.Source, "\r\n")
	at := min(max(d.Col-1, 0), len(src))
	end := min(at+max(d.Width, 1), len(src))
	from, to := window(src, at)
	var text, under strings.Builder
	if from > 0 {
		text.WriteString("…")
		under.WriteByte(' ')
	}
	carets := 0
	for i := from; i < to; {
		r, size := utf8.DecodeRuneInString(src[i:])
		shown := printableRune(r, size)
		text.WriteRune(shown)
		switch {
		case i < at:
			under.WriteString(blank(shown))
		case i < end:
			carets += columns(shown)
		}
		i += size
	}
	if to < len(src) {
		text.WriteString("…")
	}
	if d.Col <= 0 {
		return text.String(), "", ""
	}
	return text.String(), under.String(), "^" + strings.Repeat("~", max(carets-1, 0))
}

// window picks which bytes of src to show, so that byte at is among them.
func window(src string, at int) (from, to int) {
	if utf8.RuneCountInString(src) <= excerpt {
		return 0, len(src)
	}
	from = at
	for n := 0; n < excerpt/2 && from > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(src[:from])
		from -= size
	}
	to = from
	for n := 0; n < excerpt && to < len(src); n++ {
		_, size := utf8.DecodeRuneInString(src[to:])
		to += size
	}
	return from, to
}

// printable replaces what could drive a terminal.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b.WriteRune(printableRune(r, size))
		i += size
	}
	return b.String()
}

func printableRune(r rune, size int) rune {
	switch {
	case r == '\t':
		return r
	case r == utf8.RuneError && size <= 1, unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return '\uFFFD'
	}
	return r
}

// blank returns white space as wide as r.
func blank(r rune) string {
	switch columns(r) {
	case 0:
		return ""
	case 2:
		return "\u3000" // the ideographic space
	}
	if r == '\t' {
		return "\t"
	}
	return " "
}

// columns returns how many terminal cells r takes, for the scripts that matter
// here: CJK and emoji take two, combining marks none.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
