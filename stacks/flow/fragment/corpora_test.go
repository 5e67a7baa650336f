package fragment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/ip4defrag"
	"github.com/google/gopacket/layers"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/ipcomp"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// corporaDir returns the directory of the captures made by others, and skips the test without it.
func corporaDir(t testing.TB) string {
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora", "public")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
	}
	return dir
}

// eachFrame reads one capture up to its end or first error; what is no capture has no frames.
func eachFrame(t testing.TB, path string, fn func(n int, f *capture.Frame)) {
	r, err := capture.Open(path)
	var bad *capture.FormatError
	if errors.As(err, &bad) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f capture.Frame
	for n := 1; r.Next(&f) == nil; n++ {
		fn(n, &f)
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

func readTruth(t testing.TB, name string) (rows []truthRow) {
	text, err := os.ReadFile(filepath.Join(corporaDir(t), "truth", name))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if columns == nil {
			columns = fields
			columns[0] = strings.TrimPrefix(columns[0], "#")
			continue
		}
		row := truthRow{}
		for i, f := range fields {
			row[columns[i]] = f
		}
		rows = append(rows, row)
	}
	return rows
}

// TestEqualsGopacket feeds every IPv4 fragment of the corpora to gopacket as well.
func TestEqualsGopacket(t *testing.T) {
	t.Parallel()
	var fragments, whole, overlapped, unsplit int
	err := filepath.WalkDir(filepath.Join(corporaDir(t), "pcap"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		table := fragment.New(fragment.Config{Timeout: 1e6 * time.Hour})
		oracle := ip4defrag.NewIPv4Defragmenter()
		var p packet.Packet
		eachFrame(t, path, func(n int, f *capture.Frame) {
			p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
			if p.Class != packet.Fragment || p.IPVersion != 4 || p.Cut() {
				return
			}
			var ip layers.IPv4
			if err := ip.DecodeFromBytes(bytes.Clone(p.Data[p.IPOff:]), gopacket.NilDecodeFeedback); err != nil {
				t.Fatal(err)
			}
			fragments++
			theirs, err := oracle.DefragIPv4WithTimestamp(&ip, time.Unix(0, f.TS))
			q := p
			ours := table.Add(&q)
			switch {
			case theirs == &ip:
				unsplit++ // gopacket takes a fragment that must not be fragmented for a whole packet
			case ours == fragment.Whole && theirs == nil && table.Stats().Overlaps > 0:
				overlapped++ // gopacket counts bytes that come twice, and then waits for too many
			case (ours == fragment.Whole) != (theirs != nil):
				t.Errorf("%s frame %d: %v, gopacket %v, %v", path, n, ours, theirs, err)
			case ours == fragment.Whole:
				whole++
				if got := q.Data[20:]; !bytes.Equal(got, theirs.Payload) {
					t.Errorf("%s frame %d: %d bytes, gopacket %d", path, n, len(got), len(theirs.Payload))
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if fragments < 250 || whole < 80 || overlapped > 1 || unsplit > 6 {
		t.Error("too few")
	}
	t.Logf("%d fragments, %d datagrams equal; gopacket does not find %d with an overlap, and leaves %d fragments as they are", fragments, whole, overlapped, unsplit)
}

// flowKey is two endpoints, the lower first.
type flowKey struct{ a, b string }

// tally is the packets and payload of a flow, from the lower endpoint and from the higher.
type tally struct{ pkts, bytes [2]int }

type flows map[flowKey]tally

func (m flows) add(src, dst string, pkts, bytes int) {
	k, side := flowKey{src, dst}, 0
	if src > dst {
		k, side = flowKey{dst, src}, 1
	}
	v := m[k]
	v.pkts[side] += pkts
	v.bytes[side] += bytes
	m[k] = v
}

// account is what was found in one capture: TCP and UDP flows, and what may explain a difference.
type account struct {
	flows [2]flows
	// What was refused or is not read, of frames between these addresses (the lower first), or "" of any.
	notes map[string]map[flowKey]bool
}

func (a *account) note(p *packet.Packet, what string, anywhere bool) {
	src, dst := p.Src.Netip(p.IPVersion).String(), p.Dst.Netip(p.IPVersion).String()
	k := flowKey{min(src, dst), max(src, dst)}
	if anywhere {
		k = flowKey{}
	}
	if a.notes[what] == nil {
		a.notes[what] = map[flowKey]bool{}
	}
	a.notes[what][k] = true
}

// The classes in which a flow may differ from TShark's.
const (
	malformed  = "TShark shows what it can of malformed headers"
	noLength   = "a UDP length of 0 stands for the IP length"
	unsized    = "TShark names no length of TCP in samples, and where a first fragment begins it"
	bubble     = "TShark puts Teredo's ports to an IPv6 packet without payload"
	control    = "messages of a control plane that carry packets are no tunnel"
	extensions = "more than 16 extension headers are not read"
)

// explain notes what in a packet may make a flow differ.
func (a *account) explain(p *packet.Packet) {
	udp := func(port uint16) bool { return p.Class == packet.UDP && (p.SrcPort == port || p.DstPort == port) }
	switch {
	case p.Err == packet.ErrExtDepth:
		a.note(p, extensions, false)
	case p.Class == packet.Malformed && p.IsIP():
		a.note(p, malformed, false)
	case p.Class == packet.TCP && (p.Sampled || p.FragMore):
		a.note(p, unsized, false)
	case udp(4342):
		a.note(p, control, true)
	case p.Class == packet.UDP && p.Data[p.L4Off+4] == 0 && p.Data[p.L4Off+5] == 0:
		a.note(p, noLength, false)
	case p.Tunnel == packet.Teredo && p.Proto == 59:
		a.note(p, bubble, false)
	}
}

// why returns the class of a flow that differs, "" if it is in none.
func (a *account) why(k flowKey) string {
	src, _, _ := strings.Cut(k.a, " ")
	dst, _, _ := strings.Cut(k.b, " ")
	for _, between := range []flowKey{{min(src, dst), max(src, dst)}, {}} {
		for what, noted := range a.notes {
			if noted[between] {
				return what
			}
		}
	}
	return ""
}

// read takes a capture apart, with tunnels entered and fragments put together. Of packets that one frame carries
// it has the last, as the truth has.
func read(t *testing.T, path string) *account {
	a := &account{flows: [2]flows{{}, {}}, notes: map[string]map[flowKey]bool{}}
	table := fragment.New(fragment.Config{Timeout: 1e6 * time.Hour, ReadCut: true})
	var inflate ipcomp.Inflater
	var inside packet.Inside
	p := packet.Packet{Decap: packet.KnownTunnels}
	eachFrame(t, path, func(n int, f *capture.Frame) {
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		table.Add(&p)
		inflate.Add(&p)
		if inside.Open(&p) {
			for q := p; inside.Next(&q); {
				p = q
			}
		}
		a.explain(&p)
		a.count(&p)
	})
	consistent(t, path, table.Stats())
	return a
}

// count adds a packet to its flow. Of one whose TCP or UDP header is malformed TShark shows the ports, and the
// length that UDP claims.
func (a *account) count(p *packet.Packet) {
	size := p.PayloadLen
	switch {
	case p.Class == packet.TCP || p.Class == packet.UDP:
		if p.Tunnel == packet.GTPU && p.Err == packet.ErrIPBeyondFrame {
			size = p.PayloadCap // the message has the packet's first part
		}
	case p.Class != packet.Malformed || p.SrcPort|p.DstPort == 0:
		return
	case p.Err == packet.ErrUDPLen:
		size = uint32(binary.BigEndian.Uint16(p.Data[p.ErrOff+4:])) - 8
	}
	src := p.Src.Netip(p.IPVersion).String() + " " + strconv.Itoa(int(p.SrcPort))
	dst := p.Dst.Netip(p.IPVersion).String() + " " + strconv.Itoa(int(p.DstPort))
	i := 0
	if p.Proto == 17 {
		i = 1
	}
	a.flows[i].add(src, dst, 1, int(int32(size)))
}

// TestEqualsTruth compares the flows of each capture that has fragments or tunnels with TShark's: their
// innermost endpoints, packets, and bytes of payload.
func TestEqualsTruth(t *testing.T) {
	t.Parallel()
	dir := corporaDir(t)
	truth := map[string]*[2]flows{}
	for _, sum := range readTruth(t, "pcap_summary.tsv") {
		if sum.n("multi_ip_layer_pkts")+sum.n("ip4_frag_pkts")+sum.n("ip6_frag_pkts") > 0 {
			truth[sum["pcap"]] = &[2]flows{{}, {}}
		}
	}
	for i, name := range []string{"tcp_streams.tsv", "udp_flows.tsv"} {
		for _, r := range readTruth(t, name) {
			if w := truth[r["pcap"]]; w != nil {
				w[i].add(r["a"], r["b"], r.n("pkts_ab"), r.n("payload_ab"))
				w[i].add(r["b"], r["a"], r.n("pkts_ba"), r.n("payload_ba"))
			}
		}
	}
	var total, equal int
	classes := map[string]int{}
	for path, want := range truth {
		got := read(t, filepath.Join(dir, path))
		for i := range want {
			all := flows{}
			maps.Copy(all, want[i])
			maps.Copy(all, got.flows[i])
			for k := range all {
				total++
				if want[i][k] == got.flows[i][k] {
					equal++
					continue
				}
				why := got.why(k)
				if why == "" {
					t.Errorf("%s %v: want %v, got %v", path, k, want[i][k], got.flows[i][k])
				}
				classes[why]++
			}
		}
	}
	if total < 1700 || equal*100 < total*99 {
		t.Error("too few")
	}
	t.Logf("%d of %d flows equal; differences %v", equal, total, classes)
}
