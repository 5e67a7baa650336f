package flow_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event/flowev"
)

// echoLine is a line of tcpdump's for an echo message that is in no tunnel and no fragment.
var echoLine = regexp.MustCompile(`\bIP6? (\S+) > (\S+): [^>]*ICMP6?,? echo (request|reply), id (\d+), seq \d+, length (\d+)$`)

// tcpdumpPings returns the echo queries of a capture as tcpdump's lines tell them, in the order of
// text; false if it finds a length wrong, which it does where offloading left it out.
func tcpdumpPings(t *testing.T, path string) (list []string, ok bool) {
	out, err := exec.Command("tcpdump", "-nn", "-t", "-r", path).Output()
	if err != nil { // the capture is damaged further on: what is before that counts
		t.Logf("tcpdump: %v", err)
	}
	type ends struct{ a, b, id string }
	flows := map[ends]*flowAccount{}
	for line := range strings.Lines(string(out)) {
		m := echoLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		length, err := strconv.Atoi(m[5])
		if err != nil {
			t.Fatal(err)
		}
		f, side := flows[ends{m[1], m[2], m[4]}], 0
		switch back := flows[ends{m[2], m[1], m[4]}]; {
		case f == nil && back == nil:
			f = &flowAccount{client: m[1], server: m[2]}
			flows[ends{m[1], m[2], m[4]}] = f
		case f == nil || m[1] == m[2] && m[3] == "reply":
			f, side = back, 1
		}
		f.pkts[side]++
		f.bytes[side] += length - 8
	}
	for _, f := range flows {
		list = append(list, pingText(*f))
	}
	slices.Sort(list)
	return list, !strings.Contains(string(out), "bad-len")
}

func pingText(f flowAccount) string {
	return fmt.Sprint(f.client, " > ", f.server, " packets ", f.pkts, " bytes ", f.bytes)
}

// TestTruthOfPings compares ICMP queries with what tcpdump prints of the same captures.
func TestTruthOfPings(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	flows := 0
	for _, sum := range readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv")) {
		if sum["class"] != "normal" || sum.n("multi_ip_layer_pkts")+sum.n("ip4_frag_pkts")+sum.n("ip6_frag_pkts")+sum.n("snaplen_cut_pkts") > 0 {
			continue
		}
		path := filepath.Join(dir, sum["pcap"])
		all := replayFlows(t, path)
		if all.stats.ICMPFlows == 0 && all.stats.Orphans == all.stats.Datagrams {
			continue // no ICMP in it that tcpdump could show
		}
		var ours []string
		for f, n := range all.list {
			if f.proto == flowev.ProtoUDP {
				continue
			}
			f.client, f.server = netip.MustParseAddrPort(f.client).Addr().String(), netip.MustParseAddrPort(f.server).Addr().String()
			for range n {
				ours = append(ours, pingText(f))
			}
		}
		slices.Sort(ours)
		flows += len(ours)
		theirs, ok := tcpdumpPings(t, path)
		if d := cmp.Diff(theirs, ours); ok && d != "" {
			t.Errorf("%s: %s", sum["pcap"], d)
		}
	}
	t.Logf("%d queries", flows)
	if flows < 20 {
		t.Error("too few")
	}
}

// arkimeSessions are the parts of Arkime's expectations that are used here.
type arkimeSessions struct {
	Sessions3 []struct {
		Body struct {
			IPProtocol int
			Network    struct {
				CommunityID string `json:"community_id"`
			}
		}
	}
}

// TestTruthOfCIDs looks for the Community IDs that Arkime gives to UDP and ICMP sessions. Those in
// tunnels and, of ICMP, those of other messages than queries are not flows here.
func TestTruthOfCIDs(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	tests, err := filepath.Glob(filepath.Join(dir, "truth", "arkime", "*.test"))
	if err != nil {
		t.Fatal(err)
	}
	all, found := map[int]int{}, map[int]int{}
	for _, path := range tests {
		capture := filepath.Join(dir, "pcap", "arkime", strings.TrimSuffix(filepath.Base(path), ".test")+".pcap")
		if _, err := os.Stat(capture); err != nil {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var sessions arkimeSessions
		if err := json.Unmarshal(text, &sessions); err != nil {
			t.Fatal(err)
		}
		cids := replayFlows(t, capture).cids
		for _, s := range sessions.Sessions3 {
			p, cid := s.Body.IPProtocol, s.Body.Network.CommunityID
			if cid == "" {
				continue
			}
			all[p]++
			if cids[cid] {
				found[p]++
			}
		}
	}
	t.Logf("found UDP %d of %d, ICMP %d of %d, ICMPv6 %d of %d", found[17], all[17], found[1], all[1], found[58], all[58])
	if found[17] < 185 || found[1] < 10 || found[58] < 2 {
		t.Error("too few")
	}
}
