package netfilter

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// namespace makes a network namespace for a test.
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

// locks opens locks that are closed with the test.
func locks(t testing.TB, cfg Config) *Locks {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// pair is a connection over the namespace's loopback, seen from the server's side.
type pair struct {
	here, there net.Conn
	tuple       Tuple
}

// connected connects over loopback: address "127.0.0.1", "::1", or ":" for a server
// that listens on both, whose connection from IPv4 has mapped addresses.
func connected(t testing.TB, ns netns.Handle, network, listen, dial string) pair {
	t.Helper()
	var p pair
	err := ns.Do(func() error {
		l, err := net.Listen(network, listen)
		if err != nil {
			return err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if p.there, err = net.Dial("tcp", net.JoinHostPort(dial, port)); err != nil {
			return err
		}
		p.here, err = l.Accept()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.here.Close(); _ = p.there.Close() })
	p.tuple = Tuple{addr(p.here.LocalAddr()), addr(p.here.RemoteAddr())}
	return p
}

func addr(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

// arrives reads n bytes.
func arrives(t testing.TB, c net.Conn, n int) []byte {
	t.Helper()
	start, b := time.Now(), make([]byte, n)
	_ = c.SetReadDeadline(start.Add(time.Minute))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("after %v: %v", time.Since(start), err)
	}
	return b
}

// arrivesUnrepeated is arrives for what was held until just now: it comes by itself, before its
// sender repeats it, which it does after 200 ms. Where it takes long the sender says which.
func arrivesUnrepeated(t testing.TB, here, there net.Conn, n int) []byte {
	t.Helper()
	start, before := time.Now(), repeated(t, there)
	b := arrives(t, here, n)
	if took := time.Since(start); took > 120*time.Millisecond && repeated(t, there) > before {
		t.Errorf("what was held came after %v", took)
	}
	return b
}

// repeated is how many segments an end has sent again.
func repeated(t testing.TB, c net.Conn) (n uint32) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if failed = err; err == nil {
			n = info.Total_retrans
		}
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return n
}

// silent fails if a byte arrives within a time.
func silent(t testing.TB, c net.Conn, d time.Duration) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(d))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatalf("%d bytes came through", n)
	} else if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
		t.Fatal(err)
	}
}

func send(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}
