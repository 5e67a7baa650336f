package netio

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// peersRig listens for UDP peers on 127.0.0.1.
func (r *rig) listenPeers(cfg PeerConfig, h Handler) *Packets {
	r.t.Helper()
	if cfg.Packets.Address == "" {
		cfg.Packets.Network, cfg.Packets.Address = "udp", "127.0.0.1:0"
	}
	var s *Packets
	var err error
	r.do(func() { s, err = r.l.ListenPeers(cfg, h) })
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) udp(to string) *net.UDPConn {
	r.t.Helper()
	c, err := net.Dial("udp", to)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.UDPConn)
}

func recvGram(t *testing.T, c *net.UDPConn) string {
	t.Helper()
	b := make([]byte, maxGram)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestPeers is what the handler of a UDP peer is told: one Recv and one Send a
// datagram, and its end when it was silent.
func TestPeers(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		h := &hooks{log: &log, recv: func(c *Conn, _ int) {
			if string(c.Bytes()) == "two" {
				_ = c.Send([]byte("a"))
				_ = c.Send([]byte("b"))
			}
		}}
		s := r.listenPeers(PeerConfig{Idle: 80 * time.Millisecond}, h)
		c := r.udp(s.Addr().String())
		write(t, c, "one")
		write(t, c, "two")
		if a, b := recvGram(t, c), recvGram(t, c); a != "a" || b != "b" {
			t.Errorf("got %q %q: two sends are two datagrams", a, b)
		}
		want := []string{"accept", "recv 3", "recv 3", "send 1", "send 1", "close timeout:idle"}
		if diff := cmp.Diff(want, r.logged(&log, "close")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		r.do(func() {
			if s.Peers() != 0 {
				t.Errorf("%d peers left", s.Peers())
			}
		})
	})
}

// TestPeerTable bounds the peers: 3,000 addresses and more, as a full socket drops; room for 100.
func TestPeerTable(t *testing.T) {
	r := newRig(t, false)
	closed := map[string]int{}
	h := &hooks{closed: func(_ *Conn, why Reason) { closed[why.String()]++ }}
	s := r.listenPeers(PeerConfig{Max: 100}, h)
	evicted := func() (n int) { r.do(func() { n = closed["limit:peers"] }); return }
	for i := 0; i < 3000 || i < 60_000 && evicted() <= 500; i++ {
		src := &net.UDPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}
		c, err := net.DialUDP("udp", src, net.UDPAddrFromAddrPort(s.Addr()))
		if err != nil {
			t.Skipf("no addresses below 127/8: %v", err)
		}
		write(t, c, "x")
		_ = c.Close()
		if i%64 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	within(t, time.Minute, func() (ok bool) { r.do(func() { ok = s.Peers() == 100 && closed["limit:peers"] > 500 }); return }, "100 peers")
	r.do(func() {
		if n := uint64(closed["limit:peers"]); n != r.l.stats.PeersEvicted {
			t.Errorf("%d told, %d counted", n, r.l.stats.PeersEvicted)
		}
	})
}

// TestPeerOrderOfEviction keeps who was heard of latest.
func TestPeerOrderOfEviction(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var gone []string
		names := map[ID]string{}
		h := &hooks{
			recv:   func(c *Conn, _ int) { names[c.ID()] = string(c.Bytes()); _ = c.Send(c.Bytes()) },
			closed: func(c *Conn, why Reason) { gone = append(gone, names[c.ID()]+" "+why.String()) },
		}
		s := r.listenPeers(PeerConfig{Max: 2}, h)
		a, b, c := r.udp(s.Addr().String()), r.udp(s.Addr().String()), r.udp(s.Addr().String())
		for _, step := range []struct {
			c    *net.UDPConn
			name string
		}{{a, "a"}, {b, "b"}, {a, "a"}, {c, "c"}} {
			write(t, step.c, step.name)
			recvGram(t, step.c)
		}
		r.logged(&gone, "b limit:peers")
	})
}

// TestDatagramSizes receives the longest whole, says which were cut, and refuses
// what no datagram can hold.
func TestDatagramSizes(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		h := &hooks{recv: func(c *Conn, n int) {
			log = append(log, fmt.Sprint(n, c.Truncated()))
			_ = c.Send(c.Bytes())
		}}
		s := r.listenPeers(PeerConfig{}, h)
		c := r.udp(s.Addr().String())
		write(t, c, strings.Repeat("x", 65507))
		if n := len(recvGram(t, c)); n != 65507 {
			t.Errorf("%d bytes came back", n)
		}
		small := r.listenPeers(PeerConfig{Packets: PacketConfig{Network: "udp", Address: "127.0.0.1:0", MaxDatagram: 100}}, h)
		d := r.udp(small.Addr().String())
		write(t, d, strings.Repeat("x", 101))
		write(t, d, strings.Repeat("x", 100))
		recvGram(t, d)
		recvGram(t, d)
		r.do(func() {
			if diff := cmp.Diff([]string{"65507 false", "100 true", "100 false"}, log); diff != "" {
				t.Error(diff)
			}
			if r.l.stats.GramsCut != 1 {
				t.Errorf("%d cut", r.l.stats.GramsCut)
			}
			if err := small.SendTo(make([]byte, maxGram+1), s.Addr(), netip.Addr{}); err != ErrTooBig {
				t.Error(err)
			}
		})
	})
}

// raw is a packet handler that notes what it is told.
type raw struct {
	log []string
	on  func(s *Packets, p []byte, from, to netip.AddrPort)
}

func (h *raw) Datagram(s *Packets, p []byte, from, to netip.AddrPort, _ bool) {
	h.log = append(h.log, fmt.Sprintf("%s to %s", p, to.Addr()))
	if h.on != nil {
		h.on(s, p, from, to)
	}
}

func (h *raw) Unreachable(_ *Packets, peer netip.AddrPort, why Reason) {
	h.log = append(h.log, fmt.Sprintf("%s: %s", peer, why.String()))
}

func (r *rig) packets(cfg PacketConfig, h PacketHandler) *Packets {
	r.t.Helper()
	var s *Packets
	var err error
	r.do(func() { s, err = r.l.Packets(cfg, h) })
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// TestAskedAddress answers from the address that was asked, on a socket for all.
func TestAskedAddress(t *testing.T) {
	for _, network := range []string{"udp4", "udp"} {
		r := newRig(t, false)
		h := &raw{on: func(s *Packets, p []byte, from, to netip.AddrPort) {
			_ = s.SendTo(p, from, to.Addr())
		}}
		s := r.packets(PacketConfig{Network: network, Address: ":0"}, h)
		if r.l.cfg.Portable {
			t.Skip("only on Linux")
		}
		for _, ip := range []string{"127.0.0.1", "127.0.0.77"} {
			// A connected socket hears only the address that it sent to.
			c := r.udp(fmt.Sprintf("%s:%d", ip, s.Addr().Port()))
			write(t, c, "who")
			recvGram(t, c)
		}
		r.do(func() {
			if diff := cmp.Diff([]string{"who to 127.0.0.1", "who to 127.0.0.77"}, h.log); diff != "" {
				t.Error(diff)
			}
		})
		r.stop()
	}
}

// TestUnreachable tells what ICMP says, to the one whom it is about, and goes on
// serving the others.
func TestUnreachable(t *testing.T) {
	r := newRig(t, false)
	h := &raw{}
	s := r.packets(PacketConfig{Network: "udp4", Address: "127.0.0.1:0"}, h)
	dead := r.udp("127.0.0.1:9")
	at := dead.LocalAddr().(*net.UDPAddr).AddrPort()
	_ = dead.Close()
	live := r.udp(s.Addr().String())
	liveAt := live.LocalAddr().(*net.UDPAddr).AddrPort()
	r.do(func() {
		_ = s.SendTo([]byte("x"), at, netip.Addr{})
		_ = s.SendTo([]byte("y"), liveAt, netip.Addr{})
	})
	if got := recvGram(t, live); got != "y" {
		t.Error(got)
	}
	r.logged(&h.log, at.String()+": refused")
	for range 20 { // errors of others do not eat datagrams
		r.do(func() {
			_ = s.SendTo([]byte("x"), at, netip.Addr{})
			_ = s.SendTo([]byte("z"), liveAt, netip.Addr{})
		})
		if got := recvGram(t, live); got != "z" {
			t.Error(got)
		}
	}
}

// TestDialPeer is a UDP peer that was dialled.
func TestDialPeer(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		s := r.listenPeers(PeerConfig{}, &hooks{recv: func(c *Conn, _ int) { _ = c.Send(c.Bytes()) }})
		dead := r.udp("127.0.0.1:9")
		nobody := dead.LocalAddr().(*net.UDPAddr).AddrPort()
		_ = dead.Close()
		for _, row := range []struct {
			to   netip.AddrPort
			idle time.Duration
			want []string
		}{
			{s.Addr(), 150 * time.Millisecond, []string{"connect <nil>", "send 5", "recv 5", "close timeout:idle"}},
			{nobody, 0, []string{"connect <nil>", "send 5", "close refused"}},
		} {
			var log []string
			r.do(func() {
				c, err := r.l.DialPeer(row.to, row.idle, &hooks{log: &log})
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Send([]byte("hello"))
			})
			if diff := cmp.Diff(row.want, r.logged(&log, "close")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		}
	})
}

// TestGramQueue bounds what waits to be sent, and counts the rest.
func TestGramQueue(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		s := r.packets(PacketConfig{Network: "udp4", Address: "127.0.0.1:0", QueueGrams: 10}, &raw{})
		r.do(func() {
			refused := 0
			for range 15 {
				if s.SendTo([]byte("x"), s.Addr(), netip.Addr{}) != nil {
					refused++
				}
			}
			if refused != 5 || r.l.stats.GramsDropped != 5 || s.Queued() != 10 {
				t.Errorf("refused %d, counted %d, queued %d", refused, r.l.stats.GramsDropped, s.Queued())
			}
		})
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = r.l.stats.GramsIn == 10 }); return }, "10 come back")
	})
}
