package flow_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/fragment"
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
	// ordinary judges numbers as the defaults do. What carries packets is opened as TShark opens it, samples in
	// reports too.
	ordinary = flow.Config{
		PickUp: true, Decap: packet.KnownTunnels, Fragments: fragment.Config{ReadCut: true},
		HandshakeTimeout: forever, IdleTimeout: forever, CloseTimeout: forever,
	}
	// asTShark judges numbers as TShark and the tables do: what is missing is waited for to the end, a segment
	// counts wherever it lies near its stream, and no stream jumps.
	asTShark = flow.Config{
		PickUp: true, Decap: packet.KnownTunnels, Fragments: fragment.Config{ReadCut: true},
		HandshakeTimeout: forever, IdleTimeout: forever, CloseTimeout: forever,
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
	{"max_jump: the client took the second of two answers to its SYN, TShark the first", func(r truthRow, same []*account, _ *accounts) bool {
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

// tally counts how streams compare.
type tally struct {
	total, equal    int
	rexmits, gaps   int // equal in these too
	sure, sureEqual int // directions that TShark itself reads in two ways with the same result
	captures, exact int
	malformed       int // of the equal ones, nothing but segments whose header is malformed
	lastOnly        int // compared by the last packet of each frame
	extras          int
	crowded         int // captures of which more than one stream in a hundred differs
	classes         map[string]int
}

// TestTruth compares the connections of every ordinary capture with TShark's streams: every row of the table.
// Directions that TShark itself reads in two ways with the same result are equal without exception, whatever
// the settings. Read as TShark reads numbers, so is every stream, so that none differs in any
// capture. Where numbers are judged as ends judge them, streams may differ by the classes above, two of a
// thousand of all; they cannot be held to one of a hundred in each capture, since the captures in which ends
// contradict each other so were made to show that, and have one stream or two.
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
		crowded int // captures in which more than one of a hundred may
		rexmits int // rows equal in these too, of a hundred
	}{{"as ends read them", ordinary, 2, 3, 96}, {"as TShark reads them", asTShark, 0, 0, 98}} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			n := tally{classes: map[string]int{}}
			rows := 0
			for _, sum := range summaries {
				name := sum["pcap"]
				if sum["class"] == "normal" && len(streams[name]) > 0 {
					rows += len(streams[name])
					n.compare(t, filepath.Join(dir, name), streams[name], way.cfg, sum.n("snaplen_cut_pkts") > 0)
				}
			}
			t.Log("streams", way.name)
			differ := n.log(t)
			if n.total != rows || n.total < 2800 || n.equal+differ != n.total || differ*1000 > way.differ*n.total || n.crowded > way.crowded {
				t.Errorf("of %d streams, %d were compared, and %d differ; more than one of a hundred in %d captures", rows, n.total, differ, n.crowded)
			}
			if n.sure < 3650 || n.sureEqual != n.sure || n.extras > differ {
				t.Errorf("%d of %d sure directions are equal; %d connections are no stream", n.sureEqual, n.sure, n.extras)
			}
			if n.rexmits*100 < n.equal*way.rexmits || n.gaps*100 < n.equal*99 {
				t.Error("too few are equal in retransmissions and gaps")
			}
		})
	}
}

// log says how it went, and returns how many rows differ.
func (n *tally) log(t *testing.T) (differ int) {
	t.Logf("%d of %d streams equal in endpoints, bytes and content (%.2f %%), %d of them in retransmissions, %d in gaps",
		n.equal, n.total, 100*float64(n.equal)/float64(n.total), n.rexmits, n.gaps)
	t.Logf("%d of %d sure directions equal; %d of %d captures exact; %d connections that are no stream", n.sureEqual, n.sure, n.exact, n.captures, n.extras)
	t.Logf("of the equal ones, %d are of malformed headers, without a byte in both; %d streams of frames with several packets, of which the table has the last", n.malformed, n.lastOnly)
	for why, k := range n.classes {
		differ += k
		t.Logf("%3d differ: %s", k, why)
	}
	return differ
}

// compare compares the rows of one capture. Of packets that one frame carries TShark shows all, and the table
// has the last, so that is what it is compared with.
func (n *tally) compare(t *testing.T, path string, rows []truthRow, cfg flow.Config, cut bool) {
	all := replay(t, path, cfg, false)
	if all.stats.Inside > 0 {
		all = replay(t, path, cfg, true)
		n.lastOnly += len(rows)
	}
	equal := n.equal
	for _, r := range rows {
		if !all.read(t, r) {
			t.Errorf("%s stream %s is not read; %+v", path, r["tcp.stream"], all.stats)
		}
		if a := all.find(t, r); a != nil {
			n.equals(a, r)
		} else {
			why := all.why(t, r)
			if why == "" {
				t.Errorf("%s stream %s: no connection equals it", path, r["tcp.stream"])
			}
			n.classes[fmt.Sprintf("%s (of %d in its capture)", why, len(rows))]++
		}
		if !cut {
			n.compareSure(t, path, r, all)
		}
	}
	n.total += len(rows)
	n.captures++
	differ := len(rows) - (n.equal - equal)
	if differ == 0 {
		n.exact++
	}
	if differ*100 > len(rows) {
		n.crowded++
	}
	for _, a := range all.list {
		if !a.matched && a.seen[0]+a.seen[1] > 0 {
			n.extras++
		}
	}
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
	if a.stray {
		n.malformed++
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
