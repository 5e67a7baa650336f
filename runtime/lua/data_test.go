package lua

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/statedir"
)

// disk is what data files are read from in tests.
type disk map[string]string

func (d disk) read(path string) ([]byte, error) {
	text, ok := d[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return []byte(text), nil
}

// dataHouse is a house with files and, where state is not nil, a state directory.
func dataHouse(t *testing.T, files disk, state *statedir.Dir) *house {
	h := &house{t: t}
	cat := catalogue.New(catalogue.All()...)
	h.Engine = engine.New(engine.Config{Catalogue: cat, Sink: h, ReadFile: files.read, State: state})
	h.Use(New(Config{Catalogue: cat, Functions: h.Functions(), Limits: h.Limits()}))
	t.Cleanup(h.Close)
	return h
}

// TestStoreFile checks that a file fills a store at the publish, that a change
// of the file alone does not touch the script, and that what is wrong with a file
// is told at its line and leaves what is live.
func TestStoreFile(t *testing.T) {
	t.Parallel()
	files := disk{"rules/bad.txt": "# ours\n10.0.0.0/24\n", "rules/names.txt": "10.0.0.17 ours\n"}
	h := dataHouse(t, files, nil)
	scripts := tree{"rules/a.lua": `
local bad = store "bad" { kind = "set", key = "cidr", file = "bad.txt" }
local names = store "names" { kind = "map", key = "ip", file = "names.txt" }
local runs = 0
rule "a" { on = flow.conn_start, match = { client = { ip = bad } }, run = function(c)
  runs = runs + 1
  print(runs, #bad, names:get(c.client.ip), bad:add "192.0.2.1")
end }`}
	if _, diags := h.apply(scripts); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	refusal := "nil\tstore \"bad\": it holds what is in rules/bad.txt, and nothing else; put what scripts add into a store of its own"
	check := func(step, want string) {
		t.Helper()
		h.start(newConn(17))
		if diff := cmp.Diff(want, h.take()); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}
	check("first", "1\t1\tours\t"+refusal+"\n")
	files["rules/bad.txt"] = "10.0.0.17\n10.9.0.0/16\n"
	check("changed, not reloaded", "2\t1\tours\t"+refusal+"\n")
	gen, diags := h.apply(scripts)
	if len(diags) > 0 || len(gen.Changed) != 0 {
		t.Fatalf("changed %v\n%s", gen.Changed, rendered(diags))
	}
	check("reloaded", "3\t2\tours\t"+refusal+"\n")
	files["rules/bad.txt"] = "10.0.0.0/8\n\n10.0.0.0/99\nnonsense\n"
	files["rules/names.txt"] = "10.0.0.17 theirs\n"
	_, diags = h.apply(scripts)
	want := `rules/bad.txt:3: error: "10.0.0.0/99" is no cidr key (a prefix like "10.0.0.0/8" or an address): prefix length out of range
  10.0.0.0/99
  hint: it fills store "bad" of rules/a.lua
rules/bad.txt:4: error: "nonsense" is no cidr key (a prefix like "10.0.0.0/8" or an address): unable to parse IP
  nonsense
  hint: it fills store "bad" of rules/a.lua
`
	if diff := cmp.Diff(want, rendered(diags)); diff != "" {
		t.Error(diff)
	}
	check("refused", "4\t2\tours\t"+refusal+"\n")
	files["rules/bad.txt"] = "10.0.0.0/8"
	if _, diags = h.apply(scripts); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	check("mended", "5\t1\ttheirs\t"+refusal+"\n")
	delete(files, "rules/names.txt")
	if _, diags = h.apply(scripts); !strings.Contains(rendered(diags), `rules/a.lua: error: store "names": rules/names.txt: file does not exist`) {
		t.Error(rendered(diags))
	}
}

func TestDataErrors(t *testing.T) {
	t.Parallel()
	files := disk{"rules/bad.json": "{\n \"a\": 1,\n \"b\": tru\n}", "rules/scalar.json": "7", "up.txt": "", "rules/deep.json": strings.Repeat("[", 40) + strings.Repeat("]", 40)}
	for _, tt := range []struct{ src, want string }{
		{`store "s" { kind = "set", file = "none.txt" }`, "rules/a.lua:1:27: error: store \"s\": file: rules/none.txt: file does not exist"},
		{`store "s" { kind = "set", file = "../up.txt" }`, "file: ../up.txt is outside of rules, the folder of the scripts"},
		{`store "s" { kind = "set", file = "/etc/passwd" }`, "file: a data file is named relative to the script, with forward slashes, not \"/etc/passwd\""},
		{`store "s" { kind = "set", file = "bad.json", ttl = "1s" }`, "file and ttl: what a file holds does not expire"},
		{`local d = data "bad.json"`, "rules/bad.json:3: error: invalid character '\\n' in literal true (expecting 'e')"},
		{`local d = data "scalar.json"`, "rules/scalar.json:1: error: the outermost value is not an object or an array"},
		{`local d = data "deep.json"`, "rules/deep.json:1: error: deep.json: tables nest at most 32 deep"},
		{`local d = data "none.json"`, "rules/a.lua:1:11: error: data: rules/none.json: file does not exist"},
		{`local d = data "../x/../up.txt"`, "is outside of rules"},
		{`local d = data(7)`, "data takes the name of a file, not a number"},
		{`local d = data ""`, "a data file has a name"},
	} {
		h := dataHouse(t, files, nil)
		_, diags := h.Apply([]engine.Source{{Path: "rules/a.lua", Text: []byte(tt.src), Root: "rules"}})
		if got := rendered(diags); !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.src, got, tt.want)
		}
	}
	h := newHouse(t, engine.Limits{})
	if got := rendered(h.load(`local d = data "x.json"`)); !strings.Contains(got, "data files are not read here") {
		t.Error(got)
	}
}

// TestData reads JSON as a record, from scripts, modules and folders below, and
// stages a script again when its data changed.
func TestData(t *testing.T) {
	t.Parallel()
	files := disk{"plan.json": `{"hosts":[{"ip":"10.0.0.17","name":"a"},null,{"name":"c"}],"$on":true}`, "lib/ports.json": `{"80":"http"}`, "sub/own.json": `[1,2]`}
	h := dataHouse(t, files, nil)
	scripts := tree{
		"a.lua": `
local plan = data "plan.json"
local ports = require "ports"
local n = 0
rule "a" { on = flow.conn_start, run = function(c)
  n = n + 1
  local names = {}
  for i, host in pairs(plan.hosts) do names[#names + 1] = i .. host.name end
  print(n, table.concat(names, " "), #plan.hosts, plan["$on"], ports.name(80), json.encode(plan.hosts[3]))
  plan.x = 1
end }
rule "b" { on = flow.conn_start, run = function() data "plan.json" end }`,
		"lib/ports.lua": `local names = data "ports.json" return { name = function(port) return names[tostring(port)] end }`,
		"sub/b.lua":     `local own, plan = data "own.json", data "own.json" rule "c" { on = flow.conn_start, run = function() print("c", #own, own == plan, own[2]) end }`,
	}
	if _, diags := h.apply(scripts); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	h.start(newConn(17))
	want := `1	1a 3c	3	true	http	{"name":"c"}
error a.lua:10: plan.json is read-only
error a.lua:12: data in a handler: read it at the top level
c	2	true	2
`
	if diff := cmp.Diff(want, h.take()); diff != "" {
		t.Error(diff)
	}
	files["lib/ports.json"] = `{"80":"web"}`
	gen, diags := h.apply(scripts)
	if len(diags) > 0 || fmt.Sprint(gen.Changed) != "[a.lua]" {
		t.Fatalf("changed %v\n%s", gen.Changed, rendered(diags))
	}
	h.start(newConn(17))
	if got := h.take(); !strings.HasPrefix(got, "1\t1a 3c\t3\ttrue\tweb\t") {
		t.Error(got)
	}
	files["plan.json"] = "{"
	if _, diags := h.apply(scripts); !strings.Contains(rendered(diags), "plan.json:1: error: unexpected EOF") {
		t.Error(rendered(diags))
	}
}

// TestPersist carries stores over to another process, and over a generation
// without them.
func TestPersist(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	const src = `
local seen = store "seen/it" { kind = "counter", key = "ip", ttl = "10s", persist = true }
local notes = store "notes" { kind = "map", persist = true }
local not_kept = store "not kept" { kind = "set" }
rule "a" { on = flow.conn_start, run = function(c)
  local old = notes:get "last"
  print(seen:incr(c.client.ip), old and old.at, #not_kept)
  notes:put("last", { at = this.ts })
  not_kept:add "x"
end }`
	process := func(run func(h *house)) {
		t.Helper()
		dir, err := statedir.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		h := dataHouse(t, nil, dir)
		run(h)
		if err := h.SaveState(); err != nil {
			t.Fatal(err)
		}
	}
	load := func(h *house, src string) string {
		t.Helper()
		_, diags := h.apply(tree{"a.lua": src})
		if diags.HasErrors() {
			t.Fatal(rendered(diags))
		}
		return rendered(diags)
	}
	one := func(h *house, want string) {
		t.Helper()
		h.start(newConn(17))
		if diff := cmp.Diff(want, h.take()); diff != "" {
			t.Error(diff)
		}
	}
	process(func(h *house) {
		load(h, src)
		h.Start(1000e9)
		one(h, "1\tnil\t0\n")
		one(h, "2\t1000\t1\n")
	})
	process(func(h *house) {
		load(h, src)
		h.Start(1005e9)
		one(h, "3\t1000\t0\n")
		// Gone for a generation, and another, it comes back with what it had.
		load(h, "local x = 1")
		load(h, "local x = 2")
		load(h, src)
		one(h, "4\t1005\t0\n")
	})
	process(func(h *house) {
		load(h, src)
		h.Start(1011e9) // the counter's time was over at 1010
		one(h, "1\t1005\t0\n")
	})
	// What cannot be read is a warning, and is kept for a person to see.
	damaged := ""
	process(func(h *house) {
		dir, _ := statedir.Open(path)
		damaged = dir.Path("notes")
		if err := os.WriteFile(damaged, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := load(h, src); !strings.Contains(got, "warning: store \"notes\": ") || !strings.Contains(got, "line 1: invalid character") {
			t.Errorf("warnings: %s", got)
		}
		h.Start(1012e9)
		one(h, "2\tnil\t0\n")
	})
	process(func(h *house) {
		if got := load(h, src); got != "" {
			t.Errorf("warnings: %s", got)
		}
		h.Start(1013e9)
		one(h, "3\t1012\t0\n")
	})
	aside, err := os.ReadFile(damaged + statedir.Damaged)
	if err != nil || string(aside) != "garbage" {
		t.Errorf("set aside: %q, %v", aside, err)
	}
}
