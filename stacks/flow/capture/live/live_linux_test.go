package live_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/capture/live"
	"github.com/hookd/hookd/stacks/flow/filter"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// namespace moves the test into a network namespace of its own with a pair of
// interfaces, a0 and b0. The test's goroutine keeps its thread.
func namespace(t *testing.T) {
	t.Helper()
	need := func(err error) {
		if err == nil {
			return
		}
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatalf("a network namespace is needed: %v", err)
		}
		t.Skipf("needs root and iproute2 for a network namespace: %v", err)
	}
	if os.Geteuid() != 0 {
		need(errors.New("not root"))
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	need(unix.Unshare(unix.CLONE_NEWNET))
	_, err := exec.LookPath("ip")
	need(err)
	ip(t, "link", "set", "lo", "up")
	pair(t)
}

func pair(t *testing.T) {
	t.Helper()
	ip(t, "link", "add", "a0", "mtu", "9000", "type", "veth", "peer", "name", "b0", "mtu", "9000")
	for _, name := range []string{"a0", "b0"} {
		// Neighbour discovery would add packets of its own.
		must(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644), os.ErrNotExist)
		ip(t, "link", "set", name, "up")
	}
	// What is sent before the link has a carrier is lost.
	for begin := time.Now(); !runs("a0") || !runs("b0"); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the links do not come up")
		}
	}
}

func runs(name string) bool {
	iface, err := net.InterfaceByName(name)
	return err == nil && iface.Flags&net.FlagRunning != 0
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
}

func must(t *testing.T, err error, except ...error) {
	t.Helper()
	for _, e := range except {
		if errors.Is(err, e) {
			return
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sender puts frames on an interface.
type sender struct {
	t  *testing.T
	fd int
	to *unix.SockaddrLinklayer
}

func newSender(t *testing.T, name string) *sender {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	ifr, err := unix.NewIfreq(name)
	must(t, err)
	must(t, unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr))
	return &sender{t, fd, &unix.SockaddrLinklayer{Ifindex: int(ifr.Uint32())}}
}

func (s *sender) send(frame []byte) {
	s.t.Helper()
	for {
		err := unix.Sendto(s.fd, frame, 0, s.to)
		if errors.Is(err, unix.ENOBUFS) {
			time.Sleep(time.Millisecond)
			continue
		}
		must(s.t, err)
		return
	}
}

func open(t *testing.T, cfg live.Config) *live.Source {
	t.Helper()
	if cfg.Interface == "" {
		cfg.Interface = "b0"
	}
	s, err := live.Open(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// frame is packet number n of a UDP flow from a port.
func frame(port uint16, n int, size int) []byte {
	payload := make([]byte, max(8, size))
	binary.BigEndian.PutUint64(payload, uint64(n))
	return packettest.UDP(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port), netip.MustParseAddrPort("10.0.0.2:53"), string(payload))
}

// tagged puts a VLAN tag into a frame.
func tagged(f []byte, tpid, tci uint16) []byte {
	out := append([]byte{}, f[:12]...)
	out = binary.BigEndian.AppendUint16(out, tpid)
	out = binary.BigEndian.AppendUint16(out, tci)
	return append(out, f[12:]...)
}

// drain reads until nothing came for a while.
func drain(t *testing.T, s *live.Source) (frames [][]byte) {
	t.Helper()
	for {
		var f capture.Frame
		err := s.Next(&f, 100*time.Millisecond)
		if errors.Is(err, live.ErrIdle) {
			return frames
		}
		must(t, err)
		if f.Link != s.Link() || f.WireLen < len(f.Data) || time.Since(time.Unix(0, f.TS)).Abs() > time.Minute {
			t.Errorf("%v", f)
		}
		frames = append(frames, bytes.Clone(f.Data))
	}
}

// TestFrames checks that frames come byte for byte and in order, tags included,
// whatever their size.
func TestFrames(t *testing.T) {
	namespace(t)
	s := open(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10})
	out := newSender(t, "a0")
	var want [][]byte
	for i := range 3000 {
		f := frame(uint16(1000+i%7), i, []int{8, 100, 1400, 8000}[i%4])
		switch i % 5 {
		case 1:
			f = tagged(f, 0x8100, 7)
		case 2:
			f = tagged(tagged(f, 0x8100, 9), 0x88a8, 3|5<<13)
		}
		want = append(want, f)
	}
	var got [][]byte
	for len(want) > len(got) {
		begin := len(got)
		for _, f := range want[begin:min(begin+50, len(want))] {
			out.send(f)
		}
		for len(got) < min(begin+50, len(want)) {
			var f capture.Frame
			if err := s.Next(&f, time.Second); err != nil {
				t.Fatalf("%d of %d came: %v, %+v", len(got), begin+50, err, s.Stats())
			}
			got = append(got, bytes.Clone(f.Data))
		}
	}
	if more := drain(t, s); len(more) != 0 {
		t.Errorf("%d frames too many", len(more))
	}
	for i := range want {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("frame %d:\nwant %x\ngot  %x", i, want[i][:60], got[i][:60])
		}
	}
	if st := s.Stats(); st.Packets != uint64(len(want)) || st.Drops != 0 {
		t.Errorf("%+v", st)
	}
}

// TestFilter checks that the kernel selects, from the first packet on.
func TestFilter(t *testing.T) {
	namespace(t)
	expr, err := filter.Parse("udp src port 1001")
	must(t, err)
	s := open(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10, Filter: expr.BPF})
	out := newSender(t, "a0")
	for i := range 100 {
		out.send(frame(uint16(1000+i%4), i, 0))
	}
	if got := drain(t, s); len(got) != 25 || s.Stats().Packets != 25 {
		t.Errorf("%d frames, %+v", len(got), s.Stats())
	}
	_, err = live.Open(live.Config{Interface: "b0", Filter: func(uint16, int) ([]bpf.RawInstruction, error) { return nil, errors.New("no such link") }})
	if err == nil || err.Error() != "live: open b0: filter: no such link" {
		t.Errorf("%v", err)
	}
}

// TestDropsAreCounted checks that what found no room is counted, and that
// reading goes on behind it.
func TestDropsAreCounted(t *testing.T) {
	namespace(t)
	s := open(t, live.Config{RingBytes: 128 << 10, BlockBytes: 16 << 10})
	out := newSender(t, "a0")
	const n = 2000
	for i := range n {
		out.send(frame(1000, i, 1000))
	}
	got := drain(t, s)
	st := s.Stats()
	if st.Packets != n || st.Drops == 0 || uint64(len(got))+st.Drops != n {
		t.Errorf("%d read, %+v", len(got), st)
	}
	out.send(frame(1000, n, 0))
	if last := drain(t, s); len(last) != 1 {
		t.Errorf("%d frames behind the flood", len(last))
	}
}

// shared opens n sources that share the packets of b0.
func shared(t *testing.T, cfg live.Config, n int) []*live.Source {
	t.Helper()
	cfg.Interface = "b0"
	list, err := live.OpenShared(cfg, n)
	must(t, err)
	t.Cleanup(func() {
		for _, s := range list {
			must(t, s.Close())
		}
	})
	return list
}

// TestShared checks that sources share the packets, each flow at one, as the
// kernel's hash or a program has it, and that all come once.
func TestShared(t *testing.T) {
	namespace(t)
	front := flow.NewFront(event.NewShards(2, event.Apart, 0), flow.Config{})
	program, err := front.SpreadProgram()
	must(t, err)
	for name, spread := range map[string][]bpf.RawInstruction{"hash": nil, "program": program} {
		sources := shared(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10, Spread: spread}, 2)
		out := newSender(t, "a0")
		const sent = 640
		for i := range sent {
			out.send(frame(uint16(1000+i%64), i, 0))
		}
		seen, total := map[uint16]int{}, 0
		var parcel flow.Parcel
		for n, s := range sources {
			got := drain(t, s)
			total += len(got)
			if len(got) == 0 {
				t.Errorf("%s: source %d got nothing", name, n)
			}
			for _, f := range got {
				port := binary.BigEndian.Uint16(f[34:])
				if was, ok := seen[port]; ok && was != n {
					t.Errorf("%s: port %d at both", name, port)
				}
				seen[port] = n
				if front.Sort(&parcel, uint16(s.Link()), f, len(f), 0); spread != nil && parcel.Shard() != n {
					t.Errorf("%s: port %d is read by %d and of shard %d", name, port, n, parcel.Shard())
				}
			}
		}
		if len(seen) != 64 || total != sent {
			t.Errorf("%s: %d flows, %d packets", name, len(seen), total)
		}
	}
}

// TestSharedTogether checks that both directions of connections, sent and received,
// come to the source of their shard: over IPv4 and IPv6, with IP options, with VLAN
// tags; and that fragments of one datagram, and packets of one tunnel, come to one.
func TestSharedTogether(t *testing.T) {
	namespace(t)
	front := flow.NewFront(event.NewShards(4, event.Apart, 0), flow.Config{Decap: packet.AllTunnels})
	program, err := front.SpreadProgram()
	must(t, err)
	sources := shared(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10, Spread: program}, 4)
	in, out := newSender(t, "a0"), newSender(t, "b0") // what b0 receives, and what it sends
	const conns = 50
	whole := netip.MustParseAddr("10.7.0.1")
	for i := range conns {
		for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"2001:db8::1", "2001:db8::2"}} {
			a := netip.AddrPortFrom(netip.MustParseAddr(ends[0]), uint16(30000+i))
			b := netip.AddrPortFrom(netip.MustParseAddr(ends[1]), 443)
			in.send(packettest.TCP(a, b, 1, 0, packet.SYN, "", packettest.TTL(9)))
			out.send(packettest.TCP(b, a, 1, 2, packet.SYN|packet.ACK, ""))
			in.send(tagged(packettest.TCP(a, b, 2, 2, packet.ACK, "x"), 0x8100, 7))
		}
		a := netip.MustParseAddrPort("10.0.0.9:1000")
		in.send(packettest.UDP(a, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 53), "x", packettest.IPOptions(1, 1, 1, 1)))
		peer := netip.AddrFrom4([4]byte{10, 7, 1, byte(i)})
		in.send(packettest.IP(whole, peer, 17, "12345678", packettest.Piece(7, 0, true)))
		out.send(packettest.IP(whole, peer, 17, "1234567812345678", packettest.Piece(7, 8, false)))
		in.send(packettest.UDP(netip.AddrPortFrom(whole, uint16(i+1)), netip.MustParseAddrPort("10.7.2.2:4789"), "no tunnel"))
	}
	var parcel flow.Parcel
	pieces, tunnels := map[netip.Addr]int{}, map[int]int{}
	total := 0
	for n, s := range sources {
		for _, f := range drain(t, s) {
			total++
			var p packet.Packet
			p.Decode(uint16(s.Link()), f, len(f), 0)
			switch {
			case p.Class == packet.Fragment:
				pieces[p.Dst.Netip(4)] += n + 1
			case p.DstPort == 4789:
				tunnels[n]++
			default:
				if front.Sort(&parcel, uint16(s.Link()), f, len(f), 0); parcel.Shard() != n {
					t.Errorf("%s port %d: read by %d and of shard %d", p.Src.Netip(p.IPVersion), p.SrcPort, n, parcel.Shard())
				}
			}
		}
	}
	if want := conns * 10; total != want {
		t.Errorf("%d packets, not %d", total, want)
	}
	for peer, sum := range pieces {
		if sum%2 != 0 {
			t.Errorf("fragments for %s are read by two", peer)
		}
	}
	if len(pieces) != conns || len(tunnels) != 1 {
		t.Errorf("%d datagrams, tunnels at %v", len(pieces), tunnels)
	}
}

// TestSharedComesBack checks that sources share an interface again that was removed
// and made anew, also without the right to open sockets.
func TestSharedComesBack(t *testing.T) {
	namespace(t)
	front := flow.NewFront(event.NewShards(2, event.Apart, 0), flow.Config{})
	program, err := front.SpreadProgram()
	must(t, err)
	sources := shared(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10, Spread: program}, 2)
	for round := range 3 {
		out := newSender(t, "a0")
		for end := time.Now().Add(time.Minute); ; {
			for i := range 64 {
				out.send(frame(uint16(1000+i), i, 0))
			}
			var counts []int
			read := func() { counts = []int{len(drain(t, sources[0])), len(drain(t, sources[1]))} }
			if round == 2 {
				unprivileged(t, read)
			} else {
				read()
			}
			if counts[0] > 0 && counts[1] > 0 && counts[0]+counts[1] == 64 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("round %d: %v", round, counts)
			}
		}
		ip(t, "link", "del", "a0")
		pair(t)
	}
}

// unprivileged runs do without the right to open packet sockets. The test's
// goroutine keeps its thread.
func unprivileged(t *testing.T, do func()) {
	t.Helper()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var was, now [2]unix.CapUserData
	must(t, unix.Capget(&head, &was[0]))
	now = was
	now[0].Effective &^= 1 << unix.CAP_NET_RAW
	must(t, unix.Capset(&head, &now[0]))
	defer func() { must(t, unix.Capset(&head, &was[0])) }()
	do()
}

// TestInterfaceGoesAway checks an interface that goes down and comes up, and one
// that is removed and made again.
func TestInterfaceGoesAway(t *testing.T) {
	namespace(t)
	s := open(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10})
	hear := func(what string, i int) {
		t.Helper()
		out := newSender(t, "a0")
		deadline := time.Now().Add(time.Minute)
		for n := 0; n == 0; n = len(drain(t, s)) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: nothing is heard any more", what)
			}
			out.send(frame(1000, i, 0))
		}
	}
	hear("at first", 1)
	ip(t, "link", "set", "b0", "down")
	if got := drain(t, s); len(got) != 0 {
		t.Errorf("%d frames of an interface that is down", len(got))
	}
	ip(t, "link", "set", "b0", "up")
	hear("up again", 2)
	ip(t, "link", "del", "a0")
	var f capture.Frame
	before := cpu()
	if err := s.Next(&f, 300*time.Millisecond); !errors.Is(err, live.ErrIdle) {
		t.Errorf("removed: %v", err)
	}
	if used := cpu() - before; used > 100*time.Millisecond {
		t.Errorf("waiting for a removed interface took %s of CPU", used)
	}
	pair(t)
	hear("made again", 3)
	if st := s.Stats(); st.Downs < 2 {
		t.Errorf("%+v", st)
	}
}

func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLoopback checks that a packet to oneself comes once.
func TestLoopback(t *testing.T) {
	namespace(t)
	s := open(t, live.Config{Interface: "lo", RingBytes: 1 << 20, BlockBytes: 64 << 10})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	for i := range 10 {
		must(t, unix.Sendto(fd, fmt.Appendf(nil, "packet %d", i), 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}), unix.ECONNREFUSED)
	}
	n := 0
	var p packet.Packet
	for _, f := range drain(t, s) {
		if p.Decode(uint16(s.Link()), f, len(f), 0); p.Class == packet.UDP {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d datagrams", n)
	}
}

// TestWake checks that a wait ends when another goroutine asks.
func TestWake(t *testing.T) {
	namespace(t)
	s := open(t, live.Config{RingBytes: 1 << 20, BlockBytes: 64 << 10})
	go func() {
		time.Sleep(20 * time.Millisecond)
		s.Wake()
	}()
	var f capture.Frame
	begin := time.Now()
	if err := s.Next(&f, time.Minute); !errors.Is(err, live.ErrIdle) || time.Since(begin) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	must(t, s.Close())
	s.Wake()
	if err := s.Next(&f, 0); !errors.Is(err, live.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	must(t, s.Close())
}

// TestRefused checks what Open says where it cannot.
func TestRefused(t *testing.T) {
	if _, err := live.Open(live.Config{Interface: "none0"}); !errors.Is(err, live.ErrNoInterface) {
		t.Errorf("%v", err)
	}
	if os.Geteuid() == 0 {
		return
	}
	if _, err := live.Open(live.Config{Interface: "lo"}); !errors.Is(err, live.ErrPermission) {
		t.Errorf("%v", err)
	}
}
