package flow_test

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/netip"
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

// corporaDir returns the directory of the captures made by others, and skips the test without it.
func corporaDir(t testing.TB) string {
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora", "public")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
	}
	return dir
}

// eachFrame reads a capture up to its end or first error.
func eachFrame(t testing.TB, path string, fn func(f *capture.Frame)) {
	r, err := capture.Open(path)
	if err != nil {
		var bad *capture.FormatError
		if errors.As(err, &bad) {
			return
		}
		t.Fatal(err)
	}
	defer r.Close()
	for {
		var f capture.Frame
		if err := r.Next(&f); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("%s: %v", path, err)
			}
			return
		}
		fn(&f)
	}
}

// truthRow is one line of a table of truth, by column.
type truthRow map[string]string

func (r truthRow) n(column string) int {
	v, err := strconv.Atoi(r[column])
	if err != nil {
		return 0
	}
	return v
}

// either returns the sum of a column for both directions.
func (r truthRow) either(column string) int { return r.n(column+"_ab") + r.n(column+"_ba") }

func readTruth(t testing.TB, path string) []truthRow {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []truthRow
	for _, line := range lines[1:] {
		row := truthRow{}
		for i, column := range lines[0] {
			row[strings.TrimPrefix(column, "#")] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// account is what became of one connection.
type account struct {
	client, server string
	reason         string
	bytes          [2]int
	gaps           [2]uint64
	rexmits        uint64
	sum            [2]string // of the bytes that new_data brought
	matched        bool
}

// accounts collects the connections of one capture.
type accounts struct {
	list []account
	sums map[uint64]*[2]hash.Hash
	// Endpoint pairs of segments that start no connection here, and do for TShark.
	synFIN, badHeader map[string]bool
	compressed        bool // a packet had an IPComp header
	stats             flow.Stats
}

func (a *accounts) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.NewData:
		h := a.sums[e.C.ID()]
		if h == nil {
			h = &[2]hash.Hash{sha256.New(), sha256.New()}
			a.sums[e.C.ID()] = h
		}
		h[e.D.From()-1].Write(e.D.Peek(0, false))
	case *flowev.ConnEnd:
		c, s := e.C.Client(), e.C.Server()
		acc := account{
			client: fmt.Sprint(c), server: fmt.Sprint(s), reason: e.Reason.String(), bytes: [2]int{int(c.Bytes()), int(s.Bytes())},
			gaps: [2]uint64{c.Gaps(), s.Gaps()}, rexmits: c.Rexmits() + s.Rexmits(), sum: [2]string{"-", "-"},
		}
		if h := a.sums[e.C.ID()]; h != nil {
			for i := range h {
				if acc.bytes[i] > 0 {
					acc.sum[i] = hex.EncodeToString(h[i].Sum(nil))
				}
			}
		}
		a.list = append(a.list, acc)
	}
	return event.Verdict{}
}

// replay runs a capture through a stack of default settings.
func replay(t testing.TB, path string) *accounts {
	a := &accounts{sums: map[uint64]*[2]hash.Hash{}, synFIN: map[string]bool{}, badHeader: map[string]bool{}}
	sh := event.NewShard(0)
	sh.Bind(a, func(event.PointID) bool { return true })
	s := flow.New(sh, flow.Config{Decap: packet.AllTunnels})
	p := packet.Packet{Decap: packet.AllTunnels}
	eachFrame(t, path, func(f *capture.Frame) {
		s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		switch {
		case p.Class == packet.TCP && p.TCPFlags.Has(packet.SYN|packet.FIN):
			a.synFIN[p.SrcAddrPort().String()] = true
		case p.Class == packet.OtherIP && p.Proto == 108:
			a.compressed = true
		case p.Err == packet.ErrTCPDataOffset:
			a.badHeader[p.Src.Netip(p.IPVersion).String()] = true
		}
	})
	s.Close()
	a.stats = s.Stats()
	return a
}

// endpointOf turns "10.0.0.1 80" into "10.0.0.1:80".
func endpointOf(t testing.TB, text string) string {
	addr, port, _ := strings.Cut(text, " ")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(a, uint16(n)).String()
}

// equals reports whether the connection has the row's bytes, by number and by content.
func (a *account) equals(r truthRow) bool {
	return a.bytes == [2]int{r.n("contig_ab"), r.n("contig_ba")} &&
		a.sum == [2]string{r["sha256_contig_first_ab"], r["sha256_contig_first_ba"]}
}

// clean reports whether TShark's reading of a stream leaves nothing open: it starts with a SYN, no
// byte is missing, no byte came twice with different values.
func clean(r truthRow) bool { return r.n("syn_ab") > 0 && r.either("gaps")+r.either("conflict") == 0 }

// differing are the classes in which a clean stream may differ from TShark's, with the reason. The
// connections given have the row's endpoints.
var differing = []struct {
	name string
	is   func(r truthRow, same []account, all *accounts) bool
}{
	{"bytes behind a RST: the connection is over for the stack that got it", func(r truthRow, same []account, _ *accounts) bool {
		for _, a := range same {
			if a.reason == "rst" && a.bytes[0] <= r.n("contig_ab") && a.bytes[1] <= r.n("contig_ba") && r.either("rst") > 0 {
				return true
			}
		}
		return false
	}},
	{"the client took the second of two SYN/ACKs, TShark the first", func(r truthRow, same []account, _ *accounts) bool {
		return len(same) == 1 && r.n("synack_ba") > 1 && same[0].bytes[0] == r.n("contig_ab") && same[0].bytes[1] > r.n("contig_ba")
	}},
	{"SYN with another ISN: TShark begins a stream, here the answer decides, and none came or it refused", func(r truthRow, _ []account, all *accounts) bool {
		return r.n("reused_ports") > 0 && r.either("uniq") == 0 && all.stats.BadSYNs > 0
	}},
	{"SYN and FIN in one segment open nothing", func(r truthRow, same []account, all *accounts) bool {
		addr, _, _ := strings.Cut(r["a"], " ")
		return len(same) == 0 && len(all.synFIN) > 0 && all.synFIN[addr+":"+strings.Fields(r["a"])[1]]
	}},
	{"most of its packets are compressed (IPComp), which is not read", func(_ truthRow, _ []account, all *accounts) bool {
		return all.compressed
	}},
	{"no segment: its TCP header is malformed", func(r truthRow, _ []account, all *accounts) bool {
		addr, _, _ := strings.Cut(r["a"], " ")
		return r.n("pkts_ab")+r.n("pkts_ba") == 1 && all.badHeader[addr]
	}},
}

// TestTruth compares the connections of every ordinary capture with TShark's streams.
func TestTruth(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	streams := map[string][]truthRow{}
	for _, r := range readTruth(t, filepath.Join(dir, "truth", "tcp_streams.tsv")) {
		streams[r["pcap"]] = append(streams[r["pcap"]], r)
	}
	var total, equal, rexmits, unread, exact int
	classes := map[string]int{}
	for _, sum := range readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv")) {
		name := sum["pcap"]
		if sum["class"] != "normal" || len(streams[name]) == 0 {
			continue
		}
		all := replay(t, filepath.Join(dir, name))
		if all.stats.TCP+all.stats.Orphans == 0 { // an encapsulation that is not looked into
			unread++
			continue
		}
		before := equal
		of := 0
		for _, r := range streams[name] {
			if !clean(r) {
				continue
			}
			total++
			of++
			if a := all.find(t, r); a != nil {
				equal++
				if int(a.rexmits) == r.n("retransmission") {
					rexmits++
				}
				continue
			}
			why := all.why(t, r)
			if why == "" {
				t.Errorf("%s stream %s: no connection equals %v", name, r["tcp.stream"], r)
			}
			classes[why]++
		}
		if of > 0 && equal-before == of {
			exact++
		}
	}
	t.Logf("%d of %d clean streams equal in endpoints, bytes and content (%.2f %%), %d of them in retransmissions too; %d captures exact, %d of an encapsulation not read",
		equal, total, 100*float64(equal)/float64(total), rexmits, exact, unread)
	for why, n := range classes {
		t.Logf("%3d differ: %s", n, why)
	}
	if total < 1600 || equal*1000 < total*992 || rexmits*100 < equal*97 {
		t.Error("too few")
	}
}

// find returns a connection that equals the row, which is then taken, or nil.
func (a *accounts) find(t testing.TB, r truthRow) *account {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	for i := range a.list {
		if c := &a.list[i]; !c.matched && c.client == client && c.server == server && c.equals(r) {
			c.matched = true
			return c
		}
	}
	return nil
}

// why returns the class of a row that no connection equals, "" if it is in none.
func (a *accounts) why(t testing.TB, r truthRow) string {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	var same []account
	for _, c := range a.list {
		if c.client == client && c.server == server {
			same = append(same, c)
		}
	}
	for _, d := range differing {
		if d.is(r, same, a) {
			return d.name
		}
	}
	return ""
}

// TestTruthOfGaps compares streams of which bytes are missing, or came twice with different values:
// the bytes before the first gap, first copies, and the number of gaps.
func TestTruthOfGaps(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	ordinary := map[string]bool{}
	for _, sum := range readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv")) {
		ordinary[sum["pcap"]] = sum["class"] == "normal"
	}
	byName := map[string]*accounts{}
	var total, equal, gaps int
	for _, r := range readTruth(t, filepath.Join(dir, "truth", "tcp_streams.tsv")) {
		name := r["pcap"]
		if !ordinary[name] || r.n("syn_ab") == 0 || clean(r) {
			continue
		}
		if byName[name] == nil {
			byName[name] = replay(t, filepath.Join(dir, name))
		}
		total++
		a := byName[name].find(t, r)
		if a == nil {
			t.Logf("%s stream %s differs: %v %v", name, r["tcp.stream"], r, byName[name].list)
			continue
		}
		equal++
		if a.gaps == [2]uint64{uint64(r.n("gaps_ab")), uint64(r.n("gaps_ba"))} {
			gaps++
		}
	}
	t.Logf("%d of %d streams with gaps or conflicts equal, %d of them in the number of gaps", equal, total, gaps)
}
