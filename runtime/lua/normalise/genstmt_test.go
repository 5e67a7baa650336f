package normalise

import (
	"fmt"
	"strings"
)

const exprDepth = 3

// value writes an expression that fits a name.
func (g *generator) value(name string) string {
	switch {
	case strings.Contains(ints, name):
		return g.int(exprDepth)
	case strings.Contains(texts, name):
		return g.text(exprDepth)
	case strings.Contains(tables, name):
		return g.table(exprDepth)
	case strings.Contains(funcs, name):
		return g.one(g.name(funcs), g.name(funcs), "function(...) return ... end")
	}
	return g.any(exprDepth)
}

// variable returns a name to assign to or declare.
func (g *generator) variable() string {
	return g.one(g.name(anything), g.name(anything), g.name(anything), g.name(ints), g.name(ints), g.name(texts), g.name(tables))
}

// statement writes one statement, with what is in it.
func (g *generator) statement() {
	g.left--
	if g.depth > 5 {
		g.simple()
		return
	}
	if g.script && g.chance(12) {
		g.fragile()
		return
	}
	switch g.IntN(33) {
	case 30:
		g.leave()
	case 31:
		if g.inner == 0 { // lua5.1 runs out of C stack where one recurses
			g.coroutine()
		}
	case 32:
		g.oldVarargs()
	case 0, 1, 2:
		g.branch()
	case 3:
		g.while()
	case 4:
		g.repeat()
	case 5:
		g.numericFor()
	case 6, 7:
		g.genericFor()
	case 8, 9:
		g.functionStatement()
	case 10:
		g.closure()
	case 11:
		g.protected()
	case 12:
		g.block("do", 3, "end")
	case 13:
		g.wrapper()
	default:
		g.simple()
	}
}

// simple writes a statement without blocks.
func (g *generator) simple() {
	if g.yields && g.chance(20) {
		g.line("%s = coroutine.yield(%s)", g.one("a", "b, c", "t.x", "local d", "local a, b"), g.values(2))
		return
	}
	switch g.IntN(16) {
	case 0, 1, 2:
		v := g.variable()
		g.line("local %s = %s", v, g.value(v))
	case 3:
		v, w := g.variable(), g.variable()
		g.line("local %s, %s = %s, %s", v, w, g.value(v), g.value(w))
	case 4:
		g.line("local %s = %s", g.list(2+g.IntN(2), func() string { return g.name(anything) }), g.values(3))
	case 5, 6, 7, 8:
		v := g.variable()
		g.line("%s = %s", v, g.value(v))
	case 9, 10, 11:
		g.assignMany()
	case 12, 13:
		g.line("%s = %s", g.target(), g.any(exprDepth))
	case 14:
		if g.chance(20) {
			g.line("do (%s).x = %s end", g.one("'c'", "7", "-(1 + 2)", "nil or 'c'"), g.any(exprDepth))
		}
		if g.chance(3) {
			g.line("out(%s)", g.one("0xFFFFFFFFFFFFFFFF", "1e400", "-1e400", "0x7fffffffffffffff", "1e308", "2 ^ 1e400"))
		}
		g.line("out(%s)", g.values(2))
	default:
		g.line("%s", g.call(exprDepth))
	}
}

// values writes a list of expressions of which the last may have many values.
func (g *generator) values(most int) string {
	return g.list(1+g.IntN(most), func() string { return g.any(exprDepth - 1) })
}

// target writes an assignable field. The key may be worked on by the value.
func (g *generator) target() string {
	key := g.one("1", "2", "'x'", g.name(ints), "N("+g.name(anything)+")", fmt.Sprintf("T(%d, %d)", g.IntN(90), g.IntN(3)))
	// M's keys are never nil: which error or metamethod comes first is the
	// virtual machine's choice.
	return g.one("t.x", "u.y", "t.z", "M.x", "O.v", fmt.Sprintf("%s[%s]", g.name(tables), key), fmt.Sprintf("M[N(%s)]", key),
		fmt.Sprintf("T('o', %s)[%s]", g.name(tables), key), fmt.Sprintf("X(%s).x", g.name(anything)))
}

func (g *generator) assignMany() {
	switch g.IntN(6) {
	case 0:
		v, w := g.name(anything), g.name(anything)
		g.line("%s, %s = %s, %s", v, w, w, v)
		return
	case 1:
		v, w := g.name(ints), g.name(ints)
		g.line("%s, %s = %s, %s + %s", v, w, w, v, g.one("1", g.name(ints)))
		return
	case 2:
		x, y := g.one("1", "2", "i", "T(1, 1)"), g.one("3", "2", "j", "T(2, 2)")
		g.line("t[%s], t[%s] = t[%s], t[%s]", x, y, y, x)
		return
	}
	var targets, values []string
	for range 1 + g.IntN(3) {
		if g.chance(40) {
			targets = append(targets, g.target())
			values = append(values, g.any(exprDepth-1))
			continue
		}
		v := g.variable()
		targets = append(targets, v)
		values = append(values, g.value(v))
	}
	extra := g.IntN(6)
	switch {
	case extra == 0:
		values = append(values, g.any(exprDepth-1))
	case extra == 1 && g.onlyAny(targets):
		values = []string{g.call(exprDepth)}
	case extra == 2 && g.onlyAny(targets):
		values = values[:1]
	}
	g.line("%s = %s", strings.Join(targets, ", "), strings.Join(values, ", "))
}

// onlyAny tells whether any value will do for each target.
func (g *generator) onlyAny(targets []string) bool {
	for _, t := range targets {
		if len(t) == 1 && !strings.Contains(anything, t) {
			return false
		}
	}
	return true
}

// block writes a head, some statements and a tail.
func (g *generator) block(head string, most int, tail string) {
	g.line("%s", head)
	g.body(most)
	g.line("%s", tail)
}

// body writes the statements of a block; the last may leave the loop or return.
func (g *generator) body(most int) {
	g.some(most)
	switch {
	case g.loops > 0 && g.chance(18):
		g.line("  break")
	case g.depth > 1 && g.chance(5):
		g.result()
	}
}

// some writes statements after which others may follow.
func (g *generator) some(most int) {
	g.indent++
	g.depth++
	for range g.IntN(most + 1) {
		g.statement()
	}
	g.depth--
	g.indent--
}

func (g *generator) result() {
	switch g.IntN(5) {
	case 0:
		g.line("return")
	case 1:
		g.line("return (%s)", g.call(exprDepth-1))
	case 2:
		g.line("return %s", g.call(exprDepth-1))
	default:
		g.line("return %s", g.values(3))
	}
}

// condition writes a condition, at times one that literals decide.
func (g *generator) condition() string {
	if g.chance(12) {
		return g.one("false", "nil", "true", "1", "'x'", "not nil", "not 1", "nil or false", "1 and 2", "false and "+g.name(anything))
	}
	return g.any(exprDepth)
}

func (g *generator) branch() {
	g.line("if %s then", g.condition())
	g.body(2)
	for g.chance(30) {
		g.line("elseif %s then", g.condition())
		g.body(2)
	}
	if g.chance(50) {
		g.line("else")
		g.body(2)
	}
	g.line("end")
}

// loop writes the body of a loop that its head does not end.
func (g *generator) loop(head, tail string) {
	g.loops++
	g.block(head, 3, tail)
	g.loops--
}

func (g *generator) while() {
	switch g.IntN(4) {
	case 0:
		g.loops++
		g.line("while %s do", g.one("true", "1", "not nil"))
		g.some(2)
		g.line("  break")
		g.line("end")
		g.loops--
	default:
		g.loop(fmt.Sprintf("for at in counter(3) do while at < 9 and (%s) do at = at + 3", g.condition()), "end end")
	}
}

func (g *generator) repeat() {
	if g.chance(30) {
		g.loop("repeat", "until "+g.one("true", "1", "not nil", "true or "+g.name(anything)))
		return
	}
	g.line("local at = 0")
	g.loops++
	g.line("repeat at = at + 1")
	g.body(3)
	g.line("until at > 2 or %s", g.operand(exprDepth))
	g.loops--
}

func (g *generator) numericFor() {
	head := g.one("1, 3", "3, 1, -1", "1, 0", "2, 4, 2", "(nil or 1), 2", "N("+g.name(anything)+"), 4", "1, (a and 2 or 3)")
	g.loop(fmt.Sprintf("for %s = %s do", g.name(ints), head), "end")
}

func (g *generator) genericFor() {
	list := g.list(1+g.IntN(3), func() string { return g.int(1) })
	names := g.one(g.name(ints), "i, j", "i, a", "k, a, b", "i, a, b, c")
	head := g.one(
		"ipairs({"+list+"})", "next, {"+list+"}", "next, {"+list+"}, nil", "next, X({"+list+"})", "counter(2)", "(counter(2))",
		"count(2)", "count(3), 2", "(count(3)), 2, 1", "stateless", "stateless, 5", "(stateless)", "stateless, 7, 1",
		"stateless, f(8, 1)", "stateless, f()", "counter(2), f(1, 2)",
	)
	g.loop(fmt.Sprintf("for %s in %s do", names, head), "end")
}

// function writes the rest of a function from its parameters on.
func (g *generator) function(head string) {
	loops, dots, yields := g.loops, g.dots, g.yields
	g.loops, g.yields = 0, false
	g.inner++
	defer func() { g.inner-- }()
	params := g.one("", "a", "a, b", "i, a", "a, b, c", "p", "s", "...", "a, ...", "i, b, ...")
	g.dots = strings.HasSuffix(params, "...")
	g.line("%s(%s)", head, params)
	if strings.HasPrefix(params, "i") {
		g.line("  i = N(i)")
	} else if params == "s" {
		g.line("  s = L(S(s))")
	}
	g.line("  if K() then return 5 end")
	if g.chance(20) && params != "" && params != "..." {
		last := strings.TrimSuffix(params[strings.LastIndex(strings.TrimSuffix(params, ", ..."), " ")+1:], ", ...")
		g.line("  %s = %s", last, g.one("(O:id("+last+"))", "(f("+last+"))", "("+last+")", "(T('p', "+last+"))"))
		if last == "i" || last == "s" {
			g.line("  %s = %s", last, map[string]string{"i": "N(i)", "s": "L(S(s))"}[last])
		}
	}
	g.some(4)
	if g.chance(70) {
		g.indent++
		g.line("do")
		g.result()
		g.line("end")
		g.indent--
	}
	g.loops, g.dots, g.yields = loops, dots, yields
}

func (g *generator) functionStatement() {
	name := g.name(funcs)
	head := g.one("local function "+name, "function "+name, "local "+name+" = function", name+" = function", "function O.id", "function O:id")
	if strings.HasPrefix(head, "function O") && g.chance(80) {
		head = "local function " + name
	}
	g.function(head)
	g.line("end")
}

// wrapper writes a function that calls the one it shadows.
func (g *generator) wrapper() {
	name := g.name(funcs)
	g.line("local %s = function(...) if K() then return 6 end out('w', ...) return %s(...) end", name, name)
}

// closure keeps a function that reads and changes what is around it.
func (g *generator) closure() {
	v := g.name(ints)
	w := g.name(anything)
	g.line("F[#F + 1] = %s", g.one(
		fmt.Sprintf("function() %s = %s + 1 return %s, %s end", v, v, v, w),
		fmt.Sprintf("function() local %s = %s return %s end", w, v, w),
		fmt.Sprintf("function(p) %s = %s and p return %s end", w, w, w),
		fmt.Sprintf("function(p) %s, %s = p, %s return function() return %s end end", w, v, v, v),
		fmt.Sprintf("function() %s = %s end", w, g.anyWithoutDots()),
	))
	if g.chance(30) {
		f := g.name(funcs)
		g.line("local %s = function() if K() then return 7 end %s = %s + 1 return %s end", f, v, v, v)
		g.line("t[%s] = %s()", v, f)
		g.line("t[%s], %s = %s(), %s()", v, w, f, f)
	}
}

func (g *generator) anyWithoutDots() string {
	dots := g.dots
	g.dots = false
	defer func() { g.dots = dots }()
	return g.any(2)
}

// protected writes a pcall around statements of which some fail.
func (g *generator) protected() {
	g.function("out(E(pcall(function")
	g.line("  %s", g.one("error('u:x', 0)", "error({})", "local x = nil .. 'x'", "out(a.b.c)", "error(a, 0)", "return 1"))
	g.line("end, %s)))", g.any(2))
}

// leave writes a block in a loop that is left while a closure holds its local.
func (g *generator) leave() {
	g.line("for %s in counter(3) do", g.name(ints))
	g.some(1)
	v := g.one(g.name(ints), g.name(anything))
	head := g.one("do", "if "+g.condition()+" then", "while true do")
	tail := g.one("break", "if "+v+" then break end", "do break end")
	if strings.HasPrefix(head, "while") {
		tail = "do break end"
	}
	g.line("  %s", head)
	g.line("    local %s = %s", v, g.value(v))
	g.line("    F[#F + 1] = function() %s = %s return %s end", v, g.one(v, "N("+v+") + 1"), v)
	g.line("    %s", tail)
	g.line("  end")
	g.line("end")
}

// coroutine writes a loop over what a coroutine yields.
func (g *generator) coroutine() {
	loops, dots := g.loops, g.dots
	g.loops, g.dots, g.yields = 0, false, true
	g.inner++
	g.line("for %s in coroutine.wrap(function(%s)", g.one("i", "a, b", "i, a"), g.one("", "a, b"))
	g.some(3)
	g.line("  coroutine.yield(%s)", g.one("1", "2, 3"))
	g.some(2)
	g.loops, g.dots, g.yields = loops, dots, false
	g.inner--
	g.loops++
	g.line("end) do")
	g.line("  if K() then break end")
	g.body(2)
	g.line("end")
	g.loops--
}

// oldVarargs writes a function that gets its arguments as Lua 5.0 has them.
func (g *generator) oldVarargs() {
	dots := g.dots
	g.dots = false
	g.line("local function %s(%s)", g.name(funcs), g.one("...", "a, ..."))
	g.line("  if K() then return 8 end")
	g.line("  out(arg.n, arg[1], arg[2])")
	g.line("  return arg[1], %s", g.any(1))
	g.line("end")
	g.dots = dots
}
