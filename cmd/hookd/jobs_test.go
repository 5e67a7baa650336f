package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// TestJobs replays captures on several goroutines: the same connections come out as
// on one, in whole lines, in some order and with some numbers.
func TestJobs(t *testing.T) {
	dir := corpora(t)
	for _, name := range []string{"pcap/suricata-verify/output-multi-eve__input.pcap", "pcap/mercury/test__data__top_100_fingerprints.pcap", "pcap/zeek/redis__attr.pcap"} {
		path := filepath.Join(dir, name)
		want := ended(t, path, "--jobs", "1")
		for _, how := range [][]string{{"--jobs", "2"}, {"--jobs", "3", "--shards", "8", "--batch", "1"}} {
			if diff := cmp.Diff(want, ended(t, path, how...)); diff != "" {
				t.Errorf("%s %v (-one +several):\n%s", name, how, diff)
			}
		}
	}
}

// TestJobsCount replays captures with what goes to shards in other ways than a frame does, on several goroutines:
// fragments, what was compressed, several packets in a frame, tunnels, what is no IP or damaged; and a capture that
// cannot be read a second time. All that is counted is what one goroutine counts.
func TestJobsCount(t *testing.T) {
	dir := corpora(t)
	scripts := `rule "read" { on = flow.conn_end, run = function(c) c:tag("has" .. #(c.server.sent:peek() or "")) end }
rule "third" { on = flow.new_data, run = function(c) c.data.n = (c.data.n or 0) + 1; if c.data.n == 3 then c:tag("busy") end end }
rule "busy" { on = flow.conn_end, match = { tags = "busy" }, run = function(c) state:incr("busy") end }`
	type counted struct {
		Stats flow.Stats
		Err   string
		Rules []engine.RuleStatus
	}
	count := func(jobs, shards int, how string, paths ...string) counted {
		drive := event.Together
		if jobs > 1 {
			drive = event.Apart
		}
		opts := engineOptions{shards: shards, drive: drive}
		opts.flow.Decap, opts.flow.Fragments.ReadCut = packet.AllTunnels|packet.SFlow, true
		h := newHouse(opts, false, io.Discard, io.Discard)
		defer h.engine.Close()
		if _, diags := h.engine.Apply([]engine.Source{{Path: "read.lua", Text: []byte(scripts)}}); diags.HasErrors() {
			t.Fatal(diags)
		}
		src, err := openMerged(t.Context(), paths, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		h.jobs, h.batch = jobs, 5
		var from frameSource = src
		if how == "once" {
			from = struct{ frameSource }{src} // it cannot be read again
		}
		c := counted{Rules: h.engine.Rules()}
		c.Stats, err = h.feed(from, newInterrupt(t.Context()))
		c.Stats.Peak = 0 // of the moment
		c.Err, c.Rules = fmt.Sprint(err), h.engine.Rules()
		return c
	}
	for _, names := range [][]string{
		{"zeek/smb__fragment-state-exhaustion.pcap"},
		{"zeek/tunnels__gre-aruba-amsdu.pcap"},
		{"tcpdump/sflow_expanded.pcap"},
		{"libpcap/filter__AH-IPcomp-IPv4.pcap"},
		{"pcapplusplus/frag_http_req.pcap", "pcapplusplus/ip4_fragments.pcap", "zeek/tunnels__gtp__gtp1_gn_normal_incl_fragmentation.pcap"},
		{"zeek/tunnels__vxlan-triple-v2.pcap", "zeek/mpls-in-vlan.pcap", "zeek/vlan-collisions.pcap"},
		{"mercury/test__data__top_100_fingerprints.pcap"},
	} {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, "pcap", name))
		}
		want := count(1, 1, "", paths...)
		for _, tt := range []struct {
			jobs, shards int
			how          string
		}{{2, 2, ""}, {2, 4, ""}, {3, 3, "once"}} {
			if diff := cmp.Diff(want, count(tt.jobs, tt.shards, tt.how, paths...)); diff != "" {
				t.Errorf("%s: %d jobs, %d shards %s (-one +several):\n%s", names[0], tt.jobs, tt.shards, tt.how, diff)
			}
		}
	}
}

// ended lists the connections that ended, without what depends on the order.
func ended(t *testing.T, path string, flags ...string) []string {
	t.Helper()
	var out, logs bytes.Buffer
	if code := run(append([]string{"replay", path, "--print", "flow.*_end", "-q"}, flags...), nil, &out, &logs); code != exitDone {
		t.Fatalf("exit %d: %s", code, &logs)
	}
	var list []string
	for line := range strings.Lines(out.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		delete(r, "conn")
		delete(r, "ts") // of those that end with the capture, when the shard ended
		list = append(list, fmt.Sprint(r))
	}
	slices.Sort(list)
	return list
}

// raced counts what happens in handlers of eight shards, which look at each other's
// connections, while generations come and go.
const raced = `script { doc = "version %d" }
local seen = store "seen" { kind = "counter", key = "string" }
rule "start" { on = flow.conn_start, run = function(c)
  state:incr "conns"
  seen:incr "conns"
  c.data.n = (c.data.n or 0) + math.random(3)
end }
rule "data" { on = flow.new_data, threshold = { count = 5, within = "1s", fire = "each" }, run = function(c, d)
  local list = flow.conns { proto = "tcp" }
  local other = list[1 + c.id %% #list]
  other:tag("seen" .. c.id %% 20)
  other:untag("seen" .. (c.id + 1) %% 20)
  local again = flow.find { client = other.client, server = other.server }
  if again then
    state.last = again.duration + again.client.bytes + #again.tags + (again.data.n or 0)
  end
  log.info(tostring(other), { tags = table.concat(other.tags, ","), at = other.server })
end }
rule "end" { on = flow.conn_end, run = function(c)
  state:incr "ends"
  if c.id %% 100 == 0 then error("for " .. c.id) end
end }
timer "t" { every = "1s", run = function() state:incr "ticks" end }`

// TestPublishWhileTrafficFlows changes the scripts of eight shards again and again
// while packets run through them: no event is lost, and the race detector, where
// it is on, finds nothing.
func TestPublishWhileTrafficFlows(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := corpora(t)
	paths := []string{filepath.Join(dir, "pcap/mercury/test__data__top_100_fingerprints.pcap"), filepath.Join(dir, "pcap/suricata-verify/output-multi-eve__input.pcap")}
	version := 0
	sources := func() []engine.Source {
		version++
		return []engine.Source{{Path: "raced.lua", Text: fmt.Appendf(nil, raced, version)}}
	}
	opts := engineOptions{shards: 8, drive: event.Apart}
	opts.limits.Errors = 1 << 20
	h := newHouse(opts, false, io.Discard, io.Discard)
	defer h.engine.Close()
	if _, diags := h.engine.Apply(sources()); diags.HasErrors() {
		t.Fatal(diags)
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, diags := h.engine.Apply(sources()); diags.HasErrors() {
				t.Errorf("generation %d: %v", version, diag.List(diags))
				return
			}
			h.engine.Stats()
			h.engine.Rules()
		}
	})
	src, err := openMerged(t.Context(), paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	h.jobs, h.batch = 4, 3
	stats, err := h.feed(src, newInterrupt(t.Context()))
	close(done)
	others.Wait()
	if err != nil {
		t.Fatal(err)
	}
	tcp := float64(stats.Conns - stats.UDPFlows - stats.ICMPFlows)
	want := map[string]float64{"conns": tcp, "ends": tcp}
	got := map[string]float64{}
	for k, v := range h.engine.State("raced.lua").Table().All() {
		name, _ := k.AsString()
		n, _ := v.AsNumber()
		if _, ok := want[name]; ok {
			got[name] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if g := h.engine.Generation(); g < 3 {
		t.Errorf("only %d generations", g)
	}
	for _, r := range h.engine.Rules() {
		if r.Name == "start" && float64(r.Matched) != tcp {
			t.Errorf("rule start matched %d times, not %v", r.Matched, tcp)
		}
	}
}
