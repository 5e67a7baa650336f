package lua

import (
	"errors"
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// Caller implements [bind.Host].
func (in *instance) Caller(L *glua.LState) *event.Caller {
	c := &in.caller
	if in.mode == loading {
		// The shard goes on meanwhile: what is in it is not for this goroutine.
		c = &event.Caller{Script: in.caller.Script, Gen: in.caller.Gen}
	}
	if in.call != nil {
		c = &in.call.Caller
	}
	c.Line, c.Lines, in.at = 0, in, L
	c.Shadow = in.prog.rt.cfg.Trial
	return c
}

// CallLine implements [event.Lines].
func (in *instance) CallLine() int { return in.line(in.at) }

// Does implements [bind.Host].
func (in *instance) Does(what string) bool {
	if in.prog.rt.cfg.Trial == 0 {
		return true
	}
	in.prog.rt.cfg.Undone(in.env.Shard, what)
	return false
}

// maxLevels is how far up a call looks for the line of the script it is made at.
const maxLevels = 8

// line returns the line of the script that L is at, 0 where none is near.
func (in *instance) line(L *glua.LState) int {
	for level := range maxLevels {
		dbg, ok := L.GetStack(level)
		if !ok {
			return 0
		}
		if _, err := L.GetInfo("Sl", dbg, glua.LNil); err == nil && dbg.CurrentLine > 0 && dbg.Source == in.prog.path {
			return dbg.CurrentLine
		}
	}
	return 0
}

// Effect implements [bind.Host].
func (in *instance) Effect(L *glua.LState, what string) {
	switch in.mode {
	case handling:
	case filtering:
		in.raise(L, remark{msg: what + ": not in a filter: `when` only decides, put it in `run`", word: last(what)})
	default:
		in.raise(L, remark{msg: what + ": not while loading: put it in `on = hookd.start`", word: last(what)})
	}
}

// Plain implements [bind.Host].
func (in *instance) Plain(ud *glua.LUserData) (any, error) {
	switch v := ud.Value.(type) {
	case *object:
		if k, ok := v.o.(event.Kept); ok {
			return k, nil
		}
		return nil, fmt.Errorf("a %s is lent: copy the fields you need", v.typ.Info.Name)
	case *recordValue:
		return plainOf(v.t), nil
	case *point:
		return v.name, nil
	case *verdict:
		return v.String(), nil
	}
	return nil, fmt.Errorf("plain data expected, got %s", describe(ud))
}

// Handler implements [bind.Host]: what a verdict names is a declared handler, since
// the verdict may be decided many times.
func (in *instance) Handler(_ *glua.LState, v glua.LValue) (any, error) {
	switch v := v.(type) {
	case glua.LString:
		return &engine.Handler{Name: string(v), Instance: in}, nil
	case *glua.LUserData:
		if named, ok := v.Value.(*handle); ok && named.word == "handler" {
			return &engine.Handler{Name: named.name, Instance: in}, nil
		}
	}
	return nil, errors.New("the name of a declared handler expected; a function is bound by tx:on")
}

// print writes a log line.
func (in *instance) print(L *glua.LState, line string) error {
	in.Effect(L, "print")
	if in.told(line) {
		return nil
	}
	return in.prog.rt.cfg.Functions.LogInfo(in.Caller(L), line, nil)
}
