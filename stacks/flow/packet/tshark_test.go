package packet_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
func heaps(t *testing.T, want func(capture.LinkType) bool) []*heap {
	byLink := map[capture.LinkType]*heap{}
	var list []*heap
	dir := t.TempDir()
	eachFrame(t, filepath.Join(corporaDir(t), "pcap"), func(path string, n int, f *capture.Frame) {
		if !want(f.Link) || len(f.Data) == 0 {
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

// The fields of innermost.
var innerFields = []string{"frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"}

// innermost is what TShark takes for the endpoints of a frame: of the last IP header that is not
// quoted in an ICMP message, with ports where TCP or UDP follow.
func innermost(row [][]string) string {
	var v4, v6, tcp, udp int
	var src, dst string
	pick := func(f, i int) string {
		if i <= len(row[f]) {
			return row[f][i-1]
		}
		return "?"
	}
	port := func(addr, p string) string {
		a, _ := netip.ParseAddr(strings.TrimSuffix(addr, "!"))
		return a.String() + " " + p
	}
	ended := false
	for i, p := range strings.Split(strings.Join(row[0], "|"), ":") {
		if ended && i > 0 && (p == "ip" || p == "ipv6") && len(row[0]) == 0 {
			break
		}
		switch p {
		case "icmp", "icmpv6":
			return src + " > " + dst
		case "ip":
			v4++
			src, dst = pick(1, v4), pick(2, v4)
		case "ipv6":
			v6++
			src, dst = pick(3, v6), pick(4, v6)
		case "tcp":
			tcp++
			src, dst = port(src, pick(5, tcp)), port(dst, pick(6, tcp))
		case "udp":
			udp++
			src, dst = port(src, pick(7, udp)), port(dst, pick(8, udp))
		}
	}
	return src + " > " + dst
}

func TestInnermostEqualsTShark(t *testing.T) {
	t.Parallel()
	needTShark(t)
	for _, h := range heaps(t, func(l capture.LinkType) bool { return true }) {
		rows := tshark(t, h.path, []string{"ip.defragment:FALSE", "ipv6.defragment:FALSE"}, innerFields)
		if len(rows) != len(h.frames) {
			t.Fatalf("%s: %d rows of %d frames", h.path, len(rows), len(h.frames))
		}
		p := packet.Packet{Decap: packet.AllTunnels}
		for i, row := range rows {
			f := &h.frames[i]
			p.Decode(uint16(f.Link), f.Data, f.WireLen, 0)
			got := " > "
			if p.IsIP() {
				got = p.Src.Netip(p.IPVersion).String() + " > " + p.Dst.Netip(p.IPVersion).String()
			}
			if p.Class == packet.TCP || p.Class == packet.UDP || p.Class == packet.Fragment && (p.Proto == 6 || p.Proto == 17) && p.FragOff == 0 && p.SrcPort != 0 {
				got = fmt.Sprintf("%v %d > %v %d", p.Src.Netip(p.IPVersion), p.SrcPort, p.Dst.Netip(p.IPVersion), p.DstPort)
			}
			if want := innermost(row); got != want {
				t.Errorf("%s: %v %v %v\n\twant %s\n\tgot  %s\n\t%s", h.names[i], p.Class, p.Err, p.Tunnel, want, got, row[0])
			}
		}
	}
}
