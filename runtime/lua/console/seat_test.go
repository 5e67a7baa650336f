package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/runtime/lua"
)

// sitAmong is [sit] where there are several shards, driven apart.
func sitAmong(t *testing.T, shards int, scripts ...string) *desk {
	t.Helper()
	cat := catalogue.New(catalogue.All()...)
	e := engine.New(engine.Config{Catalogue: cat, Shards: shards, Drive: event.Apart})
	e.Use(lua.New(lua.Config{Catalogue: cat, Functions: e.Functions(), Limits: e.Limits()}))
	t.Cleanup(e.Close)
	load(t, e, scripts...)
	e.Start(1000e9)
	d := &desk{engine: e}
	s, err := New(Config{Engine: e, Notes: d.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := e.Rules(); len(left) != len(scripts)/2 {
			t.Errorf("rules that are left: %+v", left)
		}
	})
	d.Session = s
	return d
}

// TestPlaces evaluates in one shard, in another, in all.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const script = `script { shards = "each" } local n = 0
		rule "count" { on = flow.block_start, run = function() n = n + 1 end }`
	d := sitAmong(t, 3, "count.lua", script)
	block := func(shard int) {
		s := d.engine.Shard(shard)
		s.Enter()
		flowev.OnBlockStart.Emit(s, &flowev.BlockStart{Prefix: "10.0.0.1"})
		s.Leave()
	}
	block(1)
	block(1)
	block(2)
	for _, step := range [][2]string{
		{":in count", "count.lua has n"},
		{"n", "0"},
		{"@1 n", "2"},
		{"@all n, 'x'", "@0  0\n    \"x\"\n@1  2\n    \"x\"\n@2  1\n    \"x\""},
		{"@2 n = 7", "changed until count.lua is reloaded: n"},
		{"@all n", "@0  0\n@1  2\n@2  7"},
		{":in", ""},
		{"@all x = 0", ""},
		{"@1 x = 5", ""},
		{"@all x", "@0  0\n@1  5\n@2  0"},
		{"@3 1", "@3: @0 to @2 or @all expected"},
		{"@none 1", "@none: @0 to @2 or @all expected"},
		{"@all :help", "@all stands before Lua"},
		{"@1", ""},
		{"x + 1", "6"},
		{"@0", ""},
		{"x", "0"},
		{"@all 1 +", ""},
	} {
		r := d.Do(t.Context(), step[0])
		if step[0] == "@all 1 +" {
			if !r.Failed || strings.Count(r.Text, "error") != 3 {
				t.Errorf("%s: %+v", step[0], r)
			}
			continue
		}
		if r.Text != step[1] || r.Failed != strings.Contains(step[1], "expected") && r.Failed != strings.Contains(step[1], "stands") {
			t.Errorf("%s:\n%s\nwant\n%s", step[0], r.Text, step[1])
		}
	}
	if got := Lua(" @all 1 +"); got != " 1 +" {
		t.Errorf("%q", got)
	}
}

// TestRulesInPlaces declares rules on one shard and on all, over a reload.
func TestRulesInPlaces(t *testing.T) {
	t.Parallel()
	const script = `rule "r" { on = flow.block_end, run = function() end }`
	d := sitAmong(t, 2, "a.lua", script)
	do := func(input string) {
		t.Helper()
		if r := d.Do(t.Context(), input); r.Failed {
			t.Fatalf("%s: %s", input, r.Text)
		}
	}
	do(`@1 rule "one" { on = flow.block_start, run = function() print "one" end }`)
	do(`store "seen" { kind = "set", key = "string" }`)
	do(`@all seen = store "seen"`)
	do(`@all rule "all" { on = flow.block_start, run = function() print "all" seen:add(this.prefix) end }`)
	do(`@all timer "t" { every = "1s", run = function() end }`)
	d.notes()
	block := func(want string) {
		t.Helper()
		for i := range 2 {
			s := d.engine.Shard(i)
			s.Enter()
			flowev.OnBlockStart.Emit(s, &flowev.BlockStart{Prefix: strings.Repeat("x", i+1)})
			s.Leave()
		}
		if diff := cmp.Diff(want, d.notes()); diff != "" {
			t.Error(diff)
		}
	}
	block("all\none\nall")
	load(t, d.engine, "a.lua", script+" -- 2")
	block("all\none\nall")
	if r := d.Do(t.Context(), "seen:size()"); r.Text != "2" {
		t.Errorf("%+v", r)
	}
	var names []string
	for _, r := range d.engine.Rules() {
		names = append(names, r.Script+" "+r.Name)
		if r.Name == "all" && r.Matched != 4 {
			t.Errorf("%+v", r)
		}
	}
	if diff := cmp.Diff([]string{"a.lua r", "console all", "console one"}, names); diff != "" {
		t.Error(diff)
	}
	do(":drop all")
	block("one")
	do(":drop one")
	do(":drop t")
	block("")
}
