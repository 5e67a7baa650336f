package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/inspect"
	"github.com/hookd/hookd/stacks/flow"
)

// TestTables compares what people see with testdata/tables; HOOKD_UPDATE writes it
// anew. Whatever is in a table, its lines have 80 columns at most and no control
// characters.
func TestTables(t *testing.T) {
	t.Parallel()
	left := 90.0
	v6 := "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"
	rules := []inspect.Rule{
		{Script: "scripts/a.lua", Name: "premium-number", Enabled: true, Seen: 12, Matched: 3, Decided: 3},
		{Script: "scripts/a-folder-of-many/with-a-long-name.lua", Name: "a rule with a name that is long, too", Seen: 99_999, Matched: 100_000, Decided: 1_234_567, Errors: 98_765_432_109, Suspended: true},
		{Script: "b.lua", Name: "evil\x1b[2J\n", Off: "hand"},
		{Script: "b.lua", Name: "backup", Handler: true},
	}
	var b bytes.Buffer
	show := func(title string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("-- " + title + "\n")
	}
	show("rules", writeRuleTable(&b, &inspect.RulesAnswer{Rules: rules}, tableWidth))
	show("conns", writeConns(&b, &flow.Survey{Conns: []flow.Summary{
		{
			Conn: 17, Proto: "tcp", Client: flow.SummaryPeer{Endpoint: "10.0.0.1:40000", State: "established", Bytes: 70},
			Server: flow.SummaryPeer{Endpoint: "10.0.0.2:5060", State: "established", Bytes: 123456}, Age: 3.25, Tags: []string{"lossy", "web"},
		},
		{
			Conn: 12345678, Proto: "icmp6", Client: flow.SummaryPeer{Endpoint: v6, Bytes: 1 << 40}, Server: flow.SummaryPeer{Endpoint: v6},
			Age: 400_000, Tags: []string{strings.Repeat("x", 64), "\x1b]0;owned\a"},
		},
		{Conn: 3, Proto: "tcp", Client: flow.SummaryPeer{Endpoint: v6, State: "fin_wait_1"}, Server: flow.SummaryPeer{Endpoint: v6, State: "close_wait"}, Age: 125},
	}}, tableWidth))
	show("stores", writeStores(&b, &inspect.StoresAnswer{Stores: []inspect.Store{
		{Name: "blocked", Kind: "set", Key: "ip", Entries: 5, Max: 100_000, TTL: 600, Scripts: []string{"scripts/a.lua", "scripts/b.lua"}},
		{Name: strings.Repeat("long", 30), Kind: "counter", Key: "endpoint", Entries: 99_999, Max: 1_000_000, Refused: 7, Scripts: []string{"x.lua"}},
	}}, tableWidth))
	show("store", writeStore(&b, &inspect.StoreAnswer{Items: []inspect.Item{
		{Key: "10.0.0.1", TTL: &left}, {Key: "key\twith\x00more", Value: []byte(`{"n":1,"text":"` + strings.Repeat("y", 100) + `"}`)},
	}}, tableWidth))
	show("blocks", writeBlocks(&b, &flow.BlockList{Blocks: []flow.BlockRow{
		{Prefix: "203.0.113.9", Script: "scripts/a.lua", Rule: "block", Reason: "scans", Age: 1, TTL: &left, Pkts: 12},
		{Prefix: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:0/112", Reason: strings.Repeat("because ", 30), Age: 90_000, Observe: true},
	}}, tableWidth))
	show("top", writeTop(&b, &inspect.TopAnswer{Rules: []inspect.TopRule{
		{Rule: rules[0], CPU: 0.123, SeenRate: 123_456, MatchedRate: 0.25, Mean: 12.5e-6},
		{Rule: rules[1], SeenRate: 5, ErrorRate: 1e7, Mean: 0.0125},
	}}, 20, tableWidth))
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > tableWidth || strings.ContainsAny(line, "\x1b\a\x00\t\r") {
			t.Errorf("%q", line)
		}
	}
	golden := filepath.Join("testdata", "tables.golden")
	if os.Getenv("HOOKD_UPDATE") != "" {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestTraceText checks what a person sees of a record.
func TestTraceText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, want string }{
		{
			`{"v":1,"ts":1500000000.000123456,"event":"flow.conn_end","gen":3,"conn":17,"cid":"1:x","client":"10.0.0.1:5060","tags":["a","b"],"reason":"","note":"two words","bad":"\u001b[2J","none":null}`,
			`02:40:00.000123 flow.conn_end conn=17 client=10.0.0.1:5060 tags=["a","b"] reason="" note="two words" bad="\x1b[2J" none=null` + "\n",
		},
		{`{"v":1,"ts":0.000000000,"event":"flow.pkt_in","phase":"rcv"}`, "00:00:00.000000 flow.pkt_in.rcv\n"},
		{`{"event":"x","ts":"soon"}`, "soon x\n"},
	} {
		if diff := cmp.Diff(tt.want, string(appendTraceText(nil, []byte(tt.line), false))); diff != "" {
			t.Error(diff)
		}
	}
}

// TestTopInPlace checks that a terminal gets one table over the other, and that a
// pipe gets them behind each other.
func TestTopInPlace(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{true, false} {
		var b bytes.Buffer
		p := &topPrinter{out: &b, limit: 5, inPlace: inPlace}
		line := []byte(`{"v":1,"time":"` + time.Unix(0, 0).UTC().Format(time.RFC3339) + `","rules":[]}`)
		if !p.line(line) || !p.line([]byte(`{"dropped":3}`)) || !p.line(line) || p.result() != nil {
			t.Error(p.result())
		}
		if got := strings.Count(b.String(), "00:00:00  generation 0"); got != 2 {
			t.Errorf("%d tables", got)
		}
		if got := strings.Count(b.String(), "\x1b[H"); inPlace != (got == 2) || !inPlace && strings.Contains(b.String(), "\x1b") {
			t.Errorf("%q", b.String())
		}
		if p.line([]byte("{")) || p.result() == nil {
			t.Error("an answer that is none is taken")
		}
	}
}
