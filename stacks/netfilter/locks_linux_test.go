package netfilter

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("NETFILTER_TEST_CHILD"); path != "" {
		child(path)
	}
	goleak.VerifyTestMain(m)
}

var families = []struct{ name, network, listen, dial string }{
	{"v4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
	{"v6", "tcp6", "[::1]:0", "::1"},
	{"mapped", "tcp", ":0", "127.0.0.1"},
}

func TestBlock(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for _, f := range families {
		for _, mode := range []Mode{Drop, Hold} {
			t.Run(f.name+"/"+mode.String(), func(t *testing.T) {
				l := locks(t, Config{Namespace: ns})
				p, other := connected(t, ns, f.network, f.listen, f.dial), connected(t, ns, f.network, f.listen, f.dial)
				got, err := l.Block(mode, p.tuple)
				if err != nil {
					t.Fatal(err)
				}
				if got != mode && l.CanHold() {
					t.Fatalf("mode is %v", got)
				}
				send(t, p.there, "to here")
				send(t, p.here, "to there")
				silent(t, p.here, 30*time.Millisecond)
				silent(t, p.there, 30*time.Millisecond)
				send(t, other.there, "free")
				arrives(t, other.here, 4)
				if got == Hold {
					holds(t, l, p.tuple, 1)
				}
				if err := l.Release(p.tuple); err != nil {
					t.Fatal(err)
				}
				if got == Hold {
					arrivesUnrepeated(t, p.here, p.there, 7)
				} else {
					arrives(t, p.here, 7)
				}
				arrives(t, p.there, 8)
			})
		}
	}
}

// TestOrder sends small segments while the connection is blocked: held, they all
// come at once and the sender repeats none.
func TestOrder(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	l := locks(t, Config{Namespace: ns})
	if !l.CanHold() {
		t.Skip("this kernel has no queue for packets")
	}
	p := connected(t, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	if _, err := l.Block(Hold, p.tuple); err != nil {
		t.Fatal(err)
	}
	want := ""
	for i := range 9 { // within the first congestion window
		s := fmt.Sprintf("message %d ", i)
		want += s
		send(t, p.there, s)
	}
	holds(t, l, p.tuple, 9)
	if err := l.Release(p.tuple); err != nil {
		t.Fatal(err)
	}
	if got := arrivesUnrepeated(t, p.here, p.there, len(want)); string(got) != want {
		t.Fatalf("%q", got)
	}
}

// holds waits until at least that many packets are held.
func holds(t *testing.T, l *Locks, p Tuple, n int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); l.Held(p) < n; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(until) {
			t.Fatalf("%d packets are held, not %d", l.Held(p), n)
		}
	}
}

func TestBothEnds(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	l := locks(t, Config{Namespace: ns})
	p := connected(t, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	if _, err := l.Block(Drop, p.tuple, p.tuple.reversed()); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(p.tuple); err != nil {
		t.Fatal(err)
	}
	send(t, p.there, "x")
	silent(t, p.here, 20*time.Millisecond)
	if err := l.Release(p.tuple.reversed()); err != nil {
		t.Fatal(err)
	}
	arrives(t, p.here, 1)
}

// TestLease wants a block to go on for as long as it is renewed, and to end with its lease: with a
// longer one where the machine let a renewal be late.
func TestLease(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for lease := 250 * time.Millisecond; !leased(t, ns, lease); lease *= 4 {
		if lease > 10*time.Second {
			t.Fatal("the machine is too busy for any lease")
		}
	}
}

// leased returns false if the machine took longer than the lease for what is to be done within it.
func leased(t *testing.T, ns netns.Handle, lease time.Duration) bool {
	t.Helper()
	l := locks(t, Config{Namespace: ns, Lease: lease})
	p := connected(t, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	renewed := time.Now()
	if _, err := l.Block(Drop, p.tuple); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		time.Sleep(lease * 2 / 5)
		next := time.Now()
		if err := l.Renew(p.tuple); time.Since(renewed) >= lease {
			return false
		} else if err != nil {
			t.Fatal(err)
		}
		renewed = next
	}
	send(t, p.there, "held back")
	_ = p.here.SetReadDeadline(time.Now().Add(lease / 5))
	n, err := p.here.Read(make([]byte, 1))
	if time.Since(renewed) >= lease {
		return false
	}
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes came through, %v", n, err)
	}
	time.Sleep(lease * 6 / 5)
	if err := l.Renew(p.tuple); !errors.Is(err, ErrLeaseExpired) {
		t.Errorf("renew: %v", err)
	}
	arrives(t, p.here, 9)
	if err := l.Release(p.tuple); err != nil {
		t.Errorf("release after the end: %v", err)
	}
	return true
}

func TestMany(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	l := locks(t, Config{Namespace: ns})
	var list []Tuple
	for i := range 3000 {
		v := []string{"10.1.0.1", "fd00::1"}[i%2]
		list = append(list, Tuple{
			Local:  netip.AddrPortFrom(netip.MustParseAddr(v), 80),
			Remote: netip.AddrPortFrom(netip.MustParseAddr(v).Next(), uint16(1024+i)),
		})
	}
	start := time.Now()
	if _, err := l.Block(Drop, list...); err != nil {
		t.Fatal(err)
	}
	if err := l.Renew(list...); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(list...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections blocked, renewed, released in %v", len(list), time.Since(start))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	l := locks(t, Config{Namespace: ns})
	p := connected(t, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	six := netip.MustParseAddrPort("[::1]:1")
	for name, err := range map[string]error{
		"mixed": func() error { _, err := l.Block(Drop, Tuple{p.tuple.Local, six}); return err }(),
		"empty": func() error { _, err := l.Block(Drop, Tuple{}); return err }(),
		"none":  l.Release(p.tuple),
		"renew": l.Renew(p.tuple),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := l.Block(Drop, p.tuple); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Block(Drop, p.tuple); err == nil {
		t.Error("blocked twice")
	}
}

// TestKilled kills a process that blocks: the block stands for its lease, and then
// nothing stops a packet; the next one who opens takes the empty table away.
func TestKilled(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	p := connected(t, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "NETFILTER_TEST_CHILD="+p.tuple.Local.String()+" "+p.tuple.Remote.String())
	cmd.ExtraFiles = []*os.File{ns.File()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if names := left(t, ns); len(names) != 1 {
		t.Fatalf("tables: %v", names)
	}
	send(t, p.there, "x")
	silent(t, p.here, 50*time.Millisecond)
	if err := Sweep(ns); err != nil {
		t.Fatal(err)
	}
	if len(left(t, ns)) != 1 {
		t.Fatal("a table that blocks was taken away")
	}
	arrives(t, p.here, 1)
	if err := Sweep(ns); err != nil {
		t.Fatal(err)
	}
	if names := left(t, ns); len(names) != 0 {
		t.Fatalf("tables left: %v", names)
	}
}

func left(t *testing.T, ns netns.Handle) []string {
	t.Helper()
	c, err := dial(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names, err := tablesThere(c)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// child blocks a connection in the namespace that is its file 3, says so and waits
// to be killed.
func child(ends string) {
	local, remote, _ := strings.Cut(ends, " ")
	ns, err := netns.OfPath("/proc/self/fd/3")
	if err == nil {
		var l *Locks
		if l, err = Open(Config{Namespace: ns, Lease: 2 * time.Second}); err == nil {
			_, err = l.Block(Hold, Tuple{netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_ = unix.Pause()
	os.Exit(0)
}

func TestIptables(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	_, err := exec.LookPath("iptables")
	testbed.Need(t, "iptables", err)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			l := locks(t, Config{Namespace: ns, NoHold: true})
			_ = l.way.close()
			l.way = &iptables{ns: ns}
			p := connected(t, ns, f.network, f.listen, f.dial)
			if _, err := l.Block(Hold, p.tuple); err != nil {
				t.Fatal(err)
			}
			send(t, p.there, "x")
			silent(t, p.here, 30*time.Millisecond)
			if err := l.Renew(p.tuple); err != nil {
				t.Fatal(err)
			}
			if err := l.Release(p.tuple); err != nil {
				t.Fatal(err)
			}
			arrives(t, p.here, 1)
		})
	}
}

func BenchmarkBlock(b *testing.B) {
	ns := namespace(b)
	l := locks(b, Config{Namespace: ns})
	p := connected(b, ns, "tcp4", "127.0.0.1:0", "127.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Block(Hold, p.tuple); err != nil {
			b.Fatal(err)
		}
		if err := l.Release(p.tuple); err != nil {
			b.Fatal(err)
		}
	}
}
