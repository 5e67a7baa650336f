package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestJobsOfADamagedCapture cuts a capture: several jobs handle what one does, and tell of the damage once.
func TestJobsOfADamagedCapture(t *testing.T) {
	defer goleak.VerifyNone(t)
	whole, err := os.ReadFile("../../examples/office/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{24, 30, len(whole) / 2, len(whole) - 1} {
		path := filepath.Join(t.TempDir(), "cut.pcap")
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		type ending struct {
			Code    int
			Records []string
			Logs    string
		}
		end := func(jobs string) ending {
			var out, logs bytes.Buffer
			code := run([]string{"replay", path, "--print", "hookd.stop", "--print", "flow.conn_start.snd", "--jobs", jobs}, nil, &out, &logs)
			events := strings.Split(out.String(), "\n")
			for i, e := range events { // what does not depend on the order
				_, e, _ = strings.Cut(e, `"event":`)
				before, after, _ := strings.Cut(e, `"conn":`)
				_, after, _ = strings.Cut(after, ",")
				events[i] = before + after
			}
			slices.Sort(events)
			return ending{code, events, logs.String()}
		}
		if diff := cmp.Diff(end("1"), end("2")); diff != "" {
			t.Errorf("%d bytes (-one +two):\n%s", size, diff)
		}
	}
}

// firstLine is a stdout that tells of its first line.
type firstLine struct {
	bytes.Buffer
	seen chan struct{}
}

func (f *firstLine) Write(b []byte) (int, error) {
	if f.Len() == 0 {
		close(f.seen)
	}
	return f.Buffer.Write(b)
}

// TestJobsOfAPipe gives several jobs a capture bit by bit: what came of the packets so far is written before they
// wait for more, and in the end it is what comes of the file.
func TestJobsOfAPipe(t *testing.T) {
	defer goleak.VerifyNone(t)
	whole, err := os.ReadFile("../../examples/office/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	from, to := io.Pipe()
	out := &firstLine{seen: make(chan struct{})}
	fed := make(chan bool)
	go func() {
		half := len(whole) / 2
		_, _ = to.Write(whole[:half])
		select {
		case <-out.seen:
			fed <- true
		case <-time.After(time.Minute):
			fed <- false
		}
		for rest := whole[half:]; len(rest) > 0; rest = rest[min(777, len(rest)):] {
			_, _ = to.Write(rest[:min(777, len(rest))])
		}
		_ = to.Close()
	}()
	done := make(chan int)
	var logs bytes.Buffer
	go func() {
		done <- run([]string{"replay", "-", "--print", "flow.conn_start.snd", "-q", "--jobs", "2"}, from, out, &logs)
	}()
	if !<-fed {
		t.Error("nothing was written while the pipe stood still")
	}
	if code := <-done; code != exitDone {
		t.Fatalf("exit %d: %s", code, &logs)
	}
	var file bytes.Buffer
	if code := run([]string{"replay", "../../examples/office/capture.pcap", "--print", "flow.conn_start.snd", "-q"}, nil, &file, &logs); code != exitDone {
		t.Fatalf("exit %d: %s", code, &logs)
	}
	if got, want := strings.Count(out.String(), "\n"), strings.Count(file.String(), "\n"); got != want || want == 0 {
		t.Errorf("%d connections, want %d", got, want)
	}
}

// closedPipe is a stdout that nobody reads.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestJobsForNobody checks that jobs end where nobody reads what they write, with the capture in the middle.
func TestJobsForNobody(t *testing.T) {
	defer goleak.VerifyNone(t)
	from, to := io.Pipe()
	whole, err := os.ReadFile("../../examples/office/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := to.Write(whole)
		for err == nil { // the same packets for ever
			_, err = to.Write(whole[24:])
		}
	}()
	var logs bytes.Buffer
	code := run([]string{"replay", "-", "--print", "flow.pkt_in", "-q", "--jobs", "3"}, from, closedPipe{}, &logs)
	_ = from.Close()
	if code != exitIO {
		t.Errorf("exit %d: %s", code, &logs)
	}
}
