package main

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// crowds counts how often three packets came within a second of a client: in all its connections, and in one, which is
// in one shard.
const crowds = `local all, alone = store "all" { kind = "counter", key = "ip" }, store "alone" { kind = "counter", key = "ip" }
rule "all" { on = flow.pkt_in, threshold = { by = "client.ip", count = 3, within = "1s", fire = "each" }, run = function(c) all:incr(c.client.ip) end }
rule "alone" { on = flow.pkt_in, threshold = { by = "id", count = 3, within = "1s", fire = "each" }, run = function(c) alone:incr(c.client.ip) end }`

// crowded replays a capture and returns what crowds counted.
func crowded(t *testing.T, path string, jobs, shards, batch int) (all, alone map[string]float64) {
	t.Helper()
	drive := event.Together
	if jobs > 1 {
		drive = event.Apart
	}
	h := newHouse(engineOptions{shards: shards, drive: drive}, false, io.Discard, io.Discard)
	defer h.engine.Close()
	if _, diags := h.engine.Apply([]engine.Source{{Path: "crowds.lua", Text: []byte(crowds)}}); diags.HasErrors() {
		t.Fatal(diags)
	}
	src, err := openMerged(t.Context(), []string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	h.jobs, h.batch = jobs, batch
	if _, err := h.feed(src, newInterrupt(t.Context())); err != nil {
		t.Fatal(err)
	}
	return counters(h, "all"), counters(h, "alone")
}

// TestJobsThreshold replays a capture of some minutes, whose packets are far apart, on several goroutines: no client is
// told of more often than on one, which is as often as there was a crowd, nor less often than for the connections that
// are crowded alone.
func TestJobsThreshold(t *testing.T) {
	t.Parallel()
	dir := corpora(t)
	for name, clients := range map[string]int{"mercury/test__data__top_100_fingerprints.pcap": 1, "drill/pcap__testv1.pcap": 8} {
		path := filepath.Join(dir, "pcap", name)
		most, alone := crowded(t, path, 1, 1, 0)
		if len(most) < clients || len(alone) < clients {
			t.Fatalf("%s: %d clients were crowded, %d in one connection: less than %d", name, len(most), len(alone), clients)
		}
		for _, tt := range [][3]int{{2, 2, 0}, {2, 2, 1}, {3, 6, 5}} {
			all, _ := crowded(t, path, tt[0], tt[1], tt[2])
			for ip := range most {
				if n := all[ip]; n < alone[ip] || n > most[ip] {
					t.Errorf("%s, jobs, shards and entries of %v: %s fired %v times, not %v to %v", name, tt, ip, n, alone[ip], most[ip])
				}
				delete(all, ip)
			}
			if len(all) != 0 {
				t.Errorf("%s, jobs, shards and entries of %v: %v fired, and never with one", name, tt, all)
			}
		}
	}
}

// counters returns what a store of counters holds.
func counters(h *house, name string) map[string]float64 {
	counts := map[string]float64{}
	if s, ok := h.engine.Stores().Lookup(name); ok {
		for item := range s.All() {
			counts[item.Key.String()], _ = item.Value.AsNumber()
		}
	}
	return counts
}
