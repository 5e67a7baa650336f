package sock

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	asChild()
	goleak.VerifyTestMain(m)
}

// content is what is in a connection's queues.
type content struct {
	name     string
	recv     int
	inFlight int
	unsent   bool
}

var (
	nothing  = content{name: "empty"}
	received = content{name: "recv", recv: 30_000}
	sent     = content{name: "sent", inFlight: 20_000}
	waiting  = content{name: "unsent", inFlight: 1, unsent: true}
	all      = content{name: "full", recv: 30_000, inFlight: 20_000, unsent: true}
)

// stateCase is a connection in a state with something in its queues.
type stateCase struct {
	state State
	has   content
}

func stateCases() []stateCase {
	list := []stateCase{
		{Established, received},
		{Established, sent},
		{Established, waiting},
		{SynSent, nothing},
		{Closed, nothing},
		{FinWait2, received},
	}
	for _, s := range []State{Established, FinWait1, CloseWait, LastAck, Closing} {
		list = append(list, stateCase{s, nothing}, stateCase{s, all})
	}
	return append(list, stateCase{FinWait2, nothing})
}

// TestStates moves a connection in every state, of every family, with and without
// bytes in its queues, by the staged calls.
func TestStates(t *testing.T) {
	t.Parallel()
	n := 0
	for _, f := range families() {
		b := newBed(t)
		for _, c := range stateCases() {
			n++
			t.Run(fmt.Sprintf("%s/%v/%s", f.name, c.state, c.has.name), func(t *testing.T) {
				defer b.open(true)
				moveInState(t, b, f, c)
			})
		}
	}
	if n < 50 {
		t.Errorf("%d cases", n)
	}
}

func moveInState(t *testing.T, b *bed, f family, c stateCase) {
	if c.state == SynSent {
		moveConnecting(t, b, f)
		return
	}
	e := connect(t, b.ns, f)
	recv := put(t, e.b, noise(c.has.recv))
	unreadIs(t, e.a, len(recv))
	out := lead(t, b, e, c)
	reaches(t, e.a, c.state)
	b.stop(e.local.Port()) // the caller's duty to block; the other direction may be stopped already

	var m Mover
	d, in, q := dumpAll(t, &m, e.a)
	if d.State != c.state || int(d.InqLen) != len(recv) || int(d.OutqLen) != len(out) {
		t.Fatalf("dump is %+v; %d and %d bytes wanted", d, len(recv), len(out))
	}
	if c.has.unsent != (d.UnsqLen > 0) || c.has.inFlight > 0 && d.UnsqLen == d.OutqLen {
		t.Fatalf("%d of %d bytes unsent", d.UnsqLen, d.OutqLen)
	}
	start := time.Now()
	e.a = restoreAll(t, b, &m, f, e.local, e.remote, d, in, q)
	b.open(false)
	verify(t, b, e, c, recv, out)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

// lead brings a connection into its state and fills its send queue; it returns what
// is in it.
func lead(t *testing.T, b *bed, e *ends, c stateCase) (out []byte) {
	t.Helper()
	closeA := func() { must(t, unix.Shutdown(e.a, unix.SHUT_WR)) }
	switch c.state {
	case FinWait2:
		closeA()
		return nil
	case Closed:
		must(t, unix.SetsockoptLinger(e.b, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		must(t, unix.Close(e.b))
		e.b, _ = unix.Open("/dev/null", unix.O_RDONLY, 0)
		return nil
	case CloseWait, LastAck:
		must(t, unix.Shutdown(e.b, unix.SHUT_WR))
		reaches(t, e.a, CloseWait)
	}
	if c.has.inFlight > 0 || c.state != CloseWait && c.state != Established {
		b.stop(e.remote.Port())
	}
	out = put(t, e.a, noise(c.has.inFlight))
	if c.has.unsent {
		out = append(out, put(t, e.a, noise(200_000))...)
	}
	switch c.state {
	case FinWait1, LastAck:
		closeA()
	case Closing:
		closeA()
		reaches(t, e.a, FinWait1)
		must(t, unix.Shutdown(e.b, unix.SHUT_WR))
	}
	return out
}

// dumpAll dumps a socket and closes it.
func dumpAll(t testing.TB, m *Mover, fd int) (d Data, in, out []byte) {
	t.Helper()
	h, err := m.Pause(fd)
	must(t, err)
	var b [DataSize]byte
	n, err := h.Data(b[:])
	must(t, err)
	if n != DataSize {
		t.Fatalf("%d bytes of data", n)
	}
	d, err = DecodeData(b[:])
	must(t, err)
	in, err = h.QueueBytes(RecvQueue, true)
	must(t, err)
	out, err = h.QueueBytes(SendQueue, true)
	must(t, err)
	must(t, h.Close())
	return d, in, out
}

// restoreAll restores by the staged calls and resumes.
func restoreAll(t testing.TB, b *bed, m *Mover, f family, local, remote netip.AddrPort, d Data, in, out []byte) int {
	t.Helper()
	var fd int
	must(t, b.ns.Do(func() (err error) {
		fd, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	h, err := m.Pause(fd)
	must(t, err)
	src := d.Encode()
	must(t, h.SetUnbound(src))
	bindTo(t, fd, f, local)
	connectTo(t, fd, f, remote)
	must(t, h.SetNoQ(src))
	if d.State != SynSent {
		must(t, h.SetQueueBytes(src, RecvQueue, in))
		must(t, h.SetQueueBytes(src, SendQueue, out))
	}
	must(t, h.SetData(src))
	must(t, h.Resume())
	patience(t, fd)
	if d.State != SynSent { // which needs it
		must(t, unix.SetNonblock(fd, false))
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func bindTo(t testing.TB, fd int, f family, a netip.AddrPort) {
	t.Helper()
	sa, err := sockaddr(a, f.domain)
	must(t, err)
	must(t, unix.Bind(fd, sa))
}

func connectTo(t testing.TB, fd int, f family, a netip.AddrPort) {
	t.Helper()
	sa, err := sockaddr(a, f.domain)
	must(t, err)
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
}

// verify uses the connection after the move as its state allows, and wants no reset of it.
// Behind the last FIN there may be one: where that comes twice, the peer's TIME_WAIT answers
// the second to nobody.
func verify(t *testing.T, b *bed, e *ends, c stateCase, recv, out []byte) {
	t.Helper()
	if c.state == Closed {
		reaches(t, e.a, Closed)
		return
	}
	want(t, e.a, recv)
	if len(out) > 0 {
		want(t, e.b, out)
	}
	here := c.state == Established || c.state == CloseWait // may still send
	there := c.state == Established || c.state == FinWait1 || c.state == FinWait2
	if there {
		msg := noise(1000)
		say(t, e.b, msg)
		want(t, e.a, msg)
		b.unreset(t, e.local.Port(), e.remote.Port())
		must(t, unix.Shutdown(e.b, unix.SHUT_WR))
	}
	wantEnd(t, e.a)
	if here {
		msg := noise(1000)
		say(t, e.a, msg)
		want(t, e.b, msg)
		b.unreset(t, e.local.Port(), e.remote.Port())
		must(t, unix.Shutdown(e.a, unix.SHUT_WR))
	}
	wantEnd(t, e.b)
	if c.state == Closing { // in which no end is the last
		b.unreset(t, e.local.Port(), e.remote.Port())
	}
}

// moveConnecting moves a socket that waits for the answer to its SYN.
func moveConnecting(t *testing.T, b *bed, f family) {
	l, at := listenOn(t, b.ns, family{domain: f.otherDomain, here: f.there})
	defer unix.Close(l)
	b.stop(at.Port())
	var fd int
	must(t, b.ns.Do(func() (err error) {
		fd, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	}))
	to := netip.AddrPortFrom(f.here, at.Port())
	// A port of its own: one that connect finds may be shared with a connection to elsewhere, and
	// cannot be bound to again.
	bindTo(t, fd, f, netip.AddrPortFrom(f.here, 0))
	connectTo(t, fd, f, to)
	reaches(t, fd, SynSent)
	b.keeps(t)
	var m Mover
	local, err := localOf(fd)
	must(t, err)
	if got, err := peerOf(fd); err != nil || got != to {
		t.Fatalf("peer is %v, %v", got, err)
	}
	d, in, out := dumpAll(t, &m, fd)
	if d.State != SynSent || len(in)+len(out) != 0 {
		t.Fatalf("dump is %+v", d)
	}
	b.settle(t) // a SYN that the first sent a second time is lost, too
	b.open(true)
	fd = restoreAll(t, b, &m, f, local, to, d, in, out)
	reaches(t, fd, Established)
	must(t, unix.SetNonblock(fd, false))
	other, from, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	must(t, err)
	defer unix.Close(other)
	if got := fromSockaddr(from); got.Port() != local.Port() {
		t.Errorf("connected from %v, not %v", got, local)
	}
	patience(t, other)
	say(t, fd, []byte("hello"))
	want(t, other, []byte("hello"))
	say(t, other, []byte("world"))
	want(t, fd, []byte("world"))
	b.unreset(t, local.Port(), at.Port())
}
