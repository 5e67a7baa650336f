// Package lib knows the tables of functions that are written in Go below it, and
// opens them by name. What each holds is declared with the events; here are the
// bodies. The functions of one state are called on its goroutine.
package lib

import (
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/base64lib"
	"github.com/hookd/hookd/runtime/lua/lib/bitlib"
	"github.com/hookd/hookd/runtime/lua/lib/hashlib"
	"github.com/hookd/hookd/runtime/lua/lib/iplib"
	"github.com/hookd/hookd/runtime/lua/lib/jsonlib"
	"github.com/hookd/hookd/runtime/lua/lib/oslib"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
	"github.com/hookd/hookd/runtime/lua/lib/structlib"
	"github.com/hookd/hookd/runtime/lua/lib/urllib"
	"github.com/hookd/hookd/runtime/lua/lib/utf8lib"
)

// Config is what the tables need of the machine that they are in.
type Config struct {
	// Limits bound strings and count work.
	Limits *strlib.Limits
	// Clock tells event time in nanoseconds since the epoch.
	Clock oslib.Clock
	// Plain returns the plain data that a userdata stands for; nil refuses them.
	Plain func(*lua.LUserData) (any, error)
}

type opener func(*lua.LState, Config) map[string]lua.LValue

// pure adapts a table that needs limits only.
func pure(open func(*lua.LState, *strlib.Limits) map[string]lua.LValue) opener {
	return func(L *lua.LState, cfg Config) map[string]lua.LValue { return open(L, cfg.Limits) }
}

var tables = map[string]opener{
	"base64": pure(base64lib.Open),
	"bit":    pure(bitlib.Open),
	"hash":   pure(hashlib.Open),
	"ip":     pure(iplib.Open),
	"json": func(L *lua.LState, cfg Config) map[string]lua.LValue {
		return jsonlib.Open(L, cfg.Limits, jsonlib.Config{Plain: cfg.Plain})
	},
	"os": func(L *lua.LState, cfg Config) map[string]lua.LValue {
		return oslib.Open(L, cfg.Limits, cfg.Clock)
	},
	"struct": pure(structlib.Open),
	"url":    pure(urllib.Open),
	"utf8":   pure(utf8lib.Open),
}

// Names lists the tables, sorted.
func Names() []string { return slices.Sorted(maps.Keys(tables)) }

// Open returns the functions and values of a table by name; nil where there is
// none of that name.
func Open(L *lua.LState, table string, cfg Config) map[string]lua.LValue {
	open := tables[table]
	if open == nil {
		return nil
	}
	return open(L, cfg)
}
