package match

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hookd/hookd/engine/diag"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// badMatches are mistakes that authors make, each with the words it earns in
// testdata/errors.golden.
func badMatches() []Node {
	return []Node{
		// Names.
		is("client.prt", Is, 80),
		is("clint.port", Is, 80),
		is("pkt.size", Gt, 80),
		is("client.port.number", Is, 80),
		is("tag", Is, "lossy"),
		is("pkt.has", Is, "psh"),
		is("nothing_like_it", Is, 1),
		is("client", Is, "10.0.0.1"),
		is("data", Is, 1),
		is("data.storms", Gt, 1),
		is("", Is, 1),
		{Path: []string{"client"}, Any: []Node{is("ip", Is, "10.0.0.1"), is("sport", Is, 80)}},
		// Numbers.
		is("client.port", Is, "80"),
		is("client.port", Is, "http"),
		is("client.port", Is, 65536),
		is("client.port", Is, 80, -1),
		is("client.port", Is, 80.5),
		is("client.port", Is, true),
		is("client.port", Is, math.NaN()),
		is("client.port", Is, nil),
		is("client.port", IsNot, 70000),
		is("client.port", Gt, 65535),
		is("client.port", Lt, 0),
		is("client.port", Ge, "1024"),
		is("client.port", Gt, 1, 2),
		is("client.port", Range, 80),
		is("client.port", Range, 90, 80),
		is("client.port", Range, 70000, 80000),
		is("client.port", Range, 80.2, 80.8),
		is("client.port", Prefix, "80"),
		is("client.port", CIDR, "10.0.0.0/8"),
		is("client.port", Is),
		is("client.port", IsNot),
		is("client.port", Is, addrs{}),
		is("client.port", Op(99), 1),
		is("client.bytes", Is, math.Inf(1)),
		is("pkt.ttl", Is, 256),
		is("duration", Gt, "10x"),
		is("started", Gt, "yesterday"),
		// Addresses.
		is("client.ip", Is, "10.0.0"),
		is("client.ip", Is, "example.org"),
		is("client.ip", Is, 10),
		is("client.ip", Is, "10.0.0.1:80"),
		is("client.ip", Is, "10.0.0.1/8"),
		is("client.ip", CIDR, "10.0.0.0/33"),
		is("client.ip", CIDR, "fe80::1%eth0"),
		is("client.ip", Prefix, "10."),
		is("client.ip", Gt, "10.0.0.1"),
		is("client.ip", Range, "10.0.0.9", "10.0.0.1"),
		is("client.ip", Range, "10.0.0.9", "::1"),
		is("client.ip", Range, "10.0.0.0/8", "11.0.0.0/8"),
		is("client.ip", Is, words{}),
		is("client.endpoint", Is, "10.0.0.1"),
		is("client.endpoint", Is, "10.0.0.0/8"),
		is("client.endpoint", Is, "::1:80"),
		is("client.endpoint", Is, addrs{}),
		// Words and text.
		is("kind", Is, "dat"),
		is("kind", Is, "finish"),
		is("kind", Is, 1),
		is("kind", Gt, "data"),
		is("kind", Prefix, "x"),
		is("kind", Is, words{}),
		is("cid", Is, 1),
		is("cid", Is, true),
		is("cid", Gt, 3),
		is("cid", Is, addrs{}),
		is("cid", Prefix, words{}),
		is("cid", Regex, "a(b"),
		is("cid", Regex, `(?P<x>a)\1`),
		is("cid", Regex, strings.Repeat("a", 1001)),
		is("cid", Regex, `[a-z]{1000}[a-z]{1000}[a-z]{1000}`),
		is("cid", Glob, "[a"),
		is("cid", Glob, "[z-a]"),
		is("cid", Glob, `a\`),
		is("cid", Glob, strings.Repeat("a", 1001)),
		is("tags", Is, 1),
		is("pkt.fragment", Is, "true"),
		is("pkt.fragment", Is, "yes"),
		is("pkt.fragment", Is, 1),
		is("pkt.fragment", Gt, true),
		is("pkt.fragment", Present, "yes"),
		is("pkt", Present, true, false),
		// Shapes.
		{Any: []Node{}},
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.rexmit")
	var out strings.Builder
	for _, n := range badMatches() {
		p, err := Compile(&n, info, cat)
		if err == nil || p != nil {
			t.Errorf("%s compiles", Explain(&n))
			continue
		}
		e := AsError(err)
		if e == nil {
			t.Fatalf("%s: %T is no Error", Explain(&n), err)
		}
		shown := Explain(&n)
		if len(shown) > 80 {
			shown = shown[:80] + "..."
		}
		fmt.Fprintf(&out, "%s\n\t%s\n", shown, e.Msg)
		if e.Hint != "" {
			fmt.Fprintf(&out, "\thint: %s\n", e.Hint)
		}
	}
	golden(t, "errors.golden", out.String())
}

// TestErrorsAreCollected makes sure that one compilation tells all mistakes,
// each with its line, and no more than a person reads.
func TestErrorsAreCollected(t *testing.T) {
	t.Parallel()
	info, cat := flow(t, "flow.rexmit")
	bad := func(line int) Node {
		n := is("client.port", Is, "80")
		n.Line = line
		return n
	}
	n := all(bad(3), is("side", Is, "client"), Node{Any: []Node{bad(5), bad(0)}})
	_, err := Compile(n, info, cat)
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("%T is no Errors", err)
	}
	const msg = `match: client.port is a number (0 to 65535): "80" never matches`
	want := diag.List{
		{File: "a.lua", Line: 3, Msg: msg, Hint: "write 80"},
		{File: "a.lua", Line: 5, Msg: msg, Hint: "write 80"},
		{File: "a.lua", Line: 1, Msg: msg, Hint: "write 80"},
	}
	if diff := cmp.Diff(want, errs.Diagnostics("a.lua", 1)); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
	if got, want := err.Error(), `client.port is a number (0 to 65535): "80" never matches; write 80 (and 2 more)`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var many Node
	for i := range 3 * MaxErrors {
		many.All = append(many.All, bad(i+1))
	}
	if _, err := Compile(&many, info, cat); len(err.(Errors)) != MaxErrors {
		t.Errorf("%d mistakes reported, want %d", len(err.(Errors)), MaxErrors)
	}
}

func TestErrorCandidates(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	n := is("sub.wrod", Is, "fin")
	_, err := Compile(&n, info, objs)
	e := AsError(err)
	if e == nil || e.Word != "wrod" || e.Path != "sub.wrod" || e.Hint != "did you mean word?" || len(e.Candidates) != len(thingObject().Fields) {
		t.Errorf("got %+v", e)
	}
	n = is("reason", Is, "fim")
	_, err = Compile(&n, info, objs)
	if diff := cmp.Diff(smallWords(), AsError(err).Candidates); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	n = is("lost.x", Is, 1)
	if _, err = Compile(&n, info, objs); err == nil {
		t.Error("an object without a catalogue row compiles")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	deep := func(n int) *Node {
		node := is("n", Is, 1)
		for range n - 1 {
			node = Node{All: []Node{node}}
		}
		return &node
	}
	wide := func(nodes, values int) *Node {
		var n Node
		for range nodes {
			leaf := is("n", Is)
			for v := range values {
				leaf.Values = append(leaf.Values, Number(float64(v)))
			}
			n.All = append(n.All, leaf)
		}
		return &n
	}
	patterns := func(op Op, n int) *Node {
		leaf := is("text", op)
		for range n {
			leaf.Values = append(leaf.Values, Text("x"))
		}
		return &leaf
	}
	long := is(strings.Repeat("sub.", MaxDepth)+"n", Is, 1)
	for _, tt := range []struct {
		name string
		node *Node
		want string // empty: within the limits
	}{
		{"depth", deep(MaxDepth), ""},
		{"too deep", deep(MaxDepth + 1), "conditions are nested deeper than 16"},
		{"very deep", deep(1_000_000), "conditions are nested deeper than 16"},
		{"path", &long, "conditions are nested deeper than 16"},
		{"nodes", wide(MaxNodes-1, 1), ""},
		{"too many nodes", wide(MaxNodes, 1), "more than 10000 conditions; put what they list into a store"},
		{"values", wide(1, MaxValues), ""},
		{"too many values", wide(2, MaxValues/2+1), "more than 100000 values; put them into a store"},
		{"patterns", patterns(Contains, MaxPatterns), ""},
		{"too many contains", patterns(Contains, MaxPatterns+1), "text is text: is.contains takes at most 256 values, not 257"},
		{"too many globs", patterns(Glob, MaxPatterns+1), "text is text: is.glob takes at most 256 values, not 257"},
		{"too many regexes", patterns(Regex, MaxPatterns+1), "text is text: is.regex takes at most 256 values, not 257"},
		{"many prefixes", patterns(Prefix, MaxPatterns+1), ""},
	} {
		_, err := Compile(tt.node, info, objs)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
