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
