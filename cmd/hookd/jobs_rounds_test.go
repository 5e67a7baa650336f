package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// lentFrame is a frame that was lent, and what it was then.
type lentFrame struct{ data, was []byte }

// lending notes what a source lends, and how many windows it has for that.
type lending struct {
	*merged
	lent    []lentFrame
	windows map[*byte]bool
}

// Next implements frameSource.
func (l *lending) Next(f *capture.Frame) error {
	err := l.merged.Next(f)
	if err == nil {
		l.lent = append(l.lent, lentFrame{f.Data, bytes.Clone(f.Data)})
	}
	return err
}

// swap implements frameSource.
func (l *lending) swap(f func(window []byte, n int) []byte) {
	l.merged.swap(func(window []byte, n int) []byte {
		next := f(window, n)
		l.windows[&next[0]] = true
		return next
	})
}

// datagram is an Ethernet frame with n bytes of UDP to a port.
func datagram(port, n int) []byte {
	b := append(make([]byte, 12), 8, 0, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+n))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, byte(port), 192, 0, 2, 1)
	b = binary.BigEndian.AppendUint16(b, 4000)
	b = binary.BigEndian.AppendUint16(b, uint16(port))
	b = binary.BigEndian.AppendUint16(b, uint16(8+n))
	return append(b, make([]byte, 2+n)...)
}

// datagrams is a capture with one datagram to port 5060 in so many; the others go to one port.
func datagrams(tb testing.TB, packets, every, other int) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, false)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range packets {
		frame := datagram(other, 1000+i%400)
		if every > 0 && i%every == every/2 {
			frame = datagram(5060, i%300)
		}
		frame[len(frame)-1], frame[len(frame)-2] = byte(i), byte(other)
		if err := w.WriteFrame(&capture.Frame{Data: frame, WireLen: len(frame), TS: int64(i) * 1e6, Link: capture.LinkTypeEthernet}); err != nil {
			tb.Fatal(err)
		}
	}
	return file.Bytes()
}

// skipping is a pcapng capture with a block of n bytes, of a kind that is none of packets, between two packets.
func skipping(n int) io.Reader {
	block := func(kind uint32, body []byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(12+len(body)))
		return binary.LittleEndian.AppendUint32(append(b, body...), uint32(12+len(body)))
	}
	section := block(0x0a0d0d0a, append(binary.LittleEndian.AppendUint32(nil, 0x1a2b3c4d), 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255))
	iface := block(1, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	frame := datagram(5060, 14) // 56 bytes
	packet := block(3, append(binary.LittleEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return io.MultiReader(bytes.NewReader(section), bytes.NewReader(iface), bytes.NewReader(packet),
		bytes.NewReader(block(0x4000, make([]byte, n))), bytes.NewReader(packet))
}

// rounds sorts all that src has, as workers do, and checks that what is in a round stays as it is until that is sorted
// again. It returns how many packets there were.
func rounds(t *testing.T, src *lending) (packets int) {
	t.Helper()
	front := flow.NewFront(event.NewShards(2, event.Apart, 0), flow.Config{})
	s := sorter{src: src, front: front, goesOn: func(uint64) bool { return true }}
	if err := s.begin(); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	} else if err != nil {
		return 0
	}
	var ring [maxRounds]*round
	var lent [maxRounds][]lentFrame
	over := func(i int) {
		for _, f := range lent[i] {
			if !bytes.Equal(f.data, f.was) {
				t.Fatal("a frame was written to before its round was over")
			}
		}
		packets += len(lent[i])
	}
	for i := range ring {
		ring[i] = newRound(2)
	}
	for n, more := 0, true; more; n++ {
		i := n % maxRounds
		over(i)
		more = s.sort(ring[i])
		lent[i], src.lent = src.lent, nil
	}
	for _, w := range slices.Concat(s.free, s.to.windows) {
		if len(w) != 128<<10 {
			t.Errorf("a window of %d KiB is kept", len(w)>>10)
		}
	}
	if !errors.Is(s.err, io.EOF) {
		t.Error(s.err)
	}
	for i := range ring {
		over(i)
	}
	return packets
}

// TestWindowsOfRounds counts the windows that captures are read into: however long they are, and however few of their
// packets are selected, there are no more than the rounds may have.
func TestWindowsOfRounds(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // 192 windows
	few := func(every int) func() []io.Reader {
		return func() []io.Reader {
			file := datagrams(t, 2*max(every, 100), every, 9)
			parts := []io.Reader{bytes.NewReader(file)}
			for n := 0; n < size; n += len(file) {
				parts = append(parts, bytes.NewReader(file[24:]))
			}
			return []io.Reader{io.MultiReader(parts...)}
		}
	}
	for _, tt := range []struct {
		name    string
		sources func() []io.Reader
		least   int // packets that are selected
		most    int // windows
	}{
		{"none", few(0), 0, 1},
		{"one a MiB", few(850), 20, 30},
		{"one a window", few(100), 180, maxRounds*roundWindows + 2},
		{"a block that is skipped", func() []io.Reader { return []io.Reader{skipping(size)} }, 2, 2},
		{"one long, at the beginning", func() []io.Reader {
			var file bytes.Buffer
			w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, false)
			if err != nil {
				t.Fatal(err)
			}
			frame := datagram(5060, 200<<10)
			if err := w.WriteFrame(&capture.Frame{Data: frame, WireLen: len(frame), Link: capture.LinkTypeEthernet}); err != nil {
				t.Fatal(err)
			}
			return []io.Reader{io.MultiReader(&file, bytes.NewReader(datagrams(t, size/1200, 100, 9)[24:]))}
		}, 180, maxRounds*roundWindows + 32},
		{"several", func() []io.Reader {
			return []io.Reader{
				bytes.NewReader(datagrams(t, 4000, 0, 1)), bytes.NewReader(datagrams(t, 4000, 90, 2)),
				iotest.HalfReader(bytes.NewReader(datagrams(t, 4000, 7, 3))), bytes.NewReader(datagrams(t, 4000, 4000, 4)),
			}
		}, 600, maxRounds*roundWindows + 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			count := func(read func(*lending) int) (packets, windows int) {
				src := &lending{merged: mergedOf(t, tt.sources()), windows: map[*byte]bool{}}
				return read(src), len(src.windows)
			}
			want, _ := count(func(src *lending) (n int) {
				for f := (capture.Frame{}); (patient{src.merged}).Next(&f) == nil; n++ {
				}
				return n
			})
			packets, windows := count(func(src *lending) int { return rounds(t, src) })
			if packets != want || packets < tt.least || windows > tt.most {
				t.Errorf("%d packets in %d windows, want %d, at least %d, in at most %d", packets, windows, want, tt.least, tt.most)
			}
		})
	}
}

// mergedOf has the packets to port 5060 of several captures, as if they were files.
func mergedOf(t *testing.T, sources []io.Reader) *merged {
	t.Helper()
	m := &merged{heads: make([]capture.Frame, len(sources)), state: make([]headState, len(sources))}
	var err error
	if m.filter, err = newPacketFilter("port 5060"); err != nil {
		t.Fatal(err)
	}
	for _, src := range sources {
		r, err := capture.NewReader(src, "crafted")
		if err != nil {
			t.Fatal(err)
		}
		m.readers = append(m.readers, r)
	}
	return m
}

// TestJobsOfSeveralFiltered merges captures and selects few of their connections: several jobs see what one does.
func TestJobsOfSeveralFiltered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var paths []string
	for i, file := range [][]byte{crafted(t, 300), datagrams(t, 3000, 50, 7), datagrams(t, 3000, 0, 8)} {
		path := filepath.Join(dir, fmt.Sprint(i, ".pcap"))
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	flags := append(paths[1:], "--filter", "port 5060 or net 10.0.0.32/29")
	want := ended(t, paths[0], append(flags, "--jobs", "1")...)
	if len(want) != 9 {
		t.Fatalf("%d connections", len(want))
	}
	for _, jobs := range []string{"2", "3"} {
		if diff := cmp.Diff(want, ended(t, paths[0], append(flags, "--jobs", jobs)...)); diff != "" {
			t.Errorf("%s jobs (-one +several):\n%s", jobs, diff)
		}
	}
}
