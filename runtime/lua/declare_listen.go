package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// fixtureWords declare fixtures: listen of a family, set of the dispatcher.
var fixtureWords = [...]string{"listen", "set"}

// openFixtures adds the words that declare fixtures to the table of that name.
func (in *instance) openFixtures(table string, members map[string]glua.LValue) {
	for _, word := range fixtureWords {
		if fn := in.prog.rt.cfg.Catalogue.Function(table + "." + word); fn != nil && fn.Native {
			members[word] = in.vm.State().NewFunction(func(L *glua.LState) int { return in.declareFixture(L, table, word) })
		}
	}
}

// declareFixture is `loop.listen "name" { … }`. What the table may say is the stack's
// to know.
func (in *instance) declareFixture(L *glua.LState, family, word string) int {
	what := family + "." + word
	d, line := in.declaring(L, what)
	if d.serial != "" {
		in.raise(L, remark{msg: what + ": it is declared in a file", word: word})
	}
	name := in.declaredName(L, what, 1)
	p := &pending{word: what, name: name, line: line}
	d.open = append(d.open, p)
	L.Push(L.NewFunction(func(L *glua.LState) int {
		d, line := in.declaring(L, what)
		t := in.declaredTable(L, what, 1)
		d.complete(p)
		options, err := bind.Plain(in, t)
		if err != nil {
			d.report(remark{msg: fmt.Sprintf("%s %q: %s", what, name, err), word: word, line: line})
			return 0
		}
		list, ok := options.([]event.KV)
		if !ok {
			d.report(remark{msg: fmt.Sprintf("%s %q: every entry has a name", what, name), hint: "as in url = \"tcp://127.0.0.1:7000\"", word: word, line: line})
			return 0
		}
		d.plan.Fixtures = append(d.plan.Fixtures, engine.Fixture{Family: family, Word: word, Name: name, Script: in.prog.path, Line: line, Options: list})
		return 0
	}))
	return 1
}

// pointCall is loop.limit { … }: the verdict of a hook point's name, with arguments.
func (in *instance) pointCall(L *glua.LState) int {
	p, ok := valueOf[*point](L.Get(1))
	if !ok || p.verdict == nil {
		in.raise(L, remark{msg: fmt.Sprintf("%s is a hook point: it is not called", describe(L.Get(1))), hint: "it stands in on = …"})
	}
	top := L.GetTop()
	L.Push(p.verdict)
	L.Replace(1, L.Get(top+1))
	L.Pop(1)
	mt, ok := p.verdict.Metatable.(*glua.LTable)
	if !ok || mt.RawGetString("__call") == glua.LNil {
		in.raise(L, remark{msg: fmt.Sprintf("%s has no arguments", p.name), hint: "as in return " + p.name})
	}
	L.Insert(mt.RawGetString("__call"), 1)
	L.Call(top, 1)
	return 1
}
