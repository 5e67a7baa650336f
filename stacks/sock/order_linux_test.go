package sock

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/sock/image"
)

// TestOrder calls out of order at every stage: each is ErrOrder and changes nothing.
func TestOrder(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	h, err := m.Pause(e.a)
	must(t, err)
	refuse := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	d := Data{State: Established}.Encode()
	queue := func(h *Handle) error { _, err := h.QueueBytes(RecvQueue, false); return err }
	data := func(h *Handle) error { _, err := h.Data(make([]byte, DataSize)); return err }
	refuse("QueueBytes before Data", queue(h))
	refuse("SetUnbound of a connected socket", h.SetUnbound(d))
	refuse("SetNoQ first", h.SetNoQ(d))
	refuse("SetQueueBytes first", h.SetQueueBytes(d, RecvQueue, nil))
	refuse("SetData first", h.SetData(d))
	must(t, data(h))
	refuse("Data twice", data(h))
	refuse("SetUnbound after Data", h.SetUnbound(d))
	must(t, queue(h))
	must(t, h.Resume())
	for what, err := range map[string]error{"Resume": h.Resume(), "Data": data(h), "QueueBytes": queue(h), "Close": h.Close(), "Disconnect": h.Disconnect()} {
		if !errors.Is(err, ErrReleased) {
			t.Errorf("%s of a released handle: %v", what, err)
		}
	}
	say(t, e.b, []byte("alive"))
	want(t, e.a, []byte("alive"))

	put(t, e.b, []byte("unread"))
	unreadIs(t, e.a, 6)
	dd, in, out := dumpAll(t, m, e.a)
	fd := fresh(t, ns, unix.AF_INET)
	h, err = m.Pause(fd)
	must(t, err)
	src := dd.Encode()
	refuse("SetData of a fresh socket", h.SetData(src))
	must(t, h.SetUnbound(src))
	refuse("Resume half way", h.Resume())
	refuse("SetNoQ unconnected", h.SetNoQ(src))
	refuse("SetUnbound twice", h.SetUnbound(src))
	bindTo(t, fd, e.f, e.local)
	connectTo(t, fd, e.f, e.remote)
	other := dd
	other.InqSeq++
	refuse("other data", h.SetNoQ(other.Encode()))
	must(t, h.SetNoQ(src))
	refuse("SetData without the queue", h.SetData(src))
	if err := h.SetQueueBytes(src, RecvQueue, in[1:]); err == nil {
		t.Error("a queue of another length")
	}
	must(t, h.SetQueueBytes(src, RecvQueue, in))
	refuse("the queue twice", h.SetQueueBytes(src, RecvQueue, in))
	must(t, h.SetQueueBytes(src, SendQueue, out))
	must(t, h.SetData(src))
	if got := dd.Encode(); !bytes.Equal(got, src) {
		t.Error("the caller's data changed")
	}
	must(t, h.Resume())
	patience(t, fd)
	want(t, fd, []byte("unread"))
}

func fresh(t testing.TB, ns interface{ Do(func() error) error }, domain int) (fd int) {
	t.Helper()
	must(t, ns.Do(func() (err error) {
		fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// TestSizes is about buffers that are not DataSize long.
func TestSizes(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	defer unix.Close(e.a)
	h, err := m.Pause(e.a)
	must(t, err)
	if _, err := h.Data(make([]byte, DataSize-1)); !errors.Is(err, ErrSize) {
		t.Errorf("too small: %v", err)
	}
	large := bytes.Repeat([]byte{0xff}, DataSize+32)
	n, err := h.Data(large)
	must(t, err)
	if n != DataSize || len(bytes.Trim(large[DataSize:], "\x00")) != 0 {
		t.Errorf("%d bytes, then %x", n, large[DataSize:])
	}
	a, err := h.QueueBytes(SendQueue, true)
	must(t, err)
	b, err := h.QueueBytes(SendQueue, true)
	if len(a) != 0 || b != nil || err != nil {
		t.Errorf("%v %v %v", a, b, err)
	}
	if _, err := h.QueueBytes(Queue(3), true); err == nil {
		t.Error("a third queue")
	}
	must(t, h.Resume())
}

// TestSteal takes a queue's bytes for good while the socket keeps its own.
func TestSteal(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	defer unix.Close(e.a)
	msg := noise(100_000)
	must(t, unix.SetsockoptInt(e.a, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20))
	say(t, e.b, msg)
	unreadIs(t, e.a, len(msg))
	h, err := m.Pause(e.a)
	must(t, err)
	_, err = h.Data(make([]byte, DataSize))
	must(t, err)
	kept, err := h.QueueBytes(RecvQueue, false)
	must(t, err)
	again, err := h.QueueBytes(RecvQueue, false)
	must(t, err)
	if !bytes.Equal(kept, msg) || !bytes.Equal(again, msg) {
		t.Error("other bytes")
	}
	stolen, err := h.QueueBytes(RecvQueue, true)
	must(t, err)
	must(t, h.Resume())
	want(t, e.a, msg)
	if !bytes.Equal(stolen, msg) {
		t.Error("stolen bytes changed")
	}
}

// TestRefused is what cannot be moved, each refused before anything is touched.
func TestRefused(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	made := func(domain, kind, proto int) int {
		var fd int
		err := ns.Do(func() (err error) { fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC, proto); return err })
		if err != nil {
			return -1
		}
		return fd
	}
	l, _ := listenOn(t, ns, families()[1])
	defer unix.Close(l)
	e := connect(t, ns, families()[0])
	defer unix.Close(e.a)
	paused := connect(t, ns, families()[0])
	defer unix.Close(paused.a)
	h, err := m.Pause(paused.a)
	must(t, err)
	for _, tt := range []struct {
		name string
		fd   int
		want error
	}{
		{"listening", l, ErrListening},
		{"udp", made(unix.AF_INET, unix.SOCK_DGRAM, 0), ErrNotTCP},
		{"unix", made(unix.AF_UNIX, unix.SOCK_STREAM, 0), ErrNotTCP},
		{"mptcp", made(unix.AF_INET, unix.SOCK_STREAM, protoMPTCP), ErrMPTCP},
		{"closed descriptor", 1 << 20, unix.EBADF},
		{"paused", paused.a, ErrPaused},
	} {
		if tt.fd < 0 {
			t.Logf("%s: not in this kernel", tt.name)
			continue
		}
		if _, err := m.Pause(tt.fd); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, err := m.Checkpoint(tt.fd, CheckpointOptions{}); !errors.Is(err, tt.want) {
			t.Errorf("checkpoint of %s: %v", tt.name, err)
		}
		if tt.want == ErrNotTCP || tt.want == ErrMPTCP {
			must(t, unix.Close(tt.fd))
		}
	}
	must(t, h.Resume())
	for _, bad := range []func(*Data){
		func(d *Data) { d.State = Listen },
		func(d *Data) { d.UnsqLen = d.OutqLen + 1 },
		func(d *Data) { d.OptMask, d.SndWscale = OptWscale, 15 },
		func(d *Data) { d.Flags, d.SndWnd, d.MaxWindow = FlagWindow, 2, 1 },
	} {
		d := Data{State: Established, MSSClamp: 1460}
		bad(&d)
		fd := made(unix.AF_INET, unix.SOCK_STREAM, 0)
		h, err := m.Pause(fd)
		must(t, err)
		if err := h.SetUnbound(d.Encode()); err == nil {
			t.Errorf("%+v was taken", d)
		}
		must(t, h.Close())
	}
}

// TestUrgent refuses urgent data that waits, wherever it stands in the queue, and
// takes the connection once it is read.
func TestUrgent(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	for _, inline := range []int{0, 1} {
		e := connect(t, ns, families()[0])
		must(t, unix.SetsockoptInt(e.a, unix.SOL_SOCKET, unix.SO_OOBINLINE, inline))
		say(t, e.b, []byte("before"))
		must(t, unix.Sendto(e.b, []byte("!"), unix.MSG_OOB, nil))
		say(t, e.b, []byte("after"))
		for n := 0; n < 11; { // the kernel counts in two parts
			first, _ := unix.IoctlGetInt(e.a, unix.SIOCINQ)
			if n = first; n == 6 {
				break
			}
		}
		if _, err := m.Checkpoint(e.a, CheckpointOptions{}); !errors.Is(err, ErrUrgent) {
			t.Fatalf("inline %d: %v", inline, err)
		}
		want(t, e.a, []byte("before"))
		if inline == 0 {
			want(t, e.a, []byte("after"))
		} else {
			want(t, e.a, []byte("!after"))
		}
		taken, err := m.Checkpoint(e.a, CheckpointOptions{})
		must(t, err)
		must(t, m.Unlock(e.tuple()))
		taken.Free()
	}
}

// TestPeekOffset dumps all that waits, also of a socket that peeks from further on,
// and gives the new one the offset.
func TestPeekOffset(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	if err := unix.SetsockoptInt(e.a, unix.SOL_SOCKET, unix.SO_PEEK_OFF, 4); err != nil {
		t.Skipf("this kernel has no peek offset for TCP: %v", err)
	}
	say(t, e.b, []byte("0123456789"))
	unreadIs(t, e.a, 10)
	taken, err := m.Checkpoint(e.a, CheckpointOptions{})
	must(t, err)
	if string(taken.Image.Recv) != "0123456789" {
		t.Errorf("queue is %q", taken.Image.Recv)
	}
	r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
	must(t, err)
	defer unix.Close(r.FD)
	if off, err := unix.GetsockoptInt(r.FD, unix.SOL_SOCKET, unix.SO_PEEK_OFF); err != nil || off != 4 {
		t.Errorf("offset is %d, %v", off, err)
	}
}

// TestOptions moves a connection with unusual options and compares.
func TestOptions(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	for _, f := range families()[:2] {
		e := connect(t, ns, f)
		set := func(level, name, v int) {
			t.Helper()
			must(t, unix.SetsockoptInt(e.a, level, name, v))
		}
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 7)
		set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3)
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 12345)
		set(unix.SOL_SOCKET, unix.SO_PRIORITY, 5)
		set(unix.SOL_SOCKET, unix.SO_RCVLOWAT, 9)
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, 50_000)
		set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		must(t, unix.SetsockoptLinger(e.a, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 4}))
		must(t, unix.SetsockoptSockFprog(e.a, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: 6, K: 0xffff}}))
		before := readOptions(e.a, f.domain)
		taken, err := m.Checkpoint(e.a, CheckpointOptions{})
		must(t, err)
		r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
		must(t, err)
		if len(r.Lost) > 0 {
			t.Errorf("lost: %v", r.Lost)
		}
		if diff := cmp.Diff(before, readOptions(r.FD, f.domain)); diff != "" {
			t.Errorf("%s: -before +after\n%s", f.name, diff)
		}
		c, err := r.Conn()
		must(t, err)
		if diff := cmp.Diff(before, readOptions(r.FD, f.domain)); diff != "" {
			t.Errorf("%s as net.Conn: -before +after\n%s", f.name, diff)
		}
		must(t, c.Close())
	}
}

// TestSegments wants segments as large after a move as before, and the listener that a
// connection came from no obstacle.
func TestSegments(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	l, at := listenOn(t, ns, families()[0])
	defer unix.Close(l)
	b := fresh(t, ns, unix.AF_INET)
	connectTo(t, b, families()[0], at)
	a, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	must(t, err)
	before, err := unix.GetsockoptInt(a, unix.IPPROTO_TCP, unix.TCP_MAXSEG)
	must(t, err)
	taken, err := m.Checkpoint(a, CheckpointOptions{})
	must(t, err)
	r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
	must(t, err)
	after, err := unix.GetsockoptInt(r.FD, unix.IPPROTO_TCP, unix.TCP_MAXSEG)
	must(t, err)
	if after < min(before, 32700) {
		t.Errorf("segments of %d bytes, %d before", after, before)
	}
	say(t, b, []byte("x"))
	if _, err := r.Settle(1e9); err != nil {
		t.Error(err)
	}
	must(t, unix.Close(r.FD))
}

// TestDamagedFile cuts the image of a real connection short and flips its bits, one at a
// time: nothing is restored of any of them, no socket is made, the file keeps its name, and
// the whole image still restores afterwards.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	put(t, e.b, noise(500))
	unreadIs(t, e.a, 500)
	path := filepath.Join(t.TempDir(), "c.img")
	taken, err := m.Checkpoint(e.a, CheckpointOptions{File: path, Meta: map[string]string{"why": "test"}})
	must(t, err)
	recv := bytes.Clone(taken.Image.Recv)
	whole, err := os.ReadFile(path)
	must(t, err)
	steps := 0
	restore := func() (*Restored, error) {
		c, err := image.Claim(path)
		if err != nil {
			return nil, err
		}
		opt := RestoreOptions{Namespace: nsPath(t, ns), Observe: func(*Progress) error { steps++; return nil }}
		r, err := m.Restore(c.Image, opt)
		if err != nil {
			return nil, errors.Join(err, c.Release())
		}
		return r, c.Done()
	}
	refuse := func(b []byte, what string, at int) {
		t.Helper()
		must(t, os.WriteFile(path, b, 0o600))
		if r, err := restore(); err == nil || steps > 0 {
			t.Fatalf("%s at %d of %d: restored as %+v, %v, %d steps", what, at, len(whole), r, err, steps)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s at %d: %v", what, at, err)
		}
	}
	for at := 0; at < len(whole); at += 2 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << (at % 8)
		refuse(flipped, "flipped", at)
		if at%6 == 0 {
			refuse(whole[:at], "cut", at)
		}
	}
	refuse(append(bytes.Clone(whole), 0), "longer", len(whole))
	must(t, os.WriteFile(path, whole, 0o600))
	r, err := restore()
	must(t, err)
	defer unix.Close(r.FD)
	must(t, unix.SetNonblock(r.FD, false))
	patience(t, r.FD)
	want(t, r.FD, recv)
}

func TestDamagedImage(t *testing.T) {
	t.Parallel()
	m := &Mover{}
	for name, img := range map[string]*image.Image{
		"empty":   {},
		"lengths": {State: 1, Recv: []byte("x")},
	} {
		if _, err := m.Restore(img, RestoreOptions{}); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	must(t, m.Close())
}
