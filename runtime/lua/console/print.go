package console

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua"
)

// Bounds of what is shown of one value.
const (
	maxDepth  = 3
	maxItems  = 50       // of one table
	maxText   = 512      // bytes of one string
	maxShown  = 16 << 10 // bytes in all
	lineWidth = 100
)

// viewer tells what Lua values hold: a [lua.Desk].
type viewer interface {
	Pairs(v glua.LValue) (list []lua.Pair, more, ok bool)
	Label(v glua.LValue) string
	Fields(v glua.LValue) []lua.Pair
}

// printer renders values for a person.
type printer struct {
	view  viewer
	width int
	left  int // bytes that may still be shown
	path  []glua.LValue
}

// show renders a value: on one line where that fits, keys sorted, no deeper and
// no longer than the bounds. It calls nothing of the script's.
func show(view viewer, v glua.LValue, width int) string {
	if width <= 0 {
		width = lineWidth
	}
	p := &printer{view: view, width: width, left: maxShown}
	if fields := view.Fields(v); len(fields) > 0 {
		return p.object(v, fields)
	}
	return p.value(v, 0, 0)
}

// object renders an object with its fields.
func (p *printer) object(v glua.LValue, fields []lua.Pair) string {
	var b strings.Builder
	b.WriteString(p.view.Label(v))
	for _, f := range fields {
		if f.Value == glua.LNil {
			continue
		}
		fmt.Fprintf(&b, "\n  %-14s %s", f.Key, p.value(f.Value, maxDepth-1, 17))
	}
	return b.String()
}

// value renders v at a depth, behind column col.
func (p *printer) value(v glua.LValue, depth, col int) string {
	switch v := v.(type) {
	case *glua.LNilType:
		return "nil"
	case glua.LBool:
		return v.String()
	case glua.LNumber:
		return number(float64(v))
	case glua.LString:
		s := quote(string(v))
		p.left -= len(s)
		return s
	case *glua.LTable:
		return p.table(v, depth, col)
	case *glua.LUserData:
		if _, _, holds := p.view.Pairs(v); holds && (depth == 0 || p.view.Label(v) == "a record") {
			return p.table(v, depth, col)
		}
	}
	s := "<" + p.view.Label(v) + ">"
	p.left -= len(s)
	return s
}

// table renders what holds pairs.
func (p *printer) table(v glua.LValue, depth, col int) string {
	pairs, more, _ := p.view.Pairs(v)
	switch {
	case len(pairs) == 0:
		return "{}"
	case slices.Contains(p.path, v):
		return "<the table around it>"
	case depth >= maxDepth || p.left <= 0:
		return "{…}"
	}
	p.path = append(p.path, v)
	defer func() { p.path = p.path[:len(p.path)-1] }()
	slices.SortFunc(pairs, func(a, b lua.Pair) int { return compareKeys(a.Key, b.Key) })
	var items []string
	for i, x := range pairs {
		if i == maxItems || p.left <= 0 {
			items = append(items, fmt.Sprintf("… %s", atLeast(len(pairs)-i, more)))
			more = false
			break
		}
		item := p.key(x.Key, i) + p.value(x.Value, depth+1, col+2)
		p.left -= 2
		items = append(items, item)
	}
	if more {
		items = append(items, "…")
	}
	return layOut(items, col, p.width)
}

func atLeast(n int, more bool) string {
	if more {
		return fmt.Sprintf("and at least %d more", n)
	}
	return fmt.Sprintf("and %d more", n)
}

// key renders a key; the places of a list have none.
func (p *printer) key(k glua.LValue, i int) string {
	switch k := k.(type) {
	case glua.LNumber:
		if float64(k) == float64(i+1) {
			return ""
		}
	case glua.LString:
		if isName(string(k)) {
			p.left -= len(k)
			return string(k) + " = "
		}
	}
	return "[" + p.value(k, maxDepth, 0) + "] = "
}

// layOut puts items on one line, or each on its own.
func layOut(items []string, col, width int) string {
	n := col + 4
	for _, s := range items {
		n += utf8.RuneCountInString(s) + 2
		if strings.Contains(s, "\n") {
			n = width + 1
		}
	}
	if n <= width {
		return "{ " + strings.Join(items, ", ") + " }"
	}
	indent := strings.Repeat(" ", col)
	return "{\n" + indent + "  " + strings.Join(items, ",\n"+indent+"  ") + ",\n" + indent + "}"
}

// compareKeys orders keys: numbers, then texts, then what is left.
func compareKeys(a, b glua.LValue) int {
	rank := func(v glua.LValue) int {
		switch v.(type) {
		case glua.LNumber:
			return 0
		case glua.LString:
			return 1
		case glua.LBool:
			return 2
		}
		return 3
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	switch a := a.(type) {
	case glua.LNumber:
		switch b := b.(glua.LNumber); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	case glua.LString:
		return strings.Compare(string(a), string(b.(glua.LString)))
	}
	return strings.Compare(a.String(), b.String())
}

// number renders whole numbers without an exponent, as far as they are exact.
func number(f float64) string {
	switch {
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return strconv.FormatInt(int64(f), 10)
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")
	}
	return strconv.FormatFloat(f, 'g', 14, 64)
}

// quote renders a text as Lua would read it: bytes that are no printable text
// escaped, cut with its length where it is long.
func quote(s string) string {
	rest := 0
	if len(s) > maxText {
		cut := maxText
		for cut > maxText-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		rest = len(s) - cut
		s = s[:cut]
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case r == utf8.RuneError && n == 1, !strconv.IsPrint(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	if rest > 0 {
		fmt.Fprintf(&b, " … and %d bytes", rest)
	}
	return b.String()
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && !keywords[s]
}

// keywords are no names.
var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true,
	"for": true, "function": true, "if": true, "in": true, "local": true, "nil": true, "not": true,
	"or": true, "repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}
