package strlib

import (
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/pattern"
)

// Open installs the global table string and makes strings index it, so that
// s:find(...) works. getmetatable of a string returns the word "string", not
// the metatable. A nil lim has the defaults. It replaces what gopher-lua's
// OpenString installed, if that was called.
func Open(L *lua.LState, lim *Limits) {
	l := newLib(lim)
	l.cache = pattern.NewCache(0)
	mod := newModule(L, []function{
		{"byte", l.strByte},
		{"char", l.strChar},
		{"find", l.strFind},
		{"format", l.strFormat},
		{"gfind", l.strGmatch},
		{"gmatch", l.strGmatch},
		{"gsub", l.strGsub},
		{"len", l.strLen},
		{"lower", l.strLower},
		{"match", l.strMatch},
		{"rep", l.strRep},
		{"reverse", l.strReverse},
		{"sub", l.strSub},
		{"upper", l.strUpper},
	})
	mod.RawSetString("gfind", mod.RawGetString("gmatch"))
	L.SetGlobal("string", mod)

	mt := L.NewTable()
	mt.RawSetString("__index", mod)
	mt.RawSetString("__metatable", lua.LString("string"))
	L.SetMetatable(lua.LString(""), mt)
}

// OpenTable installs the global table table and the global function unpack.
// A nil lim has the defaults. Where a function takes a table it also takes a
// userdata whose Value is a [Sequence].
func OpenTable(L *lua.LState, lim *Limits) {
	l := newLib(lim)
	L.SetGlobal("table", newModule(L, []function{
		{"concat", l.tabConcat},
		{"foreach", l.tabForeach},
		{"foreachi", l.tabForeachi},
		{"getn", l.tabGetn},
		{"insert", l.tabInsert},
		{"maxn", l.tabMaxn},
		{"remove", l.tabRemove},
		{"setn", tabSetn},
		{"sort", l.tabSort},
	}))
	L.SetGlobal("unpack", L.NewFunction(l.unpack))
}

type function struct {
	name string
	body lua.LGFunction
}

// newModule fills a table in the order given, which is the order in which
// pairs shows it.
func newModule(L *lua.LState, functions []function) *lua.LTable {
	mod := L.CreateTable(0, len(functions))
	for _, f := range functions {
		mod.RawSetString(f.name, L.NewFunction(f.body))
	}
	return mod
}
