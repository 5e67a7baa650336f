package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// merged reads several captures as one, in the order of time, then of the
// files, then of the packets in them.
type merged struct {
	readers []*capture.Reader
	heads   []capture.Frame
	state   []headState
	filter  *packetFilter // nil: every packet
	passed  uint64        // packets that it did not select
	err     error
	live    bool // a capture may still be written: a read may wait
	closers []io.Closer

	file, iface int // where the packet that was given out last comes from
}

type headState uint8

const (
	headStale headState = iota // its frame was given out: read the next
	headReady
	headEnded
)

// openMerged opens captures; "-" is stdin. Reading from what may keep it waiting ends with ctx.
func openMerged(ctx context.Context, paths []string, stdin io.Reader) (*merged, error) {
	m := &merged{}
	for _, p := range paths {
		r, err := m.open(ctx, p, stdin)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		m.readers = append(m.readers, r)
		_, size := r.Progress()
		m.live = m.live || size == 0
	}
	m.heads = make([]capture.Frame, len(m.readers))
	m.state = make([]headState, len(m.readers))
	return m, nil
}

func (m *merged) open(ctx context.Context, path string, stdin io.Reader) (*capture.Reader, error) {
	if path != "-" {
		if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() || info.IsDir() {
			return capture.Open(path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		m.closers = append(m.closers, f)
		stdin = f
	}
	name := path
	if path == "-" {
		name = "standard input"
	}
	if f, ok := stdin.(*os.File); ok {
		in, err := capture.Interruptible(ctx, f)
		if err != nil {
			return nil, err
		}
		m.closers = append(m.closers, in)
		stdin = in
	}
	return capture.NewReader(stdin, name)
}

// maxPassed is how many packets that the filter does not select one call of Next passes over: some 50 µs.
const maxPassed = 1024

// Next gives the earliest packet that the filter selects, lent until the next call. It returns [feed.ErrIdle]
// where it passed over some that are not selected, and there are many of them or it would have to wait for
// more. After the last packet it returns io.EOF, or the first damage that any of the captures had: a damaged
// capture ends there, the others go on.
func (m *merged) Next(f *capture.Frame) error {
	for range maxPassed {
		if err := m.next(f); err != nil || m.filter == nil {
			return err
		}
		if wanted, err := m.filter.selects(f); wanted || err != nil {
			return err
		}
		m.passed++
		if m.waits() {
			break
		}
	}
	return feed.ErrIdle
}

// passedOver returns how many packets before the one that Next gave last the filter did not select.
func (m *merged) passedOver() uint64 { return m.passed }

// patient is captures for who does nothing else meanwhile: Next passes over whatever is not selected.
type patient struct{ *merged }

// Next implements [frameSource].
func (p patient) Next(f *capture.Frame) error {
	for {
		if err := p.merged.Next(f); !errors.Is(err, feed.ErrIdle) {
			return err
		}
	}
}

// next gives the earliest packet, whatever the filter says. Of one capture that
// is the next, whatever its time.
func (m *merged) next(f *capture.Frame) error {
	if len(m.readers) == 1 {
		err := m.readers[0].Next(f)
		m.iface = f.Iface
		return err
	}
	best := -1
	for i := range m.readers {
		if m.state[i] == headStale {
			m.fill(i)
		}
		if m.state[i] == headReady && (best < 0 || m.heads[i].TS < m.heads[best].TS) {
			best = i
		}
	}
	if best < 0 {
		if m.err != nil {
			return m.err
		}
		return io.EOF
	}
	*f = m.heads[best]
	m.file, m.iface = best, f.Iface
	m.state[best] = headStale
	return nil
}

func (m *merged) fill(i int) {
	err := m.readers[i].Next(&m.heads[i])
	if err == nil {
		m.state[i] = headReady
		return
	}
	m.state[i] = headEnded
	if !errors.Is(err, io.EOF) && m.err == nil {
		m.err = err
	}
}

// fileBits is how many bits of a place are for where in its file it is; the file's number is above them. What
// lies behind 256 GiB of a file has no place, nor what is in a file behind the 8192nd.
const fileBits = 38

// Place implements [flow.Storage] for the packet that Next gave last.
func (m *merged) Place(b []byte) (at int64, ok bool) {
	at, ok = m.readers[m.file].Place(b)
	return int64(m.file)<<fileBits | at, ok && at>>fileBits == 0 && m.file < 1<<(51-fileBits)
}

// ReadAt implements [flow.Storage].
func (m *merged) ReadAt(b []byte, at int64) (int, error) {
	return m.readers[at>>fileBits].ReadAt(b, at&(1<<fileBits-1))
}

// swap implements [frameSource].
func (m *merged) swap(f func(window []byte, n int) []byte) {
	for _, r := range m.readers {
		r.Swap(f)
	}
}

// waits reports whether Next may have to wait for a program that is writing.
func (m *merged) waits() bool {
	if !m.live {
		return false
	}
	for i, r := range m.readers {
		if m.state[i] == headStale && !r.Ready() {
			return true
		}
	}
	return false
}

// progress returns how much of the captures was read, and how large they are,
// as they are stored; a size of 0 is not known.
func (m *merged) progress() (read, size int64) {
	for _, r := range m.readers {
		n, of := r.Progress()
		if of == 0 {
			return 0, 0
		}
		read, size = read+n, size+of
	}
	return read, size
}

// offset returns how many bytes of the captures, uncompressed, were consumed.
func (m *merged) offset() int64 {
	var sum int64
	for _, r := range m.readers {
		sum += r.Offset()
	}
	return sum
}

// Close closes all captures.
func (m *merged) Close() error {
	var errs []error
	for _, r := range m.readers {
		errs = append(errs, r.Close())
	}
	for _, c := range m.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
