package vm

import (
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// function is one entry of a library table.
type function struct {
	name string
	body glua.LGFunction
}

// module makes a table of functions, in the order that pairs shows.
func (v *VM) module(functions ...function) *glua.LTable {
	mod := v.root.CreateTable(0, len(functions))
	for _, f := range functions {
		mod.RawSetString(f.name, v.root.NewFunction(f.body))
	}
	return mod
}

// open installs the library. What is not listed here and in the packages it
// asks is absent on purpose: nothing a script can reach loads code, touches
// files, the process or the collector, or another function's environment.
func (v *VM) open() {
	lowerArrayLimit()
	v.openCoroutine()
	v.openGuards()
	for t := range v.types {
		v.types[t] = glua.LString(glua.LValueType(t).String())
	}
	v.nextFn, v.inextFn = v.root.NewFunction(v.next), v.root.NewFunction(v.inext)
	g := v.Globals()
	g.RawSetString("next", v.nextFn)
	for _, f := range []function{
		{"assert", v.assert},
		{"error", v.error},
		{"getmetatable", v.getmetatable},
		{"ipairs", v.ipairs},
		{"pairs", v.pairs},
		{"pcall", v.pcall},
		{"print", v.print},
		{"rawequal", v.rawequal},
		{"rawget", v.rawget},
		{"rawset", v.rawset},
		{"select", v.selectArgs},
		{"setmetatable", v.setmetatable},
		{"tonumber", strlib.ToNumber},
		{"tostring", v.tostringOf},
		{"type", v.typeName},
		{"xpcall", v.xpcall},
		{ConcatName, v.concat},
	} {
		g.RawSetString(f.name, v.root.NewFunction(f.body))
	}
	g.RawSetString("_G", g)
	g.RawSetString("_VERSION", glua.LString("Lua 5.1"))
	strlib.Open(v.root, &v.strs)
	strlib.OpenTable(v.root, &v.strs)
	v.openPlain()
	v.openCounted()
	v.strict(g)
}

// strict lets the owner of the machine say what a global is that is not there.
func (v *VM) strict(g *glua.LTable) {
	if v.cfg.Unknown == nil {
		v.openMath()
		return
	}
	mt := v.root.CreateTable(0, 2)
	mt.RawSetString("__metatable", glua.LString("_G"))
	mt.RawSetString("__index", v.root.NewFunction(func(L *glua.LState) int {
		value := glua.LValue(glua.LNil)
		switch name, ok := L.Get(2).(glua.LString); {
		case ok && name == "math": // made when it is first read, as few scripts need it
			v.openMath()
			value = g.RawGetString("math")
		case ok:
			value = v.cfg.Unknown(L, string(name))
		}
		L.Push(value)
		return 1
	}))
	g.Metatable = mt
}

func (v *VM) assert(L *glua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "assert", "value expected")
	}
	if glua.LVAsBool(L.Get(1)) {
		return L.GetTop()
	}
	msg := "assertion failed!"
	if L.Get(2) != glua.LNil {
		msg = checkString(L, 2, "assert")
	}
	return v.raise(L, 1, msg)
}

func (v *VM) error(L *glua.LState) int {
	level := 1
	if L.Get(2) != glua.LNil {
		level = int(checkNumber(L, 2, "error"))
	}
	value := L.Get(1)
	if glua.LVCanConvToString(value) && level > 0 {
		// gopher-lua counts the function error itself, and so is off by one from
		// the second level on.
		return v.raise(L, level, string(appendText(nil, value)))
	}
	L.Error(value, 0)
	return 0
}

// where returns the position of the Lua function at a level as it stands before
// a message, and nothing where that is no Lua function of a script. Levels go on
// outside of a protected call, which is one itself.
func (v *VM) where(L *glua.LState, level int) string {
	for v.isGuard(L) {
		levels := guarded(L)
		if level < levels {
			break
		}
		level -= levels
		L = L.Parent
		if v.isParked(L) {
			// Its pcall is a level too, which returned to be made anew.
			if level--; level < 0 {
				return ""
			}
		}
	}
	dbg, ok := L.GetStack(level)
	if !ok {
		return ""
	}
	if _, err := L.GetInfo("Sl", dbg, glua.LNil); err != nil || dbg.CurrentLine < 1 || dbg.Source == preludeChunk {
		return ""
	}
	return dbg.Source + ":" + strconv.Itoa(dbg.CurrentLine) + ": "
}

// guarded returns how many levels of a guard's thread are above the function
// that runs the protected calls and, tail called, what it was given to run.
func guarded(L *glua.LState) int {
	levels := 0
	for n := range maxLevels {
		dbg, ok := L.GetStack(n)
		if !ok {
			break
		}
		if _, err := L.GetInfo("S", dbg, glua.LNil); err != nil || dbg.Source != preludeChunk {
			levels = n + 1
		}
	}
	return levels
}

// maxLevels is how many levels are looked at, for each tail call counts as one.
const maxLevels = 250

func (v *VM) print(L *glua.LState) int {
	if v.cfg.Print == nil {
		return 0
	}
	var b strings.Builder
	for i := 1; i <= L.GetTop(); i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(v.show(L, L.Get(i)))
		if b.Len() > v.cfg.Limits.MaxString {
			L.RaiseError("print: a line of more than %d bytes", v.cfg.Limits.MaxString)
		}
	}
	_ = v.Spend(b.Len()) // too much shows at the next instruction
	if err := v.cfg.Print(L, b.String()); err != nil {
		L.RaiseError("%s", err.Error())
	}
	return 0
}

// show is tostring.
func (v *VM) show(L *glua.LState, value glua.LValue) string {
	if L.GetMetaField(value, "__tostring") == glua.LNil {
		return strlib.RawString(L, value)
	}
	L.Push(v.Globals().RawGetString("tostring"))
	L.Push(value)
	L.Call(1, 1)
	text, ok := L.Get(-1).(glua.LString)
	L.Pop(1)
	if !ok {
		L.RaiseError("'tostring' must return a string to 'print'")
	}
	return string(text)
}

func (v *VM) getmetatable(L *glua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "getmetatable", "value expected")
	}
	mt := glua.LValue(glua.LNil)
	switch L.Get(1).Type() {
	case glua.LTTable, glua.LTString: // those of other values are the daemon's
		mt = L.GetMetatable(L.Get(1))
	}
	L.Push(mt)
	return 1
}

func (v *VM) setmetatable(L *glua.LState) int {
	t := checkTable(L, 1, "setmetatable")
	mt, isTable := L.Get(2).(*glua.LTable)
	if !isTable && (L.Get(2) != glua.LNil || L.GetTop() < 2) {
		argError(L, 2, "setmetatable", "nil or table expected")
	}
	if old, ok := t.Metatable.(*glua.LTable); ok && old.RawGetString("__metatable") != glua.LNil {
		L.RaiseError("cannot change a protected metatable")
	}
	t.Metatable = glua.LNil
	if isTable {
		t.Metatable = mt
	}
	L.SetTop(1)
	return 1
}

func (v *VM) rawequal(L *glua.LState) int {
	if L.GetTop() < 2 {
		argError(L, L.GetTop()+1, "rawequal", "value expected")
	}
	v.chargeKey(L, L.Get(1))
	L.Push(glua.LBool(L.RawEqual(L.Get(1), L.Get(2))))
	return 1
}

func (v *VM) rawget(L *glua.LState) int {
	t := checkTable(L, 1, "rawget")
	if L.GetTop() < 2 {
		argError(L, 2, "rawget", "value expected")
	}
	v.chargeKey(L, L.Get(2))
	L.Push(t.RawGet(L.Get(2)))
	return 1
}

func (v *VM) rawset(L *glua.LState) int {
	t := checkTable(L, 1, "rawset")
	if n := L.GetTop(); n < 3 {
		argError(L, n+1, "rawset", "value expected")
	}
	switch key := L.Get(2); {
	case key == glua.LNil:
		L.Error(glua.LString("table index is nil"), 0)
	case isNaN(key):
		L.Error(glua.LString("table index is NaN"), 0)
	}
	v.chargeStore(L, t, L.Get(2))
	L.RawSet(t, L.Get(2), L.Get(3))
	L.SetTop(1)
	return 1
}

func isNaN(value glua.LValue) bool {
	n, ok := value.(glua.LNumber)
	return ok && n != n
}

// stepsPerName is what naming a value by its number counts for.
const stepsPerName = 800

// tostringOf is tostring.
func (v *VM) tostringOf(L *glua.LState) int {
	switch L.Get(1).Type() {
	case glua.LTTable, glua.LTFunction, glua.LTUserData, glua.LTThread:
		v.charge(L, stepsPerName)
	}
	return strlib.ToString(L)
}

// selectArgs is select. What it copies counts, because a loop over select can
// move far more values than it has instructions.
func (v *VM) selectArgs(L *glua.LState) int {
	n := L.GetTop() - 1
	if L.Get(1) == glua.LString("#") {
		L.Push(glua.LNumber(n))
		return 1
	}
	i := int(checkNumber(L, 1, "select"))
	switch {
	case i < 0:
		i += n
	case i > n:
		i = n
	default:
		i--
	}
	if i < 0 {
		argError(L, 1, "select", "index out of range")
	}
	if err := v.Spend(n); err != nil {
		L.RaiseError("%s", err.Error())
	}
	return n - i
}

func (v *VM) typeName(L *glua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "type", "value expected")
	}
	L.Push(v.types[L.Get(1).Type()])
	return 1
}
