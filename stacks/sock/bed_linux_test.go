package sock

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// bed is a network namespace whose loopback is a wire that tests can stop.
type bed struct {
	t  testing.TB
	ns netns.Handle
	*wire
}

func newBed(t testing.TB) *bed {
	t.Helper()
	ns := namespace(t)
	b := &bed{t: t, ns: ns}
	b.wire = newWire(t, ns)
	return b
}

func namespace(t testing.TB) netns.Handle {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		const why = "needs a network namespace of its own: run as root, or under unshare -Urn"
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatalf("%s: %v", why, err)
		}
		t.Skipf("%s: %v", why, err)
	}
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

// wire lets packets pass, or keeps those to a port.
type wire struct {
	q    *netfilter.Queue
	done chan struct{}

	mu      sync.Mutex
	stopped map[uint16]bool // destination ports whose packets are kept
	kept    []uint32
	rst     map[[2]uint16]int // how many resets were sent, by source and destination port
	marks   int               // datagrams that say that all before them was looked at
}

func newWire(t testing.TB, ns netns.Handle) *wire {
	t.Helper()
	q, err := netfilter.OpenQueue(netfilter.QueueConfig{Num: 1, Any: true, Range: 64, Namespace: ns, Offload: true})
	if err != nil {
		t.Skipf("this kernel has no queue for packets: %v", err)
	}
	d, err := netfilter.Divert(ns, q.Num(), netfilter.Prerouting)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{q: q, done: make(chan struct{}), stopped: map[uint16]bool{}, rst: map[[2]uint16]int{}}
	go w.run()
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), q.Close()); err != nil {
			t.Error(err)
		}
		<-w.done
	})
	return w
}

func (w *wire) run() {
	defer close(w.done)
	batch := make([]netfilter.Packet, 64)
	for {
		n, err := w.q.Read(batch, -1)
		if err != nil {
			return
		}
		w.mu.Lock()
		for _, p := range batch[:n] {
			at, protocol := 20, p.Data[9]
			if p.Data[0]>>4 == 6 {
				at, protocol = 40, p.Data[6]
			}
			to := binary.BigEndian.Uint16(p.Data[at+2:])
			switch {
			case protocol == unix.IPPROTO_UDP && to == markPort:
				w.marks++
			case protocol == unix.IPPROTO_TCP && p.Data[at+13]&4 != 0:
				w.rst[[2]uint16{binary.BigEndian.Uint16(p.Data[at:]), to}]++
			}
			if w.stopped[to] {
				w.kept = append(w.kept, p.ID)
				continue
			}
			w.q.Accept(p.ID)
		}
		_ = w.q.Flush() // who stops it now wants nothing of this to be on its way
		w.mu.Unlock()
	}
}

// stop keeps packets to a port from now on.
func (w *wire) stop(port uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped[port] = true
}

// keeps waits until the wire has kept a packet since it was stopped.
func (w *wire) keeps(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Microsecond) {
		w.mu.Lock()
		n := len(w.kept)
		w.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatal("no packet came")
		}
	}
}

// open lets everything pass; what was kept is lost or comes now.
func (w *wire) open(lose bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.stopped)
	for _, id := range w.kept {
		if lose {
			w.q.Drop(id)
		} else {
			w.q.Accept(id)
		}
	}
	w.kept = nil
	_ = w.q.Flush()
}

// markPort is where nobody listens.
const markPort = 9

// settle waits until the wire has looked at all that was sent so far.
func (b *bed) settle(t testing.TB) {
	t.Helper()
	count := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.marks
	}
	before := count()
	must(t, b.ns.Do(func() error {
		c, err := net.Dial("udp4", fmt.Sprint("127.0.0.1:", markPort))
		if err != nil {
			return err
		}
		_, err = c.Write([]byte("x"))
		return errors.Join(err, c.Close())
	}))
	for until := time.Now().Add(time.Minute); count() == before; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(until) {
			t.Fatal("the wire does not get on")
		}
	}
}

// unreset wants that no end of a connection has sent a RST so far. Those of connections before
// it, which may come late, do not count.
func (b *bed) unreset(t testing.TB, local, remote uint16) {
	t.Helper()
	b.settle(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.rst[[2]uint16{local, remote}] + b.rst[[2]uint16{remote, local}]; n > 0 {
		t.Errorf("%d resets were sent", n)
	}
}

// family is what kind of sockets a case has.
type family struct {
	name         string
	domain       int // of the socket that is moved
	here, there  netip.Addr
	otherDomain  int
	mappedSocket bool
}

func families() []family {
	lo4, lo6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	return []family{
		{"v4", unix.AF_INET, lo4, lo4, unix.AF_INET, false},
		{"v6", unix.AF_INET6, lo6, lo6, unix.AF_INET6, false},
		{"mapped", unix.AF_INET6, netip.AddrFrom16(lo4.As16()), lo4, unix.AF_INET, true},
	}
}

// ends are both ends of a connection: a is the one that is moved, and was accepted.
type ends struct {
	t    testing.TB
	f    family
	a, b int
	// local and remote are a's.
	local, remote netip.AddrPort
}

func (e *ends) tuple() netfilter.Tuple { return netfilter.Tuple{Local: e.local, Remote: e.remote} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listenOn(t testing.TB, ns netns.Handle, f family) (fd int, at netip.AddrPort) {
	t.Helper()
	must(t, ns.Do(func() (err error) {
		fd, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	sa, err := sockaddr(netip.AddrPortFrom(f.here, 0), f.domain)
	must(t, err)
	must(t, unix.Bind(fd, sa))
	must(t, unix.Listen(fd, 8))
	at, err = localOf(fd)
	must(t, err)
	return fd, at
}

// connect makes a connection. Both ends have a timeout for reading.
func connect(t testing.TB, ns netns.Handle, f family) *ends {
	t.Helper()
	l, at := listenOn(t, ns, f)
	defer unix.Close(l)
	e := &ends{t: t, f: f}
	must(t, ns.Do(func() (err error) {
		e.b, err = unix.Socket(f.otherDomain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	sa, err := sockaddr(netip.AddrPortFrom(f.there, at.Port()), f.otherDomain)
	must(t, err)
	must(t, unix.Connect(e.b, sa))
	e.a, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	must(t, err)
	e.local, err = localOf(e.a)
	must(t, err)
	e.remote, err = peerOf(e.a)
	must(t, err)
	patience(t, e.a)
	patience(t, e.b)
	t.Cleanup(func() { _ = unix.Close(e.b) })
	return e
}

func patience(t testing.TB, fd int) {
	t.Helper()
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}))
}

// noise returns bytes that no two calls share.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// put writes as much as the socket takes without waiting and returns it.
func put(t testing.TB, fd int, b []byte) []byte {
	t.Helper()
	n := 0
	for n < len(b) {
		m, err := unix.SendmsgN(fd, b[n:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		must(t, err)
		n += m
	}
	return b[:n]
}

// whole repeats a system call that a signal of Go's runtime interrupted.
func whole(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// say writes all bytes, however long it takes until there is room.
func say(t testing.TB, fd int, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := whole(func() (int, error) { return unix.Write(fd, b) })
		if errors.Is(err, unix.EAGAIN) {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		must(t, err)
		b = b[n:]
	}
}

// want reads exactly these bytes.
func want(t testing.TB, fd int, b []byte) {
	t.Helper()
	got := make([]byte, len(b))
	for n := 0; n < len(b); {
		m, err := whole(func() (int, error) { return unix.Read(fd, got[n:]) })
		if err != nil || m == 0 {
			t.Fatalf("after %d of %d bytes: %d, %v", n, len(b), m, err)
		}
		n += m
	}
	if !bytes.Equal(got, b) {
		t.Fatal("other bytes")
	}
}

// wantEnd reads the end of the stream.
func wantEnd(t testing.TB, fd int) {
	t.Helper()
	if n, err := whole(func() (int, error) { return unix.Read(fd, make([]byte, 8)) }); n != 0 || err != nil {
		t.Fatalf("no end of stream: %d, %v", n, err)
	}
}

func stateOf(t testing.TB, fd int) State {
	t.Helper()
	info, err := readInfo(fd)
	must(t, err)
	return info.state
}

// reaches waits until a socket is in a state.
func reaches(t testing.TB, fd int, want State) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Microsecond) {
		got := stateOf(t, fd)
		if got == want {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("state is %v, not %v", got, want)
		}
	}
}

// unreadIs waits until that many bytes can be read.
func unreadIs(t testing.TB, fd, n int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Microsecond) {
		got, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		must(t, err)
		if got == n {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d bytes to read, not %d", got, n)
		}
	}
}

// resets is how many RSTs the namespace has sent.
func resets(t testing.TB, ns netns.Handle) (n int) {
	t.Helper()
	must(t, ns.Do(func() error {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/net/snmp", unix.Gettid()))
		if err != nil {
			return err
		}
		var names []string
		for _, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] != "Tcp:" {
				continue
			}
			if names == nil {
				names = f
				continue
			}
			for i, name := range names {
				if name == "OutRsts" {
					_, err = fmt.Sscan(f[i], &n)
				}
			}
		}
		return err
	}))
	return n
}

func mustAddr(t testing.TB, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	must(t, err)
	return a
}
