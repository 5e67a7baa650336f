package flow_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// sums is what two ends sent: packets, and bytes with their IP headers.
type sums struct{ pkts, bytes [2]int }

// TestTruthInside compares connections of which frames carry several packets with Zeek's: the packets of both
// ends, and their bytes.
func TestTruthInside(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	ties, err := filepath.Glob(filepath.Join(dir, "truth", "zeek", "*", "TIE.json"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, tie := range ties {
		var of struct{ Pcap string }
		text, err := os.ReadFile(tie)
		if err != nil || json.Unmarshal(text, &of) != nil {
			t.Fatalf("%s: %v", tie, err)
		}
		log := filepath.Join(filepath.Dir(tie), "conn.log")
		if _, err := os.Stat(log); err != nil || of.Pcap == "" {
			continue
		}
		got, inside := trafficOf(t, filepath.Join(dir, of.Pcap))
		if inside == 0 {
			continue
		}
		for ends, want := range zeekConns(t, log) {
			compared++
			if got[ends] != want {
				t.Errorf("%s: %s: %+v, want %+v", of.Pcap, ends, got[ends], want)
			}
		}
	}
	if compared == 0 {
		t.Error("no capture has such frames")
	}
	t.Logf("%d connections of frames with several packets equal in packets and bytes", compared)
}

// traffics collects what connections sent, by their ends.
type traffics map[string]sums

func (c traffics) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	if in, ok := e.(*flowev.PktIn); ok && id == flowev.OnPktInSnd.ID() {
		key := fmt.Sprint(in.C.Client(), " ", in.C.Server())
		sum := c[key]
		sum.pkts[in.Side-1]++
		sum.bytes[in.Side-1] += int(in.Pkt.IPLen())
		c[key] = sum
	}
	return event.Verdict{}
}

// trafficOf reads a capture, and returns what its connections sent, and how many packets frames carry beyond one.
func trafficOf(t *testing.T, path string) (traffics, uint64) {
	conns, sh := traffics{}, event.NewShard(0)
	sh.Bind(conns, func(id event.PointID) bool { return id == flowev.OnPktInSnd.ID() })
	s := flow.New(sh, flow.Config{PickUp: true, Decap: packet.AllTunnels})
	eachFrame(t, path, func(f *capture.Frame) { s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS) })
	s.Close()
	return conns, s.Stats().Inside
}

// zeekConns reads a log of connections.
func zeekConns(t *testing.T, path string) traffics {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	conns, column := traffics{}, map[string]int{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if cells[0] == "#fields" {
			for i, name := range cells[1:] {
				column[name] = i
			}
		}
		if strings.HasPrefix(line, "#") || cells[column["proto"]] != "tcp" {
			continue
		}
		n := func(name string) int {
			v, err := strconv.Atoi(cells[column[name]])
			if err != nil {
				t.Fatalf("%s: %s: %v", path, name, err)
			}
			return v
		}
		end := func(which string) string {
			return endpointOf(t, cells[column["id."+which+"_h"]]+" "+cells[column["id."+which+"_p"]])
		}
		conns[end("orig")+" "+end("resp")] = sums{[2]int{n("orig_pkts"), n("resp_pkts")}, [2]int{n("orig_ip_bytes"), n("resp_ip_bytes")}}
	}
	return conns
}
