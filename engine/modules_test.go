package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFindModule checks who finds which module of a name.
func TestFindModule(t *testing.T) {
	t.Parallel()
	m, diags := newModules([]Source{
		{Path: "lib/net.lua", Module: "net", Base: "."},
		{Path: "rules/lib/net.lua", Module: "net", Base: "rules"},
		{Path: "rules/lib/a.lua", Module: "a", Base: "rules/"},
		{Path: "/etc/hookd/lib/net.lua", Module: "net", Base: "/etc/hookd"},
		{Path: "../lib/up.lua", Module: "up", Base: ".."},
	}, nil)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, tt := range []struct{ from, name, want string }{
		{"main.lua", "net", "lib/net.lua"},
		{"other/x/y.lua", "net", "lib/net.lua"},
		{"rules/x.lua", "net", "rules/lib/net.lua"},
		{"rules/sub/deep/x.lua", "net", "rules/lib/net.lua"},
		{"rules/lib/a.lua", "net", "rules/lib/net.lua"},
		{"rules/sub/x.lua", "a", "rules/lib/a.lua"},
		{"main.lua", "a", ""},
		{"rules2/x.lua", "a", ""},
		{"/etc/hookd/x.lua", "net", "/etc/hookd/lib/net.lua"},
		{"/etc/hookd/conf.d/x.lua", "net", "/etc/hookd/lib/net.lua"},
		{"/etc/x.lua", "net", ""},
		{"../x.lua", "up", "../lib/up.lua"},
		{"../other/x.lua", "up", "../lib/up.lua"},
		{"../x.lua", "net", ""},
		{"x.lua", "up", ""},
	} {
		got := ""
		if mod := m.Find(tt.from, tt.name); mod != nil {
			got = mod.Path
		}
		if got != tt.want {
			t.Errorf("%s requires %s: %q, want %q", tt.from, tt.name, got, tt.want)
		}
	}
	if diff := cmp.Diff([]string{"a", "net"}, m.Names("rules/x.lua")); diff != "" {
		t.Error(diff)
	}
	var none *Modules
	if none.Find("a.lua", "x") != nil || none.Names("a.lua") != nil {
		t.Error("no modules at all, and one was found")
	}
}

// TestShippedModules finds a shipped module from anywhere, behind nearer ones, and only where it is
// named.
func TestShippedModules(t *testing.T) {
	t.Parallel()
	shipped := []Source{
		{Path: "mos.lua", Module: "mos", Text: []byte(`local b = require "base64x" return {}`)},
		{Path: "base64x.lua", Module: "base64x", Text: []byte("return {}")},
		{Path: "unused.lua", Module: "unused", Text: []byte("return {}")},
	}
	scripts := []Source{{Path: "/a/b/main.lua", Text: []byte(`local m = require "mos"`)}}
	list := shippedFor(scripts, shipped)
	if len(list) != 2 || list[0].Module != "mos" || list[1].Module != "base64x" {
		t.Fatalf("%v", list)
	}
	near := Source{Path: "/c/lib/mos.lua", Base: "/c", Module: "mos", Text: []byte("return 1")}
	m, diags := newModules(append(list, near), nil)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for from, want := range map[string]string{"/a/b/main.lua": "mos.lua", "main.lua": "mos.lua", "../x/main.lua": "mos.lua", "/c/main.lua": "/c/lib/mos.lua", "/c/d/e.lua": "/c/lib/mos.lua"} {
		if got := m.Find(from, "mos"); got == nil || got.Path != want {
			t.Errorf("%s finds %v, want %s", from, got, want)
		}
	}
	if len(shippedFor([]Source{{Text: []byte("rule")}}, shipped)) != 0 {
		t.Error("what nobody names is loaded")
	}
	if names := m.Names("/a/main.lua"); len(names) != 2 {
		t.Error(names)
	}
}
