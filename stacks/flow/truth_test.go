package flow_test

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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

// The settings with which captures are read to be compared. TShark forgets no connection.
const forever = 100 * 365 * 24 * time.Hour

var (
	// ordinary are the defaults.
	ordinary = flow.Config{
		PickUp: true, Decap: packet.AllTunnels, HandshakeTimeout: forever, IdleTimeout: forever, CloseTimeout: forever,
	}
	// asTShark reads numbers as TShark and the tables do: what is missing is waited for to the end, a segment
	// counts wherever it lies near its stream, and no stream jumps.
	asTShark = flow.Config{
		PickUp: true, Decap: packet.AllTunnels, HandshakeTimeout: forever, IdleTimeout: forever, CloseTimeout: forever,
		GapWait: forever, ReorderSide: 1 << 30, ReorderTotal: 1 << 30, WindowSlack: 16 << 20, MaxJump: 16 << 20,
	}
)

// differing are the classes in which a stream may differ from TShark's at the ordinary settings, with the
// reason. The connections given have the row's endpoints. Those whose directions TShark follows with the
// result that the table has are in none.
var differing = []struct {
	name string
	is   func(r truthRow, same []*account, all *accounts) bool
}{
	{"max_jump: the client took the second of two SYN/ACKs, TShark the first", func(r truthRow, same []*account, _ *accounts) bool {
		return len(same) == 1 && r.n("synack_ba") > 1 && r["follow_ba"] == "gap" && same[0].equals(r, 0) && same[0].seen[1] > r.n("uniq_ba")
	}},
	{"max_jump: more than 4 GiB, where TShark's places wrap", func(r truthRow, same []*account, _ *accounts) bool {
		return len(same) == 1 && same[0].length[1] > 1<<32 && r["follow_ba"] == "gap" && same[0].equals(r, 0)
	}},
	{"window_slack, gap_wait: numbers outside all windows, and bytes behind what was given up", func(r truthRow, same []*account, all *accounts) bool {
		return all.stats.OutWindow > 0 && len(same) == 1 && r["follow_ab"] == "gap" && r["follow_ba"] == "gap"
	}},
}

// why returns the class of a row that no connection equals, "" if it is in none.
func (a *accounts) why(t testing.TB, r truthRow) string {
	same := a.between(t, r)
	for _, d := range differing {
		if d.is(r, same, a) {
			return d.name
		}
	}
	return ""
}

// noTraffic are the rows that are no streams, with the reason: nobody sent such segments where the capture
// was made.
var noTraffic = []struct {
	name string
	is   func(r truthRow, all *accounts) bool
}{
	{"a sample of a packet, in a report (sFlow)", func(r truthRow, all *accounts) bool {
		return all.carried("sflow", r)
	}},
	{"one of several packets in one radio frame, of which TShark's fields have the last (A-MSDU in Aruba's GRE)", func(r truthRow, all *accounts) bool {
		return all.carried("aruba", r)
	}},
	{"a first fragment that the frame cuts: its datagram never gets whole", func(r truthRow, all *accounts) bool {
		return all.carried("fragment", r) && all.stats.Fragments.Cut > 0 && r.n("pkts_ab")+r.n("pkts_ba") == 1
	}},
}

// tally counts how streams compare.
type tally struct {
	total, equal      int
	rexmits, gaps     int // equal in these too
	sure, sureEqual   int // directions that TShark itself reads in two ways with the same result
	captures, exact   int
	extras, malformed int
	classes, without  map[string]int
}

// TestTruth compares the connections of every ordinary capture with TShark's streams. At the ordinary settings
// all directions are equal that TShark itself reads in two ways with the same result; read as TShark reads
// them, all streams are, in each capture.
func TestTruth(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	streams := map[string][]truthRow{}
	for _, r := range readTruth(t, filepath.Join(dir, "truth", "tcp_streams.tsv")) {
		streams[r["pcap"]] = append(streams[r["pcap"]], r)
	}
	summaries := readTruth(t, filepath.Join(dir, "truth", "pcap_summary.tsv"))
	for _, way := range []struct {
		name    string
		cfg     flow.Config
		differ  int // rows that may, of a thousand
		rexmits int // rows equal in these too, of a hundred
	}{{"ordinary", ordinary, 2, 96}, {"as tshark", asTShark, 0, 98}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			n := tally{classes: map[string]int{}, without: map[string]int{}}
			for _, sum := range summaries {
				name := sum["pcap"]
				if sum["class"] == "normal" && len(streams[name]) > 0 {
					n.compare(t, name, streams[name], replay(t, filepath.Join(dir, name), way.cfg), sum.n("snaplen_cut_pkts") > 0)
				}
			}
			differ := n.log(t)
			if n.total < 2790 || differ*1000 > way.differ*n.total || n.sure < 3650 {
				t.Error("too few streams are equal")
			}
			if n.rexmits*100 < n.equal*way.rexmits || n.gaps*100 < n.equal*99 || n.extras*100 > n.total {
				t.Error("too few are equal in retransmissions and gaps, or there are too many connections")
			}
		})
	}
}

// log says how it went, and returns how many rows differ.
func (n *tally) log(t *testing.T) (differ int) {
	t.Logf("%d of %d streams equal in endpoints, bytes and content (%.2f %%), %d of them in retransmissions, %d in gaps",
		n.equal, n.total, 100*float64(n.equal)/float64(n.total), n.rexmits, n.gaps)
	t.Logf("%d of %d sure directions equal; %d of %d captures exact; %d connections that are no stream; %d streams of malformed headers, without a byte in both",
		n.sureEqual, n.sure, n.exact, n.captures, n.extras, n.malformed)
	for why, k := range n.classes {
		differ += k
		t.Logf("%3d differ: %s", k, why)
	}
	for why, k := range n.without {
		t.Logf("%3d are no traffic: %s", k, why)
	}
	return differ
}

func (n *tally) compare(t *testing.T, name string, rows []truthRow, all *accounts, cut bool) {
	before, of := n.equal, 0
	for _, r := range rows {
		if n.skips(t, name, r, all) {
			continue
		}
		of++
		if a := all.find(t, r); a == nil {
			why := all.why(t, r)
			if why == "" {
				t.Errorf("%s stream %s: no connection equals it", name, r["tcp.stream"])
			}
			n.classes[why]++
		} else {
			n.equals(a, r)
		}
		if !cut {
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
	for _, a := range all.list {
		if !a.matched && a.seen[0]+a.seen[1] > 0 {
			n.extras++
		}
	}
}

// skips reports whether there is no connection of the row, and counts why. A segment whose header is malformed
// makes a stream for TShark, of which neither it nor we read a byte: that is all there is to compare.
func (n *tally) skips(t *testing.T, name string, r truthRow, all *accounts) bool {
	if all.malformed(t, r) {
		n.malformed++
		return true
	}
	if all.read(t, r) {
		return false
	}
	for _, u := range noTraffic {
		if u.is(r, all) {
			n.without[u.name]++
			return true
		}
	}
	t.Errorf("%s stream %s is not read; %+v", name, r["tcp.stream"], all.stats)
	return true
}

// equals counts a row that a connection equals.
func (n *tally) equals(a *account, r truthRow) {
	n.equal++
	if int(a.rexmits) == r.n("retransmission") {
		n.rexmits++
	}
	if a.gaps == [2]uint64{uint64(r.n("gaps_ab")), uint64(r.n("gaps_ba"))} {
		n.gaps++
	}
}

// compareSure compares the directions of a row that TShark follows with the result that the table
// has: there is no class of exceptions for those.
func (n *tally) compareSure(t *testing.T, name string, r truthRow, all *accounts) {
	for i, d := range directions {
		if r["follow"+d] != "ok" {
			continue
		}
		n.sure++
		equal := false
		for _, a := range all.between(t, r) {
			equal = equal || a.equals(r, i)
		}
		if equal {
			n.sureEqual++
			continue
		}
		t.Errorf("%s stream %s%s: no connection has its bytes", name, r["tcp.stream"], d)
	}
}
