package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
)

// crafted is a capture of so many connections at once, each with bytes both
// ways, with times from 1.7e9 s on, a millisecond a packet.
func crafted(tb testing.TB, conns int) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, false)
	if err != nil {
		tb.Fatal(err)
	}
	ts := int64(1_700_000_000e9)
	var all []*craft.Conn
	for i := range conns {
		c, err := craft.New(craft.Config{
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1024),
			Server: netip.MustParseAddrPort("192.0.2.1:80"),
		}, func(frame []byte) {
			ts += 1e6
			if err := w.WriteFrame(&capture.Frame{Data: frame, WireLen: len(frame), TS: ts, Link: capture.LinkTypeEthernet}); err != nil {
				tb.Fatal(err)
			}
		})
		if err != nil {
			tb.Fatal(err)
		}
		c.Open()
		all = append(all, c)
	}
	for range 3 {
		for _, c := range all {
			if err := c.Send(craft.Client, make([]byte, 300)); err != nil {
				tb.Fatal(err)
			}
			if err := c.Send(craft.Server, make([]byte, 5000)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for _, c := range all {
		c.Close()
	}
	return file.Bytes()
}

// endless reads a capture again and again, each time later, up to so many bytes.
type endless struct {
	file []byte
	at   int
	left int64
}

// pause is how many seconds lie between two rounds.
const pause = 1000

// Read implements io.Reader.
func (e *endless) Read(b []byte) (int, error) {
	switch {
	case e.left <= 0:
		return 0, io.EOF
	case e.at == len(e.file):
		e.at = 24
		e.later()
	}
	n := copy(b, e.file[e.at:])
	e.at += n
	e.left -= int64(n)
	return n, nil
}

// later moves the times of all records.
func (e *endless) later() {
	for at := 24; at < len(e.file); at += 16 + int(binary.LittleEndian.Uint32(e.file[at+8:])) {
		sec := e.file[at:]
		binary.LittleEndian.PutUint32(sec, binary.LittleEndian.Uint32(sec)+pause)
	}
}

// TestEndlessCapture replays a quarter of a gigabyte, a whole one for spec/prove/run, a sixteenth for the race detector,
// with streams kept and a handler on each packet, and looks whether memory grows.
func TestEndlessCapture(t *testing.T) {
	size, every := int64(256<<20), 200_000
	switch {
	case testbed.Proving():
		size = 1 << 30
	case raceEnabled:
		size, every = size/4, every/4
	}
	h := newHouse(engineOptions{}, false, io.Discard, io.Discard)
	defer h.engine.Close()
	if err := h.tap([]string{"flow.conn_end"}); err != nil {
		t.Fatal(err)
	}
	var early uint64
	src := &watched{every: every, look: func() {
		if heap := liveHeap(); early == 0 {
			early = heap
		} else if heap > early+early/4+4<<20 {
			t.Errorf("%d MiB are in use, %d were after the first rounds", heap>>20, early>>20)
		}
	}}
	if err := h.load(io.Discard, []string{benchScript("native.lua"), benchScript("five.lua")}); err != nil {
		t.Fatal(err)
	}
	r, err := openMerged(t.Context(), []string{"-"}, &endless{file: crafted(t, 300), left: size})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	src.merged = r
	stats, err := h.feed(src, newInterrupt(t.Context()))
	// The last packet may be cut.
	if err != nil && !strings.Contains(err.Error(), "cut short") {
		t.Fatal(err)
	}
	if stats.Frames < 2*uint64(every) || early == 0 {
		t.Errorf("%d packets, %d bytes in use after the first", stats.Frames, early)
	}
	t.Logf("%d packets, %d connections, %d MiB in use", stats.Frames, stats.Conns, early>>20)
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watched looks at something every so many packets.
type watched struct {
	*merged
	every, n int
	look     func()
}

// Next implements frameSource.
func (w *watched) Next(f *capture.Frame) error {
	if w.n++; w.n%w.every == 0 {
		w.look()
	}
	return w.merged.Next(f)
}

// TestPipe checks that records of what came through a pipe are there while its
// writer waits.
func TestPipe(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	records, out := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run([]string{"replay", "-q", "-", "--print", "flow.conn_end"}, in, out, io.Discard)
		out.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	context.AfterFunc(ctx, func() { feed.CloseWithError(ctx.Err()) })
	e := &endless{file: crafted(t, 2)}
	lines := bufio.NewReader(records)
	for n, part := range [][]byte{e.file, e.round(), e.round()} {
		// A packet comes in pieces, and the last is all there is of its round.
		for len(part) > 0 {
			piece := part[:min(len(part), 777)]
			part = part[len(piece):]
			if _, err := feed.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			line, err := lines.ReadString('\n')
			if err != nil || !strings.Contains(line, `"client_bytes":900,"server_bytes":15000`) {
				t.Fatalf("round %d: %v: %s", n, err, line)
			}
		}
	}
	feed.Close()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%v: %q", err, rest)
	}
	if code := <-done; code != exitDone {
		t.Errorf("exit %d", code)
	}
}

// round is the records of a further round, later than the last.
func (e *endless) round() []byte {
	e.later()
	return e.file[24:]
}
