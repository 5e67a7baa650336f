package analyse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/runtime/lua/source"
)

// TestPerShard checks what is said to be every shard's own: names and lines.
func TestPerShard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      []string // line: name
	}{
		{"a global", `rule "a" { run = function() n = 1 end }`, []string{"1: global n"}},
		{"a global function", "function f() end\nfunction g() f = nil end", []string{"2: global f"}},
		{"a local of the file", "local n = 0\nrule \"a\" { run = function() n = n + 1 end }", []string{"2: local n"}},
		{"through two functions", "local n = 0\nlocal function up() n = n + 1 end\nrule \"a\" { run = function() up() end }", []string{"2: local n"}},
		{"its own local", "rule \"a\" { run = function() local n = 0 n = n + 1 end }", nil},
		{"a local of the call", "rule \"a\" { run = function() local n = 0 each(function() n = n + 1 end) end }", nil},
		{"of a helper's call", "local function count(l) local n = 0 each(l, function() n = n + 1 end) return n end\nrule \"a\" { run = function(c) return count(c) end }", nil},
		{"of a call while it loads", "local function counter() local n = 0\nreturn function() n = n + 1 end end\nrule \"a\" { run = counter() }", []string{"2: local n"}},
		{"only while it loads", "local n = 0\nlocal function add(x) n = n + x seen = x end\nadd(1) add(2)", nil},
		{"while it loads and later", "local n = 0\nlocal function add(x) n = n + x end\nadd(1)\nrule \"a\" { run = function() add(1) end }", []string{"2: local n"}},
		{"kept for later", "local n = 0\nlocal function add(x) n = n + x end\nadd(1)\nrule \"a\" { run = add }", []string{"2: local n"}},
		{"called where it stands", "local n = 0\n(function() n = 1 end)()", nil},
		{"at the top level", "local n = 0\nn = 1\nfor i = 1, 3 do n = n + i m = i end", nil},
		{"a parameter", `rule "a" { run = function(c) c = nil end }`, nil},
		{"a loop's name", `rule "a" { run = function(c) for i, v in pairs(c) do i = v end end }`, nil},
		{"a shadowed local", "local n = 0\nrule \"a\" { run = function() local n n = 1 end }", nil},
		{"a table", "local seen = {}\nrule \"a\" { run = function(c) seen[c.id] = true end }", []string{"2: table in the local seen"}},
		{"inside a table", "local t = { a = {} }\nrule \"a\" { run = function(c) t.a.b = 1 end }", []string{"2: table in the local t"}},
		{"a global table", "t = {}\nrule \"a\" { run = function(c) t.x = 1 end }", []string{"2: table in the global t"}},
		{"by insert", "local q = {}\nrule \"a\" { run = function(c) table.insert(q, c.id) end }", []string{"2: table in the local q"}},
		{"a table of the call", `rule "a" { run = function(c) local t = {} t.x = 1 table.insert(t, 2) end }`, nil},
		{"state", `rule "a" { run = function(c) state.n = 1 state.t = {} c.data.x = 1 table.insert(state.t, 1) end }`, nil},
		{"state by another name", "local s = state\nrule \"a\" { run = function(c) s.n = 1 end }", nil},
		{"a method's table", "local o = {}\nfunction o:up() self.n = 1 end", nil},
		{"a module", "local M, n = {}, 0\nfunction M.next() n = n + 1 return n end\nreturn M", []string{"2: local n"}},
		{"repeat", "local n\nrule \"a\" { run = function() repeat local n = 1 n = 2 until n end }", nil},
		{"itself", "local function f() f = nil end\nrule \"a\" { run = function() f() end }", []string{"1: local f"}},
		{"one another", "local f, g\nf = function() g() end\ng = function() f() x = 1 end\nf()", []string{"3: global x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chunk, diags := source.Parse("t.lua", []byte(tt.src))
			if chunk == nil {
				t.Fatal(diags)
			}
			var got []string
			for _, d := range PerShard(chunk, []string{"state", "table", "rule", "pairs", "each"}) {
				words := strings.Fields(strings.NewReplacer("a function assigns the ", "", "a function changes the ", "", ",", " ,").Replace(d.Msg))
				what := words[:2]
				if words[0] == "table" {
					what = words[:5]
					what = append(what[:2:2], what[2:]...)
				}
				got = append(got, fmt.Sprintf("%d: %s", d.Line, strings.Join(what, " ")))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
