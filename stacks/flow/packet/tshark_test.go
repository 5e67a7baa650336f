package packet_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// needTShark skips a test where tshark is not installed; in CI it fails then.
func needTShark(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatalf("tshark is missing: %v", err)
		}
		t.Skipf("needs tshark: %v", err)
	}
}

// heap is the frames of many captures in one file of their link type, so that TShark starts once for
// all of them.
type heap struct {
	path   string
	names  []string
	frames []capture.Frame
}

// heaps gathers the corpora's frames by link type.
func heaps(t *testing.T) []*heap {
	all := testbed.Proving() // spec/prove/run; else every fourth frame
	byLink := map[capture.LinkType]*heap{}
	var list []*heap
	dir := t.TempDir()
	eachFrame(t, filepath.Join(corporaDir(t), "pcap"), func(path string, n int, f *capture.Frame) {
		if len(f.Data) == 0 || !all && n%4 != 1 { // TShark lists no field of an empty one
			return
		}
		h := byLink[f.Link]
		if h == nil {
			h = &heap{path: filepath.Join(dir, strconv.Itoa(int(f.Link)))}
			byLink[f.Link] = h
			list = append(list, h)
		}
		c := *f
		c.TS, c.WireLen = int64(len(h.frames))*1e9, max(f.WireLen, len(f.Data))
		c.Data = bytes.Clone(f.Data)
		h.frames = append(h.frames, c)
		h.names = append(h.names, fmt.Sprintf("%s frame %d", path, n))
	})
	for _, h := range list {
		h.write(t)
	}
	return list
}

func (h *heap) write(t *testing.T) {
	f, err := os.Create(h.path)
	if err != nil {
		t.Fatal(err)
	}
	buf := bufio.NewWriter(f)
	w, err := capture.NewWriter(buf, h.frames[0].Link, true)
	for i := range h.frames {
		if err == nil {
			err = w.WriteFrame(&h.frames[i])
		}
	}
	if err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tshark lists fields of every frame of a file; a field that occurs several times has its values in a
// list.
func tshark(t *testing.T, path string, options, fields []string) [][][]string {
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, errs.Bytes())
	}
	var rows [][][]string
	for line := range strings.Lines(string(out)) {
		var row [][]string
		for field := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "\t") {
			var values []string
			if field != "" {
				values = strings.Split(field, "|")
			}
			row = append(row, values)
		}
		rows = append(rows, row)
	}
	return rows
}

// Columns of what is asked for: the fields of innermost come first.
const (
	colProtocols = iota
	colIPSrc
	colIPDst
	colIPv6Src
	colIPv6Dst
	colTCPSrc
	colTCPDst
	colUDPSrc
	colUDPDst
	colIPSum
	colTCPSum
	colUDPSum
	colICMPSum
	colICMPv6Sum
)

var columns = []string{
	"frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
	"ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status",
}

var preferences = []string{
	"ip.defragment:FALSE", "ipv6.defragment:FALSE", "ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE",
}

// innermost is what TShark takes for the endpoints of a frame: those of the last IP header that is not
// quoted in an ICMP message, with ports where TCP or UDP follow.
func innermost(row [][]string) string {
	var src, dst string
	seen := map[string]int{}
	pick := func(name string, srcCol int) (string, string) {
		i := seen[name]
		seen[name]++
		if i >= len(row[srcCol]) || i >= len(row[srcCol+1]) {
			return "?", "?"
		}
		return row[srcCol][i], row[srcCol+1][i]
	}
	for _, p := range strings.Split(row[colProtocols][0], ":") {
		switch p {
		case "icmp", "icmpv6":
			return src + " > " + dst
		case "ip":
			src, dst = pick(p, colIPSrc)
		case "ipv6":
			src, dst = pick(p, colIPv6Src)
		case "tcp", "udp":
			col := colTCPSrc
			if p == "udp" {
				col = colUDPSrc
			}
			a, b := pick(p, col)
			src, dst = src+" "+a, dst+" "+b
		}
	}
	return src + " > " + dst
}

// everyone is what TShark takes for the endpoints of each IP header of a frame, in order.
func everyone(row [][]string) (list []string) {
	for n := 0; ; n++ {
		part := slices.Clone(row)
		protocols := strings.Split(row[colProtocols][0], ":")
		at := -1
		for i, seen := 0, 0; i < len(protocols) && at < 0; i++ {
			if protocols[i] == "ip" || protocols[i] == "ipv6" {
				if seen++; seen == n+2 {
					at = i
				}
			}
		}
		if at >= 0 {
			part[colProtocols] = []string{strings.Join(protocols[:at], ":")}
		}
		if list = append(list, innermost(part)); at < 0 {
			return list
		}
	}
}

// everyoneOf is the same of a Packet, and of what it carries side by side.
func everyoneOf(p *packet.Packet) (list []string) {
	var in packet.Inside
	was := *p
	if !in.Open(p) {
		return []string{innermostOf(p)}
	}
	list = []string{innermostOf(&was)}
	if !in.Samples() {
		list = append(list, innermostOf(p))
	}
	for in.Next(p) {
		list = append(list, innermostOf(p))
	}
	return list
}

// innermostOf is the same of a Packet; a first fragment has ports.
func innermostOf(p *packet.Packet) string {
	if !p.IsIP() {
		return " > "
	}
	src, dst := p.Src.Netip(p.IPVersion), p.Dst.Netip(p.IPVersion)
	ports := p.Class == packet.TCP || p.Class == packet.UDP || (p.Proto == 6 || p.Proto == 17) && p.SrcPort|p.DstPort != 0
	if ports {
		return fmt.Sprintf("%v %d > %v %d", src, p.SrcPort, dst, p.DstPort)
	}
	return fmt.Sprintf("%v > %v", src, dst)
}

// tsharkDiffers are the classes in which Decode may differ from TShark, by what TShark read.
var tsharkDiffers = []struct {
	name string
	is   func(p *packet.Packet, row [][]string, protocols string) bool
}{
	{"TShark shows what it can of malformed headers", func(p *packet.Packet, row [][]string, protocols string) bool {
		return p.Class == packet.Malformed && p.Err != packet.ErrExtDepth
	}},
	{"compressed packets are not read", func(_ *packet.Packet, _ [][]string, protocols string) bool {
		return strings.Contains(protocols, ":ipcomp:")
	}},
	{"messages of a control plane that carry packets are no tunnel", func(_ *packet.Packet, _ [][]string, protocols string) bool {
		return strings.Contains(protocols, ":lisp:")
	}},
	{"more than 16 extension headers", func(p *packet.Packet, _ [][]string, protocols string) bool {
		return p.Err == packet.ErrExtDepth && strings.Count(protocols, ":ipv6.") > 16
	}},
	{"TShark gives up at a destination option", func(p *packet.Packet, _ [][]string, protocols string) bool {
		return p.Class == packet.UDP && strings.HasSuffix(protocols, ":ipv6:ipv6.dstopts")
	}},
	{"a loopback header whose family is none", func(p *packet.Packet, _ [][]string, _ string) bool {
		return p.Link == packet.LinkNull && p.Class == packet.NotIP && p.Data[2] == 8
	}},
	{"classical IP over ATM is not read", func(_ *packet.Packet, _ [][]string, protocols string) bool {
		return protocols == "clip:ip"
	}},
	{"TShark names IP before it finds that the header is cut", func(p *packet.Packet, row [][]string, _ string) bool {
		return !p.IsIP() && p.Class == packet.Truncated && len(row[colIPSrc]) == 0
	}},
}

// sums compares the outermost checksums; TShark knows no partial ones.
func sums(p *packet.Packet, row [][]string) (want, got string) {
	state := func(col int) string {
		if len(row[col]) == 0 {
			return "2"
		}
		return row[col][0]
	}
	ours := map[packet.Checksum]string{
		packet.ChecksumBad: "0", packet.ChecksumPartial: "0", packet.ChecksumGood: "1", packet.ChecksumUnknown: "2", packet.ChecksumNone: "3",
	}
	if p.IPVersion == 4 && p.Class >= packet.Fragment {
		want, got = "ip "+state(colIPSum), "ip "+ours[p.HeaderChecksum()]
	}
	col := map[packet.Class]int{packet.TCP: colTCPSum, packet.UDP: colUDPSum, packet.ICMP: colICMPSum}[p.Class]
	if p.Class == packet.ICMP && p.IPVersion == 6 {
		col = colICMPv6Sum
	}
	if col == 0 {
		return want, got
	}
	return want + " upper " + state(col), got + " upper " + ours[p.Checksum()]
}

// sumDiffers reports whether TShark verifies what is not verified here, or the other way round: a packet
// shorter than its IP length says, a UDP datagram of length 0, a home address of length 1.
func sumDiffers(p *packet.Packet) bool {
	return p.Err == packet.ErrIPBeyondFrame || p.Class == packet.UDP && p.Data[p.L4Off+4] == 0 && p.Data[p.L4Off+5] == 0 ||
		p.IPVersion == 6 && p.Data[p.IPOff+6] == 60 && bytes.Contains(p.Data[p.IPOff+40:p.L4Off], []byte{201, 1})
}

// TestEqualsTShark compares the innermost addresses and ports of every frame of the corpora, and the
// checksums of those outside tunnels.
func TestEqualsTShark(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads all captures with TShark")
	}
	needTShark(t)
	var frames, tunnelled, verified, partial, several int
	classes := map[string]int{}
	for _, h := range heaps(t) {
		rows := tshark(t, h.path, preferences, columns)
		if len(rows) != len(h.frames) {
			t.Fatalf("%s: %d rows of %d frames", h.path, len(rows), len(h.frames))
		}
		p := packet.Packet{Decap: packet.KnownTunnels}
		for i, row := range rows {
			f := &h.frames[i]
			p.Decode(uint16(f.Link), f.Data, f.WireLen, 0)
			frames++
			if p.TunnelDepth == 0 { // nothing is put together
				p.ReadStart()
			}
			want, got := innermost(row), ""
			all := everyoneOf(&p)
			if got = all[len(all)-1]; len(all) > 1 {
				several++
				want, got = strings.Join(everyone(row), ", "), strings.Join(all, ", ")
				p.Decode(uint16(f.Link), f.Data, f.WireLen, 0)
			}
			if want != got {
				if name := tsharkClass(&p, row); name != "" {
					classes[name]++
					continue
				}
				t.Errorf("%s: %v %v tunnel %v\n\twant %s\n\tgot  %s\n\t%s", h.names[i], p.Class, p.Err, p.Tunnel, want, got, row[colProtocols])
				continue
			}
			if p.TunnelDepth > 0 {
				tunnelled++
				continue
			}
			if want, got := sums(&p, row); want != got && !sumDiffers(&p) {
				t.Errorf("%s: %v checksums want %s, got %s", h.names[i], p.Class, want, got)
			}
			verified++
			if p.HeaderChecksum() == packet.ChecksumPartial || p.Checksum() == packet.ChecksumPartial {
				partial++
			}
		}
	}
	if frames < 17_000 || tunnelled < 250 || verified < 15_000 || partial == 0 ||
		testbed.Proving() && (frames < 70_000 || tunnelled < 1000 || verified < 60_000) {
		t.Error("too few")
	}
	t.Logf("%d frames, %d in tunnels, %d with several packets, %d with checksums, %d of them partial; differences %v", frames, tunnelled, several, verified, partial, classes)
}

func tsharkClass(p *packet.Packet, row [][]string) string {
	for _, d := range tsharkDiffers {
		if d.is(p, row, row[colProtocols][0]) {
			return d.name
		}
	}
	return ""
}
