package fragment_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// TestEqualsTShark compares when datagrams of either version become whole, and how long they are then,
// with TShark, in each capture that has fragments.
func TestEqualsTShark(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts TShark for each capture with fragments")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatalf("tshark is missing: %v", err)
		}
		t.Skipf("needs tshark: %v", err)
	}
	dir := corporaDir(t)
	var equal, captures, seen int
	classes := map[string]int{}
	all := testbed.Proving() // spec/prove/run; else every fourth capture
	for _, sum := range readTruth(t, "pcap_summary.tsv") {
		if sum.n("ip4_frag_pkts")+sum.n("ip6_frag_pkts") == 0 {
			continue
		}
		if seen++; !all && seen%4 != 1 {
			continue
		}
		captures++
		want := reassembled(t, filepath.Join(dir, sum["pcap"]))
		table := fragment.New(fragment.Config{Timeout: 1e6 * time.Hour})
		nested := false
		p := packet.Packet{Decap: packet.AllTunnels}
		eachFrame(t, filepath.Join(dir, sum["pcap"]), func(n int, f *capture.Frame) {
			p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
			before := table.Stats()
			result := table.Add(&p)
			s := table.Stats()
			got := 0
			if result == fragment.Whole {
				got = len(p.Data) - map[uint8]int{4: 20, 6: 40}[p.IPVersion]
			}
			switch {
			case want[n] == got && s.Whole-before.Whole <= 1:
				if got > 0 {
					equal++
				}
			case s.Whole > before.Whole && result == fragment.Held:
				nested = true
				classes["what becomes whole is a fragment itself"]++
			case got > 0 && nested:
				classes["of fragments in fragments, TShark reads the outer only"]++
			case p.Err == packet.ErrFragment && want[n] > 65535:
				classes["a fragment that ends beyond 65,535 bytes is malformed"]++
			case s.Contradicting > before.Contradicting:
				classes["a fragment that contradicts others has no say"]++
			case p.Class == packet.ICMP && want[n] > 0:
				classes["TShark takes what an ICMP error quotes for a fragment"]++
			default:
				t.Errorf("%s frame %d: %v, %d bytes, want %d", sum["pcap"], n, result, got, want[n])
			}
		})
	}
	if captures*4 < 45 || equal < 10 || all && (captures < 45 || equal < 90) {
		t.Error("too few")
	}
	t.Logf("%d datagrams of %d captures equal; differences %v", equal, captures, classes)
}

// reassembled returns the lengths of the payloads that TShark puts together, by frame.
func reassembled(t *testing.T, path string) map[int]int {
	out, err := exec.Command("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "ip.reassembled.length", "-e", "ipv6.reassembled.length").Output()
	if err != nil && len(out) == 0 {
		t.Errorf("tshark %s: %v", path, err)
	}
	m := map[int]int{}
	for line := range strings.Lines(string(out)) {
		var n [3]int
		for i, f := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			n[i], _ = strconv.Atoi(f)
		}
		if size := n[1] + n[2]; size > 0 {
			m[n[0]] = size
		}
	}
	return m
}
