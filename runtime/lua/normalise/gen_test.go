package normalise

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random programs on top of prelude. The first letter of a
// name says what it holds, whatever declares it: ints ijkn, anything abcd,
// strings sr, tables tu, functions fgh. So every name is always usable, and
// shadowing, upvalues and globals come by themselves.
type generator struct {
	*rand.Rand
	out    strings.Builder
	indent int
	depth  int // of blocks
	left   int // statements that may still be written
	loops  int // loops around this place, within its function
	dots   bool
	yields bool // within a coroutine's own function
	inner  int  // functions and coroutines around this place
	script bool // also writes what only the machine of scripts has right
}

const (
	ints     = "ijkn"
	anything = "abcd"
	texts    = "sr"
	tables   = "tu"
	funcs    = "fgh"
)

// program writes the program of a seed.
func program(seed uint64) string { return programOf(seed, false) }

func programOf(seed uint64, script bool) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 51)), left: 14, dots: true, script: script}
	if g.IntN(25) == 0 {
		g.manyConstants()
	}
	if g.IntN(25) == 0 {
		g.line("local %s", g.list(90, func() string { return "z" }))
	}
	for g.left > 0 {
		g.statement()
	}
	g.line("out(i, j, k, n, a, b, c, d, s, r)")
	g.line("finish()")
	return g.out.String()
}

// manyConstants has later constants of the function stand in registers.
func (g *generator) manyConstants() {
	g.line("local q = 0")
	for from := 0; from < 260; from += 20 {
		terms := make([]string, 20)
		for i := range terms {
			terms[i] = fmt.Sprint(1000 + from + i)
		}
		g.line("q = q + %s", strings.Join(terms, " - "))
	}
	g.line("out(q)")
}

func (g *generator) line(format string, args ...any) {
	g.out.WriteString(strings.Repeat("  ", g.indent))
	fmt.Fprintf(&g.out, format, args...)
	g.out.WriteByte('\n')
}

// one returns one of its arguments.
func (g *generator) one(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// name returns a letter of set.
func (g *generator) name(set string) string { return string(set[g.IntN(len(set))]) }

func (g *generator) list(n int, item func() string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item()
	}
	return strings.Join(items, ", ")
}

// int writes an expression with a number for value.
func (g *generator) int(d int) string {
	if g.script && d > 0 && g.chance(8) {
		return g.coerced(d)
	}
	if d <= 0 || g.chance(25) {
		return g.one(g.name(ints), g.name(ints), g.name(ints), "1", "2", "7", "0", "-3", "0x1F", "0012", "2.5", "1e2")
	}
	switch g.IntN(13) {
	case 0, 1, 2:
		return g.int(d-1) + g.one(" + ", " - ", " * ") + g.term(d-1)
	case 3:
		return fmt.Sprintf("N(%s) %% %s", g.any(d-1), g.one("2", "3", "5"))
	case 4:
		return "-" + g.term(d-1)
	case 5:
		return "#" + g.one(g.name(texts), "'abc'", "{"+g.list(g.IntN(4), func() string { return g.int(d - 1) })+"}")
	case 6:
		return fmt.Sprintf("N(%s)", g.any(d-1))
	case 7:
		return fmt.Sprintf("(%s or %s)", g.int(d-1), g.any(d-1))
	case 8:
		return fmt.Sprintf("(%s and %s)", g.literal(true), g.int(d-1))
	case 9:
		return fmt.Sprintf("(nil or %s)", g.int(d-1))
	case 10:
		return fmt.Sprintf("O:id(%s)", g.int(d-1))
	case 11:
		if g.dots {
			return "select('#', ...)"
		}
		return "(O:id(1 + 1))"
	default:
		return fmt.Sprintf("T(%d, %s)", g.IntN(90), g.int(d-1))
	}
}

func (g *generator) term(d int) string {
	if d <= 0 || g.chance(50) {
		return g.one(g.name(ints), "1", "3", "10")
	}
	return "(" + g.int(d-1) + ")"
}

// literal writes a literal that counts as true or false.
func (g *generator) literal(truth bool) string {
	if truth {
		return g.one("true", "1", "'x'", "0", "''")
	}
	return g.one("nil", "false")
}

// bool writes a comparison or a negation.
func (g *generator) bool(d int) string {
	switch g.IntN(7) {
	case 0, 1:
		return g.int(d-1) + g.one(" < ", " > ", " <= ", " >= ") + g.int(d-1)
	case 2, 3:
		return g.operand(d-1) + g.one(" == ", " ~= ") + g.operand(d-1)
	case 4:
		return g.text(d-1) + g.one(" < ", " == ", " >= ") + g.text(d-1)
	case 5:
		return "not " + g.operand(d-1)
	default:
		return g.one("true", "false", "not nil", "not 'x'", "not not "+g.name(anything))
	}
}

// text writes an expression with a string for value.
func (g *generator) text(d int) string {
	if d <= 0 || g.chance(35) {
		return g.one(g.name(texts), g.name(texts), "'x'", "'yz'", "[[q]]")
	}
	switch g.IntN(7) {
	case 0, 1:
		return fmt.Sprintf("L(%s .. %s)", g.text(d-1), g.text(d-1))
	case 2:
		return fmt.Sprintf("L(%s .. S(%s) .. %s)", g.text(d-1), g.any(d-1), g.text(d-1))
	case 3:
		return fmt.Sprintf("S(%s)", g.any(d-1))
	case 4:
		return fmt.Sprintf("(%s):upper()", g.text(d-1))
	case 5:
		return fmt.Sprintf("(%s or %s)", g.text(d-1), g.any(d-1))
	default:
		return fmt.Sprintf("T('%s', %s)", g.one("p", "q"), g.text(d-1))
	}
}

// any writes an expression with any value, often one that and/or decides.
func (g *generator) any(d int) string {
	if d <= 0 || g.chance(20) {
		return g.one(g.name(anything), g.name(anything), g.name(anything), g.name(ints), "nil", "false", "true", "1", "'w'",
			"t.x", "u.y", "t[1]")
	}
	switch g.IntN(18) {
	case 16:
		return g.one("V + "+g.operand(d-1), g.operand(d-1)+" .. V", "-V", "V == W", "V ~= W", "V < W", "V <= W", "(V(1, 2))", "V:id(3)",
			"not V", "V .. 'x' .. "+g.operand(d-1), "V.v", "(V or 1) + 1")
	case 17:
		return fmt.Sprintf("(function(...) return %s end)(%s)", g.one("...", "(...)", "select('#', ...)", g.any(d-1)), g.any(d-1))
	case 0, 1, 2, 3:
		return g.operand(d-1) + " and " + g.operand(d-1)
	case 4, 5, 6, 7:
		return g.operand(d-1) + " or " + g.operand(d-1)
	case 8:
		right := []string{g.operand(d - 1), g.call(d - 1), "f(1, 2)"}
		if g.dots {
			right = append(right, "...")
		}
		return g.literal(g.chance(50)) + g.one(" and ", " or ") + g.one(right...)
	case 9:
		return g.bool(d)
	case 10:
		return g.call(d - 1)
	case 11:
		return "(" + g.call(d-1) + ")"
	case 12:
		if g.dots {
			return g.one("...", "(...)", "(select(2, ...))")
		}
		return g.one("M.x", "(O:m(1, 2))")
	case 13:
		return fmt.Sprintf("%s[%s]", g.name(tables), g.int(d-1))
	case 14:
		return g.one(g.int(d), g.text(d))
	default:
		return fmt.Sprintf("T('%s', %s)", g.one("A", "B", "C"), g.any(d-1))
	}
}

// operand writes an expression that any operator may stand beside.
func (g *generator) operand(d int) string {
	if d <= 0 || g.chance(40) {
		return g.one(g.name(anything), g.name(anything), g.name(ints), "t.x", "nil", "false", "u.y")
	}
	return "(" + g.any(d) + ")"
}

// call writes a call with any number of values.
func (g *generator) call(d int) string {
	args := func() string { return g.list(g.IntN(4), func() string { return g.any(d - 1) }) }
	switch g.IntN(9) {
	case 8:
		return fmt.Sprintf("V(%s)", args())
	case 0, 1, 2, 3:
		return fmt.Sprintf("%s(%s)", g.name(funcs), args())
	case 4:
		return fmt.Sprintf("O:m(%s, %s)", g.any(d-1), g.any(d-1))
	case 5:
		return fmt.Sprintf("T(%d, %s)", g.IntN(90), g.any(d-1))
	case 6:
		return fmt.Sprintf("select(%s, %s)", g.one("1", "2", "-1"), g.any(d-1))
	default:
		return fmt.Sprintf("E(pcall(%s, %s))", g.name(funcs), g.any(d-1))
	}
}

// table writes a constructor; now and then a long one.
func (g *generator) table(d int) string {
	if g.chance(8) {
		return g.longTable(d)
	}
	var fields []string
	for range g.IntN(5) {
		switch g.IntN(4) {
		case 0:
			fields = append(fields, g.any(d-1))
		case 1:
			fields = append(fields, g.one("x", "y", "z")+" = "+g.any(d-1))
		case 2:
			fields = append(fields, fmt.Sprintf("[%s] = %s", g.int(d-1), g.any(d-1)))
		default:
			fields = append(fields, g.call(d-1))
		}
	}
	return "{" + strings.Join(fields, g.one(", ", "; ")) + "}"
}

// longTable writes a constructor of about as many items as are stored at once.
func (g *generator) longTable(d int) string {
	var fields []string
	for i := range 47 + g.IntN(6) {
		fields = append(fields, fmt.Sprint(i))
	}
	if g.chance(50) {
		// No order of evaluation is promised here, so nothing shows it.
		fields = append(fields, g.one("x = S(i)", "[S(1)] = N(j)", "y = O:id(n)"))
	}
	if g.chance(50) {
		fields = append(fields, g.one("8", g.call(d-1), "f(1, 2, nil, 4)"))
	}
	if g.dots && g.chance(30) {
		fields = append(fields, "...")
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// coerced writes arithmetic with strings, and what else gopher-lua's own
// operators get wrong.
func (g *generator) coerced(d int) string {
	digits := g.one("'010'", "' 7 '", "'0x1F'", "'1e1'", "'-3'", "'.5'", "'4.'")
	switch g.IntN(6) {
	case 0:
		return "(" + digits + g.one(" + ", " - ", " * ") + g.term(d-1) + ")"
	case 1:
		return "(" + g.term(d-1) + g.one(" + ", " - ", " * ") + digits + ")"
	case 2:
		return "(-" + digits + ")"
	case 3:
		return "N((E(pcall(function(...) return " + g.operand(d-1) + g.one(" + ", " - ", " % ", " / ") + g.one(digits, "'x1'", "''", "'1_0'") + " end))))"
	case 4:
		return "#setmetatable({1, 2}, { __len = function() return 9 end })"
	default:
		return "(tonumber(" + digits + ") or 0)"
	}
}

// fragile writes a statement whose meaning depends on how a store, a length or a
// loop is rewritten.
func (g *generator) fragile() {
	k := g.name(ints)
	switch g.IntN(6) {
	case 0:
		g.line("for %s = %s, %s do if K() then break end out(%s) end", k, g.one("'1'", "' 2 '", "N("+g.any(2)+")"), g.one("'3'", "4", "N("+g.any(2)+")"), k)
	case 1:
		g.line("t.q = {} t.q[N(%s)] = %s", g.any(2), g.any(2))
		g.line("for k, v in pairs(t.q) do out(k, v) end")
	case 2:
		g.line("do local %s = %s local function set(...) %s = %s + 1 return %s end %s[%s] = set() out(%s) end", k, g.int(1), k, k, g.any(1), g.name(tables), k, k)
	case 3:
		g.line("do local e = { 1, 2, 3 } for n = #e, 1, -1 do e[n] = nil out(#e) end e[#e + 1] = %s out(#e, e[1]) end", g.int(1))
	case 4:
		g.line("do local e = { 1, 2, 3, x = 1 } for k in pairs(e) do e[k] = nil out(k, #e) end out((next(e))) end")
	default:
		x, y := g.any(2), g.any(2)
		g.line("out(E(pcall(function(...) return %s %s %s end)))", g.one("("+x+")"), g.one("<", "<=", ">", ">=", "==", "~="), "("+y+")")
	}
}
