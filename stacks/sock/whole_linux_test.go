package sock

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netns"
	"github.com/hookd/hookd/stacks/sock/image"
)

// path of a namespace for options.
func nsPath(t testing.TB, ns netns.Handle) string {
	t.Helper()
	return ns.Path()
}

func mover(t testing.TB) *Mover {
	t.Helper()
	m := &Mover{}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestCheckpointRestore moves connections by the whole forms, while the peer goes on
// sending.
func TestCheckpointRestore(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			m := mover(t)
			e := connect(t, ns, f)
			before := resets(t, ns)
			recv := put(t, e.b, noise(20_000))
			unreadIs(t, e.a, len(recv))
			taken, err := m.Checkpoint(e.a, CheckpointOptions{Meta: map[string]string{"why": "test"}})
			must(t, err)
			if taken.Image.Meta["why"] != "test" || taken.Image.Local != e.local || taken.Image.Remote != e.remote {
				t.Errorf("image is %+v", taken.Image)
			}
			say(t, e.b, []byte("in the blackout"))
			p, err := m.placeAt(nsPath(t, ns))
			must(t, err)
			for until := time.Now().Add(time.Minute); p.locks.CanHold() && p.locks.Held(e.tuple()) == 0; time.Sleep(100 * time.Microsecond) {
				if time.Now().After(until) {
					t.Fatal("nothing is held")
				}
			}
			r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
			must(t, err)
			taken.Free()
			defer unix.Close(r.FD)
			patience(t, r.FD)
			must(t, unix.SetNonblock(r.FD, false))
			// It comes by itself: its sender would repeat it after 200 ms and later.
			start, again := time.Now(), repeated(t, e.b)
			want(t, r.FD, recv)
			want(t, r.FD, []byte("in the blackout"))
			if took := time.Since(start); took > 150*time.Millisecond && repeated(t, e.b) > again {
				t.Errorf("what came in the blackout took %v", took)
			}
			say(t, r.FD, []byte("answer"))
			want(t, e.b, []byte("answer"))
			if n := resets(t, ns) - before; n != 0 {
				t.Errorf("%d resets", n)
			}
			if len(r.Lost) > 0 {
				t.Errorf("lost: %v", r.Lost)
			}
		})
	}
}

// repeated is how many segments an end has sent again.
func repeated(t testing.TB, fd int) uint32 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	must(t, err)
	return info.Total_retrans
}

// TestFailures wants a connection whose checkpoint fails, at any step, to go on.
func TestFailures(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	wrong := errors.New("wrong")
	for _, at := range []Step{StepBefore, StepLocked, StepPaused, StepDumped, StepImageWritten, StepClosing} {
		var seen []Step
		_, err := m.Checkpoint(e.a, CheckpointOptions{Observe: func(p *Progress) error {
			seen = append(seen, p.Step)
			if p.Step == at {
				return wrong
			}
			return nil
		}})
		if !errors.Is(err, wrong) {
			t.Fatalf("%v: %v", at, err)
		}
		last := seen[len(seen)-1]
		if at != StepBefore && last != StepResumed {
			t.Errorf("%v: ended with %v", at, seen)
		}
		say(t, e.b, []byte("ping"))
		want(t, e.a, []byte("ping"))
		say(t, e.a, []byte("pong"))
		want(t, e.b, []byte("pong"))
	}
	if _, err := m.Checkpoint(e.a, CheckpointOptions{Sink: func(*image.Image) error { return wrong }}); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	taken, err := m.Checkpoint(e.a, CheckpointOptions{Leave: true})
	must(t, err)
	if taken.Blackout <= 0 {
		t.Errorf("a copy took %v", taken.Blackout)
	}
	taken.Free()
	say(t, e.b, []byte("ping"))
	want(t, e.a, []byte("ping"))
	_ = unix.Close(e.a)
}

// TestLeaseEnds comes back for a connection whose block has ended, and wants blocks that
// nobody comes back for forgotten.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	m.Lease = 500 * time.Millisecond
	e, other := connect(t, ns, families()[0]), connect(t, ns, families()[0])
	taken, err := m.Checkpoint(e.a, CheckpointOptions{})
	must(t, err)
	begun := time.Now()
	time.Sleep(2 * m.Lease)
	r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
	must(t, err)
	defer unix.Close(r.FD)
	if r.Blackout > time.Since(begun)-2*m.Lease {
		t.Errorf("blocked for %v: the first block had ended", r.Blackout)
	}
	must(t, unix.SetNonblock(r.FD, false))
	patience(t, r.FD)
	say(t, e.b, []byte("ping"))
	want(t, r.FD, []byte("ping"))

	_, err = m.Block(other.a)
	must(t, err)
	put(t, other.b, []byte("held"))
	p, err := m.placeAt(nsPath(t, ns))
	must(t, err)
	time.Sleep(3 * m.Lease)
	_, err = m.Block(r.FD)
	must(t, err)
	if len(p.locked) != 1 || p.locks.Held(other.tuple()) != 0 {
		t.Errorf("%d blocks, %d packets held for one that ended", len(p.locked), p.locks.Held(other.tuple()))
	}
	_ = unix.Close(other.a)
}

// TestRestoreFails wants a restore that fails to be silent and to succeed later.
func TestRestoreFails(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	before := resets(t, ns)
	path := filepath.Join(t.TempDir(), "c.img")
	_, err := m.Checkpoint(e.a, CheckpointOptions{Sink: func(img *image.Image) error { return image.WriteFile(path, img, false) }})
	must(t, err)
	claimed, err := image.Claim(path)
	must(t, err)
	opt := RestoreOptions{Namespace: nsPath(t, ns)}
	wrong := errors.New("wrong")
	for _, at := range []Step{StepRestoreBefore, StepUnbound, StepBound, StepNoQ, StepQueues, StepRestored} {
		o := opt
		o.Observe = func(p *Progress) error {
			if p.Step == at {
				return wrong
			}
			return nil
		}
		if _, err := m.Restore(claimed.Image, o); !errors.Is(err, wrong) {
			t.Fatalf("%v: %v", at, err)
		}
	}
	must(t, claimed.Release())
	claimed, err = image.Claim(path)
	must(t, err)
	r, err := m.Restore(claimed.Image, opt)
	must(t, err)
	must(t, claimed.Done())
	defer unix.Close(r.FD)
	if _, err := m.Restore(claimed.Image, opt); !errors.Is(err, ErrBusy) {
		t.Errorf("a twin: %v", err)
	}
	must(t, m.Unlock(e.tuple()))
	say(t, e.b, []byte("ping"))
	must(t, unix.SetNonblock(r.FD, false))
	patience(t, r.FD)
	want(t, r.FD, []byte("ping"))
	if n := resets(t, ns) - before; n != 0 {
		t.Errorf("%d resets", n)
	}
}
