package lua

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/plain"
)

var scriptKeys = []string{"doc", "tags", "shards", "state_version", "migrate"}

// declareScript is `script { … }`.
func (in *instance) declareScript(L *glua.LState) int {
	d, line := in.declaring(L, "script")
	t := in.declaredTable(L, "script", 1)
	f := d.fields("script", "", line, t, scriptKeys)
	if d.script {
		d.report(remark{msg: "script: said twice", hint: "one script { … } speaks for the whole file", word: "script", line: line})
		return 0
	}
	d.script = true
	d.plan.Script = engine.ScriptDecl{
		Line: line, EachShard: f.oneOf("shards", "each") == "each", Doc: f.str("doc"), Tags: f.strs("tags"),
		StateVersion: int(f.integer("state_version", 1, plain.MaxExact)), Migrate: f.fn("migrate"),
	}
	if f.has("migrate") && !f.has("state_version") {
		f.missing("state_version", "migrate runs when it differs from the version that made the state")
	}
	d.migrator, _ = f.get("migrate").(*glua.LFunction)
	return 0
}

// migrate brings the state to the version that the script declares: where an
// older generation made it, the script's function fills the staged state from a
// frozen copy. What it writes takes effect with the publish.
func (d *declarer) migrate() {
	in, version := d.in, d.plan.Script.StateVersion
	if version == 0 || in.env.State == nil || in.env.Again || d.diags.HasErrors() {
		return
	}
	from := in.env.State.Version()
	if from == version {
		return
	}
	if d.migrator != nil && in.env.State.Table().Len()+in.stateKeys() > 0 {
		old := in.env.State.Clone()
		old.Freeze()
		in.mode = loading
		limits := &in.prog.rt.cfg.Limits
		L := in.vm.BeginWithin(limits.LoadInstructions, "migrate", limits.LoadTime)
		L.Push(d.migrator)
		L.Push(in.recordOf(old.Table()))
		L.Push(glua.LNumber(from))
		err := in.vm.Call(2, 0)
		in.vm.End()
		in.mode = idle
		if err != nil {
			d.diags = append(d.diags, in.diagnostic(err))
			return
		}
	}
	in.env.State.SetVersion(version)
}

// stateKeys counts the keys of the state.
func (in *instance) stateKeys() (n int) {
	for range in.env.State.Table().All() {
		n++
	}
	return n
}
