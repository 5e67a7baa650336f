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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// account is what became of one connection, by direction where there are two values.
type account struct {
	client, server string
	reason         string
	contig, seen   [2]int // bytes before the first gap; all that were seen
	gaps           [2]uint64
	length         [2]uint64 // places in the stream, gaps and all
	rexmits        uint64
	hash           [2]hash.Hash // of the bytes before the first gap
	gap            [2]bool
	matched        bool
}

// sum returns the digest as the tables have it.
func (a *account) sum(i int) string {
	if a.contig[i] == 0 {
		return "-"
	}
	return hex.EncodeToString(a.hash[i].Sum(nil))
}

// accounts collects the connections of one capture.
type accounts struct {
	list  []*account
	byID  map[uint64]*account
	stats flow.Stats
	// How many segments were read, one direction a key.
	segments  map[string]int
	notTCP    int             // packets of IP that are no TCP
	damaged   map[string]int  // packets that are malformed, by source address
	badHeader map[string]bool // source addresses of segments whose header is malformed
}

func (a *accounts) of(c flowev.Conn) *account {
	acc := a.byID[c.ID()]
	if acc == nil {
		acc = &account{hash: [2]hash.Hash{sha256.New(), sha256.New()}}
		a.byID[c.ID()] = acc
		a.list = append(a.list, acc)
	}
	return acc
}

func (a *accounts) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.PktIn:
		if id != flowev.OnPktInSnd.ID() {
			break
		}
		a.segments[fmt.Sprintf("%v>%v", netip.AddrPortFrom(e.Pkt.Src(), e.Pkt.SrcPort()), netip.AddrPortFrom(e.Pkt.Dst(), e.Pkt.DstPort()))]++
	case *flowev.Orphan:
		if e.Pkt.Proto() != 6 {
			a.notTCP++
		}
	case *flowev.NewData:
		if acc, i := a.of(e.C), e.D.From()-1; !acc.gap[i] {
			acc.hash[i].Write(e.D.Peek(0, false))
			acc.contig[i] += int(e.D.Len())
		}
	case *flowev.Gap:
		a.of(e.C).gap[2-e.Side] = true
	case *flowev.ConnEnd:
		acc := a.of(e.C)
		acc.client, acc.server, acc.reason = fmt.Sprint(e.C.Client()), fmt.Sprint(e.C.Server()), e.Reason.String()
		for i, p := range [2]flowev.Peer{e.C.Client(), e.C.Server()} {
			acc.gaps[i], acc.length[i] = p.Gaps(), p.Sent().Len()
			acc.seen[i] = int(p.Bytes()) + waiting(p.Sent())
			acc.rexmits += p.Rexmits()
		}
	}
	return event.Verdict{}
}

// waiting counts the bytes that wait behind a hole.
func waiting(s flowev.Stream) (n int) {
	for _, r := range s.Ranges().([]any) {
		if kv := r.([]event.KV); kv[0].Value.(float64) >= float64(s.Len()) {
			n += int(kv[1].Value.(float64))
		}
	}
	return n
}

// replay runs a capture through a stack that takes up connections anywhere and, as TShark, never
// forgets one.
func replay(t testing.TB, path string) *accounts {
	a := &accounts{byID: map[uint64]*account{}, segments: map[string]int{}, damaged: map[string]int{}, badHeader: map[string]bool{}}
	sh := event.NewShard(0)
	sh.Bind(a, func(event.PointID) bool { return true })
	const never = 100 * 365 * 24 * time.Hour
	s := flow.New(sh, flow.Config{PickUp: true, Decap: packet.AllTunnels, HandshakeTimeout: never, IdleTimeout: never, CloseTimeout: never})
	var p packet.Packet
	eachFrame(t, path, func(f *capture.Frame) {
		s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		if p.Class == packet.Malformed && p.IsIP() {
			a.damaged[p.Src.Netip(p.IPVersion).String()]++
		}
		if p.Err == packet.ErrTCPDataOffset {
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

// directions are the columns' endings, the client's bytes first.
var directions = [2]string{"_ab", "_ba"}

// equals reports whether one direction has the row's bytes: all that were seen by number, those
// before the first gap by number and content.
func (a *account) equals(r truthRow, i int) bool {
	d := directions[i]
	return a.contig[i] == r.n("contig"+d) && a.seen[i] == r.n("uniq"+d) && a.sum(i) == r["sha256_contig_first"+d]
}

// find returns the connection that equals the row, or nil. One that has bytes is taken by that; one
// without may be many of TShark's, for which a SYN with another number begins another stream even if
// nobody answers it.
func (a *accounts) find(t testing.TB, r truthRow) *account {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	for _, c := range a.list {
		if !c.matched && c.client == client && c.server == server && c.equals(r, 0) && c.equals(r, 1) {
			c.matched = r.either("uniq") > 0
			return c
		}
	}
	return nil
}

// read reports whether all segments of the stream were read: the rest is of encapsulations that
// package packet does not look into, or is none since its header is malformed.
func (a *accounts) read(t testing.TB, r truthRow) bool {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	addr, _, _ := strings.Cut(r["a"], " ")
	malformed := r.n("pkts_ab")+r.n("pkts_ba") == 1 && r.either("uniq") == 0 && a.badHeader[addr]
	return a.segments[client+">"+server] >= r.n("pkts_ab") && a.segments[server+">"+client] >= r.n("pkts_ba") && !malformed
}

// unreadable are the streams that are not read whole, with the reason: what carries them is none of the
// links and tunnels that package packet knows, or they are no stream.
var unreadable = []struct {
	name string
	is   func(name string, r truthRow, all *accounts) bool
}{
	{"nothing but segments whose headers are malformed", func(_ string, r truthRow, all *accounts) bool {
		addr, _, _ := strings.Cut(r["a"], " ")
		return r.n("pkts_ab") <= all.damaged[addr] && r.n("pkts_ba") == 0 && r.either("uniq") == 0
	}},
	{"a first fragment of a datagram that never gets whole", func(_ string, r truthRow, all *accounts) bool {
		return all.stats.Fragments.Fragments > 0 && all.stats.Fragments.Datagrams == 0 && r.n("pkts_ab")+r.n("pkts_ba") == 1
	}},
	{"the file is no pcap", func(_ string, _ truthRow, all *accounts) bool { return all.stats.Frames == 0 }},
	{"segments are compressed, or in what is no tunnel here", func(_ string, r truthRow, all *accounts) bool {
		read := 0
		for _, n := range all.segments {
			read += n
		}
		return all.notTCP > 0 && r.n("pkts_ab")+r.n("pkts_ba") <= read+all.notTCP
	}},
}

// whyUnread returns the class of a stream that was not read, "" if it is in none.
func (a *accounts) whyUnread(name string, r truthRow) string {
	for _, u := range unreadable {
		if u.is(name, r, a) {
			return u.name
		}
	}
	return ""
}

// differing are the classes in which a stream may differ from TShark's, with the reason. The
// connections given have the row's endpoints.
var differing = []struct {
	name string
	is   func(r truthRow, same []*account, all *accounts) bool
}{
	{"the client took the second of two SYN/ACKs, TShark the first", func(r truthRow, same []*account, _ *accounts) bool {
		return len(same) == 1 && r.n("synack_ba") > 1 && r["follow_ba"] == "gap" && same[0].equals(r, 0) && same[0].seen[1] > r.n("uniq_ba")
	}},
	{"more than 4 GiB: TShark's places wrap", func(r truthRow, same []*account, _ *accounts) bool {
		return len(same) == 1 && same[0].length[1] > 1<<32 && r["follow_ba"] == "gap" && same[0].equals(r, 0)
	}},
	{"picked up, and a lower number came later: its bytes are from before the stream began", func(r truthRow, same []*account, _ *accounts) bool {
		return r.n("syn_ab")+r.n("synack_ba") == 0 && len(same) == 1 && r["follow_ba"] == "diff"
	}},
	{"fragments that contradict each other: the first copy holds here", func(r truthRow, same []*account, all *accounts) bool {
		return contradicting(all) && len(same) == 1 && same[0].contig == [2]int{r.n("contig_ab"), r.n("contig_ba")}
	}},
	{"numbers far outside all windows: such segments are ignored", func(r truthRow, same []*account, all *accounts) bool {
		return all.stats.OutWindow > 0 && len(same) == 1 && r["follow_ab"] == "gap" && r["follow_ba"] == "gap"
	}},
}

func contradicting(all *accounts) bool { return all.stats.Fragments.Conflicts > 0 }

// why returns the class of a row that no connection equals, "" if it is in none.
func (a *accounts) why(t testing.TB, r truthRow) string {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	var same []*account
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

// tally counts how streams compare.
type tally struct {
	total, equal, unread    int
	rexmits, gaps           int // equal in these too
	sure, sureEqual         int // directions that TShark itself reads in two ways with the same result
	captures, exact, extras int
	classes, unreadBy       map[string]int
}

// TestTruth compares the connections of every ordinary capture with TShark's streams.
func TestTruth(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	streams := map[string][]truthRow{}
	for _, r := range readTruth(t, filepath.Join(dir, "truth", "tcp_streams.tsv")) {
		streams[r["pcap"]] = append(streams[r["pcap"]], r)
	}
	n := tally{classes: map[string]int{}, unreadBy: map[string]int{}}
	for _, sum := range readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv")) {
		name := sum["pcap"]
		if sum["class"] == "normal" && len(streams[name]) > 0 {
			n.compare(t, name, streams[name], replay(t, filepath.Join(dir, name)), sum.n("snaplen_cut_pkts") > 0)
		}
	}
	t.Logf("%d of %d streams equal in endpoints, bytes and content (%.2f %%), %d of them in retransmissions, %d in gaps; %d not read",
		n.equal, n.total, 100*float64(n.equal)/float64(n.total), n.rexmits, n.gaps, n.unread)
	t.Logf("%d of %d sure directions equal; %d of %d captures exact; %d connections that are no stream", n.sureEqual, n.sure, n.exact, n.captures, n.extras)
	differ := 0
	for why, k := range n.classes {
		differ += k
		t.Logf("%3d differ: %s", k, why)
	}
	for why, k := range n.unreadBy {
		t.Logf("%3d not read: %s", k, why)
	}
	if n.total < 2500 || differ*1000 > 2*n.total || n.rexmits*100 < n.equal*96 || n.gaps*100 < n.equal*99 || n.extras*100 > n.total || n.unread > 12 {
		t.Error("too few are equal")
	}
}

func (n *tally) compare(t *testing.T, name string, rows []truthRow, all *accounts, cut bool) {
	before, of, differ := n.equal, 0, 0
	for _, r := range rows {
		if !all.read(t, r) {
			n.unread++
			why := all.whyUnread(name, r)
			if why == "" {
				t.Errorf("%s stream %s is not read: %d and %d of %s and %s segments; %+v", name, r["tcp.stream"], all.segments[endpointOf(t, r["a"])+">"+endpointOf(t, r["b"])], all.segments[endpointOf(t, r["b"])+">"+endpointOf(t, r["a"])], r["pkts_ab"], r["pkts_ba"], all.stats)
			}
			n.unreadBy[why]++
			continue
		}
		of++
		a := all.find(t, r)
		if a == nil {
			differ++
			why := all.why(t, r)
			if why == "" {
				t.Errorf("%s stream %s: no connection equals it", name, r["tcp.stream"])
			}
			n.classes[why]++
		} else {
			n.equal++
			if int(a.rexmits) == r.n("retransmission") {
				n.rexmits++
			}
			if a.gaps == [2]uint64{uint64(r.n("gaps_ab")), uint64(r.n("gaps_ba"))} {
				n.gaps++
			}
		}
		if !cut && !contradicting(all) {
			n.compareSure(t, name, r, all)
		}
	}
	n.total += of
	if of > 0 {
		n.captures++
		if n.equal-before == of {
			n.exact++
		}
	}
	// One of less than a hundred is more than 1 %: there, one at most.
	if differ > max(1, of/100) {
		t.Errorf("%s: %d of %d streams differ", name, differ, of)
	}
	for _, a := range all.list {
		if !a.matched && a.seen[0]+a.seen[1] > 0 {
			n.extras++
		}
	}
}

// compareSure compares the directions of a row that TShark follows with the result that the table
// has: there is no class of exceptions for those.
func (n *tally) compareSure(t *testing.T, name string, r truthRow, all *accounts) {
	client, server := endpointOf(t, r["a"]), endpointOf(t, r["b"])
	for i, d := range directions {
		if r["follow"+d] != "ok" {
			continue
		}
		n.sure++
		if slices.ContainsFunc(all.list, func(a *account) bool { return a.client == client && a.server == server && a.equals(r, i) }) {
			n.sureEqual++
			continue
		}
		t.Errorf("%s stream %s%s: no connection has its bytes", name, r["tcp.stream"], d)
	}
}
