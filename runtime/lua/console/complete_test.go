package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/runtime/lua"
)

func TestComplete(t *testing.T) {
	d := sit(t, "premium.lua", premium+`local blocked = store "blocked" { kind = "set", key = "ip" }`)
	d.do(t, `config = { host = "x", port = 1, ["not a name"] = 2 }`)
	d.do(t, `rule "storm" { on = flow.rexmit, run = function() end }`)
	for _, tt := range []struct{ text, want string }{
		{"flow.conn_s", "conn_start"},
		{"flow.rexmit.", "rcv snd"},
		{"x = config.", "host port"},
		{"config.h", "host"},
		{"string.for", "format"},
		{"json.e", "encode"},
		{"is.pre", "prefix present"},
		{"conf", "config"},
		{"whi", "while"},
		{":wa", "watch"},
		{":in ", "premium.lua"},
		{":watch flow.conn_e", "flow.conn_end"},
		{":doc flow.conn.ta", "flow.conn.tag flow.conn.tagged flow.conn.tags"},
		{`store "bl`, "blocked"},
		{`rule "st`, "storm"},
		{":drop ", "storm"},
		{`rule "x" { on = flow.rexmit, match = { cli`, "client"},
		{`rule "x" { on = flow.rexmit, thre`, "threshold"},
		{`rule "x" { on = flow.rexmit, run = function(c, pkt) return c.client.ip_`, ""},
		{`rule "x" { on = flow.rexmit, run = function(c, pkt) return c.client.i`, "ip isn"},
		{`rule "x" { on = flow.rexmit, run = function(c, pkt) return c:ta`, "tag tagged tags"},
		{`x = "flow.`, ""},
		{"nothing.of.this.", ""},
	} {
		c := d.Complete(tt.text)
		if diff := cmp.Diff(tt.want, strings.Join(c.Words, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
	d.do(t, ":in premium")
	if got := strings.Join(d.Complete("lim").Words, " "); got != "limit" {
		t.Errorf("in the script: %s", got)
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": false, "x": false, "x = 1": false, "f(": true, "{ 1,": true, "x =": true, "1 +": true, "not": true,
		"for i = 1, 2 do": true, "for i = 1, 2 do end": false, "if x then": true, "function f()": true,
		"[[ abc": true, "--[[ abc": true, "'abc": false, "x..": true, "x = 1e": false, ")": false, "end": false,
		"return": false, "rule \"x\" {": true, "a.b:c": true, "repeat": true, "repeat until": true,
	} {
		if got := lua.Incomplete(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// FuzzComplete checks that no text makes completion fail or run anything, and that
// what is offered begins with what is typed.
func FuzzComplete(f *testing.F) {
	for _, s := range []string{"", "flow.", "flow.conn_", "x = {", ":in ", `rule "x" { on = flow.rexmit, run = function(c, p) c.`, "'", "\x00\xff.", "a.b:c.d:", "((((", "[==[", "store 'b"} {
		f.Add(s)
	}
	d := sit(f, "premium.lua", premium)
	f.Fuzz(func(t *testing.T, text string) {
		c := d.Complete(text)
		if c.From < 0 || c.From > len(text) {
			t.Fatalf("from %d of %d", c.From, len(text))
		}
		for _, w := range c.Words {
			if !strings.HasPrefix(w, text[c.From:]) {
				t.Fatalf("%q for %q", w, text[c.From:])
			}
		}
	})
}

// FuzzIncomplete checks that an input which is whole is either compiled or
// refused, and that more lines make an end of one that is not.
func FuzzIncomplete(f *testing.F) {
	for _, s := range []string{"", "x", "f(", "{ 1,", "for i = 1, 2 do", "'abc", "[[", "x = 1e", "x..", "a\nb", "return 1 +", "--", "\xff", "local x <const>"} {
		f.Add(s)
	}
	d := sit(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 || lua.Incomplete(text) {
			return
		}
		var names []string
		d.seatAt(0).enter(func() { names = d.seatAt(0).desk.Names() })
		if input, diags := d.seatAt(0).desk.Compile(text, names); (input == nil) != diags.HasErrors() {
			t.Fatalf("input %v with %v", input != nil, diags)
		}
	})
}
