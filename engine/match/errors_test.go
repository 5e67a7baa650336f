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
		is("client.prt", Eq, 80),
		is("clint.port", Eq, 80),
		is("pkt.size", Gt, 80),
		is("client.port.number", Eq, 80),
		is("tag", Eq, "lossy"),
		is("pkt.has", Eq, "psh"),
		is("nothing_like_it", Eq, 1),
		is("client", Eq, "10.0.0.1"),
		is("data", Eq, 1),
		is("data.storms", Gt, 1),
		is("", Eq, 1),
		{Path: []string{"client"}, Any: []Node{is("ip", Eq, "10.0.0.1"), is("sport", Eq, 80)}},
		// Numbers.
		is("client.port", Eq, "80"),
		is("client.port", Eq, "http"),
		is("client.port", Eq, 65536),
		is("client.port", Eq, 80, -1),
		is("client.port", Eq, 80.5),
		is("client.port", Eq, true),
		is("client.port", Eq, math.NaN()),
		is("client.port", Eq, nil),
		is("client.port", Ne, 70000),
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
		is("client.port", Eq),
		is("client.port", Ne),
		is("client.port", Eq, addrs{}),
		is("client.port", Op(99), 1),
		is("client.bytes", Eq, math.Inf(1)),
		is("pkt.ttl", Eq, 256),
		is("duration", Gt, "10x"),
		is("started", Gt, "yesterday"),
		// Addresses.
		is("client.ip", Eq, "10.0.0"),
		is("client.ip", Eq, "example.org"),
		is("client.ip", Eq, 10),
		is("client.ip", Eq, "10.0.0.1:80"),
		is("client.ip", Eq, "10.0.0.1/8"),
		is("client.ip", CIDR, "10.0.0.0/33"),
		is("client.ip", CIDR, "fe80::1%eth0"),
		is("client.ip", Prefix, "10."),
		is("client.ip", Gt, "10.0.0.1"),
		is("client.ip", Range, "10.0.0.9", "10.0.0.1"),
		is("client.ip", Range, "10.0.0.9", "::1"),
		is("client.ip", Range, "10.0.0.0/8", "11.0.0.0/8"),
		is("client.ip", Eq, words{}),
		is("client.ip", Eq, scalars{}),
		is("client.ip", Eq, numbers{}, true),
		is("client.endpoint", Eq, "10.0.0.1"),
		is("client.endpoint", Eq, "10.0.0.0/8"),
		is("client.endpoint", Eq, "::1:80"),
		is("client.endpoint", Eq, addrs{}),
		// Words and text.
		is("kind", Eq, "dat"),
		is("kind", Eq, "finish"),
		is("kind", Eq, 1),
		is("kind", Gt, "data"),
		is("kind", Prefix, "x"),
		is("kind", Eq, words{}),
		is("cid", Eq, 1),
		is("cid", Eq, true),
		is("cid", Gt, 3),
		is("cid", Eq, addrs{}),
		is("cid", Prefix, words{}),
		is("cid", Regex, "a(b"),
		is("cid", Regex, `(?P<x>a)\1`),
		is("cid", Regex, strings.Repeat("a", 1001)),
		is("cid", Regex, `[a-z]{1000}[a-z]{1000}[a-z]{1000}`),
		is("cid", Glob, "[a"),
		is("cid", Glob, "[z-a]"),
		is("cid", Glob, `a\`),
		is("cid", Glob, strings.Repeat("a", 1001)),
		is("tags", Eq, 1),
		is("pkt.fragment", Eq, "true"),
		is("pkt.fragment", Eq, "yes"),
		is("pkt.fragment", Eq, 1),
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
		n := is("client.port", Eq, "80")
		n.Line = line
		return n
	}
	n := all(bad(3), is("side", Eq, "client"), Node{Any: []Node{bad(5), bad(0)}})
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
	n := is("sub.wrod", Eq, "fin")
	_, err := Compile(&n, info, objs)
	e := AsError(err)
	if e == nil || e.Word != "wrod" || e.Path != "sub.wrod" || e.Hint != "did you mean word?" || len(e.Candidates) != len(thingObject().Fields) {
		t.Errorf("got %+v", e)
	}
	n = is("reason", Eq, "fim")
	_, err = Compile(&n, info, objs)
	if diff := cmp.Diff(smallWords(), AsError(err).Candidates); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	n = is("lost.x", Eq, 1)
	if _, err = Compile(&n, info, objs); err == nil {
		t.Error("an object without a catalogue row compiles")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	info, objs := sampleInfo(), objects{thingObject()}
	deep := func(n int) *Node {
		node := is("n", Eq, 1)
		for range n - 1 {
			node = Node{All: []Node{node}}
		}
		return &node
	}
	wide := func(nodes, values int) *Node {
		var n Node
		for range nodes {
			leaf := is("n", Eq)
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
	long := is(strings.Repeat("sub.", MaxDepth)+"n", Eq, 1)
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
