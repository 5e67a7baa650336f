package capture

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noted is a frame to write: on which interface, and with what comment.
type noted struct {
	iface int
	f     Frame
	note  string
}

var manyKinds = []noted{
	{0, Frame{Data: []byte("hello"), WireLen: 1500, TS: 1_700_000_000_123_456_789, Link: LinkTypeRaw}, "connection 1; flow.cut by a.lua: über at flow.conn_start.snd"},
	{1, Frame{Data: []byte{}, TS: 0, Link: LinkTypeEthernet}, ""},
	{1, Frame{Data: []byte("123456789"), WireLen: 9, TS: math.MaxInt64, Link: LinkTypeEthernet}, "x"},
	{0, Frame{Data: []byte("early"), WireLen: 5, TS: -1, Link: LinkTypeRaw}, "of 1969"},
	{2, Frame{Data: bytes.Repeat([]byte("z"), MaxFrame), WireLen: MaxFrame, TS: 7, Link: LinkTypeLinuxSLL2}, strings.Repeat("c", MaxComment)},
	{0, Frame{Data: []byte("long ago"), WireLen: 8, TS: ngEarly * nanosPerSecond, Link: LinkTypeRaw}, ""},
}

// writeNg writes frames of three interfaces.
func writeNg(t testing.TB, frames []noted) ([]byte, *NgWriter) {
	t.Helper()
	var file bytes.Buffer
	w, err := NewNgWriter(&file, "test")
	if err != nil {
		t.Fatal(err)
	}
	for i, link := range []LinkType{LinkTypeRaw, LinkTypeEthernet, LinkTypeLinuxSLL2} {
		if n := w.AddInterface(link, "if"+string(rune('0'+i))); n != i {
			t.Fatalf("interface %d is %d", i, n)
		}
	}
	for i := range frames {
		if err := w.WriteFrame(frames[i].iface, &frames[i].f, []byte(frames[i].note)); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes(), w
}

func TestNgRoundTrip(t *testing.T) {
	t.Parallel()
	file, _ := writeNg(t, manyKinds)
	got, err := readAll(bytes.NewReader(file))
	want := make([]Frame, len(manyKinds))
	for i, n := range manyKinds {
		want[i] = n.f
		want[i].Iface = []int{0, 1, 1, 2, 3, 2}[i] // in the order of their first frames
		if n.note != "" {
			want[i].Comment = []byte(n.note)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || err != io.EOF {
		t.Errorf("%v (-want +got):\n%.2000s", err, diff)
	}
}

func TestNgComments(t *testing.T) {
	t.Parallel()
	f := Frame{Data: []byte("f"), WireLen: 1, Link: LinkTypeRaw}
	for _, tc := range []struct {
		name, note, want string
		cut              uint64
	}{
		{"exact", strings.Repeat("a", MaxComment), strings.Repeat("a", MaxComment), 0},
		{"cut before a character", strings.Repeat("a", MaxComment-1) + "üü", strings.Repeat("a", MaxComment-1), 1},
		{"no UTF-8", "a\xffb", "a\ufffdb", 0},
	} {
		file, w := writeNg(t, []noted{{0, f, tc.note}})
		got, err := readAll(bytes.NewReader(file))
		if err != io.EOF || len(got) != 1 || string(got[0].Comment) != tc.want || w.Cut() != tc.cut {
			t.Errorf("%s: %v, %d frames, %d cut", tc.name, err, len(got), w.Cut())
		}
	}
}

func TestNgRefuses(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := NewNgWriter(&file, "")
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(LinkTypeRaw, "")
	head := file.Len()
	for _, tc := range []struct {
		iface int
		f     Frame
		want  string
	}{
		{1, Frame{Link: LinkTypeRaw}, "capture: write frame: there is no interface 1"},
		{-1, Frame{Link: LinkTypeRaw}, "capture: write frame: there is no interface -1"},
		{0, Frame{Link: LinkTypeEthernet}, "capture: write frame: link type ETHERNET on an interface of RAW"},
		{0, Frame{Link: LinkTypeRaw, Data: make([]byte, MaxFrame+1)}, "capture: write frame: 262145 bytes, the limit is 262144"},
	} {
		if err := w.WriteFrame(tc.iface, &tc.f, nil); err == nil || err.Error() != tc.want {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
	if file.Len() != head {
		t.Errorf("refused frames left %d bytes", file.Len()-head)
	}
}

func TestNgErrorsStick(t *testing.T) {
	t.Parallel()
	if _, err := NewNgWriter(&failing{}, ""); !errors.Is(err, errFull) {
		t.Errorf("header: %v", err)
	}
	dst := &failing{after: 1}
	w, err := NewNgWriter(dst, "")
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(LinkTypeRaw, "")
	f := Frame{Link: LinkTypeRaw}
	for range 2 {
		if err := w.WriteFrame(0, &f, nil); !errors.Is(err, errFull) {
			t.Error(err)
		}
		dst.after = 10
	}
}

func TestNgWritesWithoutAllocating(t *testing.T) {
	w, err := NewNgWriter(io.Discard, "")
	if err != nil {
		t.Fatal(err)
	}
	w.AddInterface(LinkTypeRaw, "")
	f := Frame{Data: make([]byte, 1500), WireLen: 1500, Link: LinkTypeRaw}
	note := []byte("connection 7")
	if n := testing.AllocsPerRun(100, func() {
		if err := w.WriteFrame(0, &f, note); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// program finds a program that a test needs. Without it the test is skipped, but fails in CI.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// TestNgTShark has Wireshark's own reader look at a file of several interfaces.
func TestNgTShark(t *testing.T) {
	t.Parallel()
	tshark, capinfos := program(t, "tshark"), program(t, "capinfos")
	path := filepath.Join(t.TempDir(), "out.pcapng")
	frames := append([]noted(nil), manyKinds[:3]...)
	frames[1].f.TS, frames[2].f.TS = 1_700_000_000_123_456_790, 1_700_000_001_000_000_000
	file, _ := writeNg(t, frames)
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len",
		"-e", "frame.interface_name", "-e", "frame.comment").Output()
	want := "1700000000.123456789\t1500\t5\tif0\t" + frames[0].note + "\n" +
		"1700000000.123456790\t0\t0\tif1\t\n" + "1700000001.000000000\t9\t9\tif1\tx\n"
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Errorf("tshark: %v\n%s", err, diff)
	}
	info, err := exec.Command(capinfos, "-M", path).Output()
	for _, line := range []string{"Number of packets:   3", "Capture application: test", "Number of interfaces in file: 2", "Time precision = nanoseconds (9)"} {
		if !bytes.Contains(info, []byte(line)) || err != nil {
			t.Errorf("capinfos: %v: %q is missing in\n%s", err, line, info)
		}
	}
}

// FuzzNgRoundTrip writes any two frames with comments: what is read is what was written.
func FuzzNgRoundTrip(f *testing.F) {
	f.Add([]byte("data"), 1500, int64(1), "note", uint8(0), []byte(""), int64(-1), "")
	f.Add([]byte{}, -1, int64(math.MinInt64), "\xff", uint8(1), []byte("second"), int64(math.MaxInt64), strings.Repeat("ü", MaxComment))
	f.Fuzz(func(t *testing.T, one []byte, wire int, ts int64, note string, iface uint8, two []byte, ts2 int64, note2 string) {
		links := []LinkType{LinkTypeRaw, LinkTypeEthernet, LinkTypeLinuxSLL2}
		first, second := int(iface%3), int(iface/3%3)
		list := []noted{
			{first, Frame{Data: one, WireLen: wire, TS: ts, Link: links[first]}, note},
			{second, Frame{Data: two, WireLen: len(two), TS: ts2, Link: links[second]}, note2},
		}
		if len(one) > MaxFrame || len(two) > MaxFrame {
			t.Skip()
		}
		file, _ := writeNg(t, list)
		got, err := readAll(bytes.NewReader(file))
		if err != io.EOF || len(got) != 2 {
			t.Fatalf("%d frames, %v", len(got), err)
		}
		for i, n := range list {
			g := got[i]
			wantTS := max(n.f.TS, ngEarly*nanosPerSecond)
			wantLen := min(max(n.f.WireLen, len(n.f.Data)), math.MaxInt32)
			if !bytes.Equal(g.Data, n.f.Data) || g.TS != wantTS || g.Link != n.f.Link || g.WireLen != wantLen {
				t.Fatalf("frame %d: %+v, written %+v", i, g, n.f)
			}
			note := strings.ToValidUTF8(n.note, "\ufffd")
			if !strings.HasPrefix(note, string(g.Comment)) || len(note) <= MaxComment && note != "" && len(g.Comment) == 0 {
				t.Fatalf("comment %q, written %q", g.Comment, n.note)
			}
		}
	})
}
