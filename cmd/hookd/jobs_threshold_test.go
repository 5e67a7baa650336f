package main

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// crowds counts, per client, how often three packets with bytes came within a second: of all its connections, and of
// one, which is in one shard.
const crowds = `local all, alone = store "all" { kind = "counter", key = "ip" }, store "alone" { kind = "counter", key = "ip" }
rule "all" { on = flow.new_data, threshold = { by = "client.ip", count = 3, within = "1s", fire = "each" }, run = function(c) all:incr(c.client.ip) end }
rule "alone" { on = flow.new_data, threshold = { by = "id", count = 3, within = "1s", fire = "each" }, run = function(c) alone:incr(c.client.ip) end }`

// TestJobsThreshold replays a capture of some minutes, whose packets are far apart, on several goroutines: no client
// is told of more often than on one, which is as often as there was a crowd, nor less often than the connections that
// are crowded alone.
func TestJobsThreshold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(corpora(t), "pcap/mercury/test__data__top_100_fingerprints.pcap")
	count := func(jobs, shards, batch int) (all, alone map[string]float64) {
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
	most, alone := count(1, 1, 0)
	if len(most) < 3 || len(alone) < 3 {
		t.Fatalf("%d clients were crowded, %d in one connection: too few", len(most), len(alone))
	}
	for _, tt := range [][3]int{{2, 2, 0}, {2, 2, 1}, {3, 6, 5}} {
		all, _ := count(tt[0], tt[1], tt[2])
		for ip := range most {
			if n := all[ip]; n < alone[ip] || n > most[ip] {
				t.Errorf("%d jobs, %d shards, entries of %d: %s fired %v times, not %v to %v", tt[0], tt[1], tt[2], ip, n, alone[ip], most[ip])
			}
		}
		for ip := range all {
			if most[ip] == 0 {
				t.Errorf("%d jobs, %d shards, entries of %d: %s fired, and never with one", tt[0], tt[1], tt[2], ip)
			}
		}
	}
}
