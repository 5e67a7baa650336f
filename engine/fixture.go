package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// Fixture is what a script declares that a stack keeps up, whatever rules do: a
// listener.
type Fixture struct {
	Family string // "loop"
	Word   string // "listen"
	Name   string
	Script string
	Line   int
	// Options are plain data, in any order.
	Options []event.KV
}

// Fixtures keeps up those of one family. A stack has it; cmd wires it.
type Fixtures interface {
	// Prepare does what can fail of making list the fixtures that there are, while
	// those of now go on, and nothing else. Each error is about the fixture of its
	// place; with one, nothing changed and the change is nil. The caller has entered
	// no shard.
	Prepare(list []Fixture) (FixtureChange, []error)
}

// FixtureChange is prepared. One of its methods is called, once.
type FixtureChange interface {
	// Commit is called when the generation that declares them is live.
	Commit()
	// Abort undoes what Prepare did.
	Abort()
}

// fixtures prepares what the scripts declare, all or none.
func (st *Staged) fixtures() diag.List {
	lists, diags := st.declaredFixtures()
	if diags.HasErrors() {
		return diags
	}
	for _, family := range slices.Sorted(maps.Keys(st.engine.cfg.Fixtures)) {
		list := lists[family]
		change, errs := st.engine.cfg.Fixtures[family].Prepare(list)
		if change != nil {
			st.changes = append(st.changes, change)
		}
		for i, err := range errs {
			if err != nil {
				diags = append(diags, st.aboutFixture(&list[i], err.Error()))
			}
		}
	}
	return diags
}

// declaredFixtures collects them by family, in the order of scripts and lines.
func (st *Staged) declaredFixtures() (map[string][]Fixture, diag.List) {
	var diags diag.List
	lists := map[string][]Fixture{}
	type key struct{ family, name string }
	seen := map[key]*Fixture{}
	for _, sc := range st.gen.order {
		for _, f := range sc.plan.Fixtures {
			k := key{f.Family, f.Name}
			if first := seen[k]; first != nil {
				diags = append(diags, st.aboutFixture(&f, fmt.Sprintf("it is declared twice, first at %s:%d", first.Script, first.Line)))
				continue
			}
			seen[k] = &f
			lists[f.Family] = append(lists[f.Family], f)
		}
	}
	return lists, diags
}

func (st *Staged) aboutFixture(f *Fixture, what string) *diag.Diagnostic {
	d := &diag.Diagnostic{File: f.Script, Line: f.Line, Msg: fmt.Sprintf("%s.%s %q: %s", f.Family, f.Word, f.Name, what)}
	if sc := st.gen.scripts[f.Script]; sc != nil {
		d.Col, d.Source = diag.Locate(sc.text, f.Line, "")
	}
	return d
}
