package netio

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
)

// memoryRig is a loop in a network in memory, turned by hand.
type memoryRig struct {
	t   *testing.T
	mem *Memory
	l   *Loop
	sh  *event.Shard
	now int64
	log []string
}

func newMemoryRig(t *testing.T) *memoryRig {
	t.Helper()
	r := &memoryRig{t: t, mem: NewMemory(), sh: event.NewShard(0), now: int64(time.Hour)}
	var err error
	if r.l, err = New(Config{Shard: r.sh, Memory: r.mem, Clock: func() int64 { return r.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.l.Close)
	return r
}

// settle turns the loop until there is nothing to do.
func (r *memoryRig) settle() {
	r.t.Helper()
	for range 1000 {
		worked, err := r.l.Turn()
		if err != nil {
			r.t.Fatal(err)
		}
		if !worked {
			return
		}
	}
	r.t.Fatal("the loop has something to do for ever")
}

func (r *memoryRig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

func (r *memoryRig) logged(want ...string) {
	r.t.Helper()
	if d := cmp.Diff(want, r.log); d != "" {
		r.t.Error(d)
	}
	r.log = nil
}

// memoryHandler logs what is told, and sends back what comes.
type memoryHandler struct {
	Base
	r *memoryRig
}

func (h memoryHandler) Accept(c *Conn) Verdict {
	h.r.log = append(h.r.log, "accept "+c.Remote().String())
	return Accept
}

func (h memoryHandler) Connect(c *Conn, err error) {
	line := "connect " + c.Remote().String()
	if err != nil {
		line = "connect " + reasonOf(err).String()
	}
	h.r.log = append(h.r.log, line)
}

func (h memoryHandler) Recv(c *Conn, n int) {
	_ = c.Send(c.Bytes())
	c.Discard(n)
}

func (h memoryHandler) Close(_ *Conn, why Reason) { h.r.log = append(h.r.log, "close "+why.String()) }

var memoryAt = netip.MustParseAddrPort("127.0.0.1:7000")

func (r *memoryRig) listen() {
	r.t.Helper()
	r.do(func() {
		if _, err := r.l.Listen(SocketConfig{Network: "tcp", Address: memoryAt.String()}, memoryHandler{r: r}); err != nil {
			r.t.Fatal(err)
		}
	})
}

// TestMemoryEcho loses nothing of much more than fits, and ends as the ends do.
func TestMemoryEcho(t *testing.T) {
	t.Parallel()
	r := newMemoryRig(t)
	r.listen()
	line, err := r.mem.Dial(netip.MustParseAddrPort("192.0.2.1:0"), memoryAt, "")
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	var got []byte
	for left := sent; len(got) < len(sent); {
		left = left[line.Send(left):]
		r.settle()
		before := len(got)
		if got = line.Recv(got); len(got) == before {
			t.Fatalf("%d bytes of %d came back, and no more do", len(got), len(sent))
		}
	}
	if !bytes.Equal(got, sent) {
		t.Error("what came back is something else")
	}
	line.Shut()
	r.settle()
	if ended, reset := line.State(); !ended || reset {
		t.Error(ended, reset)
	}
	r.logged("accept 192.0.2.1:32768", "close eof")
}

// TestMemoryEnds are the ways in which connections end, and begin not.
func TestMemoryEnds(t *testing.T) {
	t.Parallel()
	r := newMemoryRig(t)
	r.listen()
	line, err := r.mem.Dial(netip.AddrPort{}, memoryAt, "")
	if err != nil {
		t.Fatal(err)
	}
	r.settle()
	line.Close(true)
	r.settle()
	r.logged("accept 127.0.0.1:32768", "close reset")
	if _, err := r.mem.Dial(netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:7001"), ""); reasonOf(err).Why != Refused {
		t.Error(err)
	}
	silent := netip.MustParseAddrPort("192.0.2.9:80")
	r.mem.Silence(silent)
	r.mem.Resolve(func(host string) ([]netip.Addr, error) {
		if host == "up.example" {
			return []netip.Addr{netip.MustParseAddr("192.0.2.10")}, nil
		}
		return nil, errors.New("no such host")
	})
	door, err := r.mem.Listen(netip.MustParseAddrPort("192.0.2.10:80"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"127.0.0.1:7001", "none.example:80", silent.String(), "up.example:80"} {
		r.do(func() {
			if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: to, Options: Options{Connect: time.Second}}, memoryHandler{r: r}); err != nil {
				t.Error(to, err)
			}
		})
		r.settle()
	}
	r.logged("connect refused", "close refused", "connect resolve", "close resolve", "connect 192.0.2.10:80")
	r.now += int64(time.Second)
	r.do(func() { r.sh.Advance(r.now) })
	r.settle()
	r.logged("connect timeout:connect", "close timeout:connect")
	far := door.Accept()
	if far == nil || door.Accept() != nil {
		t.Fatal("one waits at the door")
	}
	// Bytes that were not read are told by a reset, as the kernel does.
	far.Send([]byte("x"))
	r.settle()
	far.Close(false)
	r.settle()
	r.logged("close reset")
}

// TestMemoryBackPressure has nothing be taken that nobody reads.
func TestMemoryBackPressure(t *testing.T) {
	t.Parallel()
	r := newMemoryRig(t)
	r.listen()
	line, err := r.mem.Dial(netip.AddrPort{}, memoryAt, "")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for range 100 {
		total += line.Send(make([]byte, 1<<20))
		r.settle()
	}
	// What is on both ways, in the queue up to its high mark, and a turn's reading.
	if most := 2*memoryRoom + 1<<20 + turnRead; total > most || total < 1<<20 {
		t.Errorf("%d bytes were taken, want at most %d", total, most)
	}
}

// TestMemoryPackets passes datagrams, one by one, and tells that nobody is there.
func TestMemoryPackets(t *testing.T) {
	t.Parallel()
	r := newMemoryRig(t)
	r.do(func() {
		if _, err := r.l.ListenPeers(PeerConfig{Packets: PacketConfig{Network: "udp", Address: "127.0.0.1:7000"}}, memoryHandler{r: r}); err != nil {
			t.Fatal(err)
		}
	})
	out, err := r.mem.Packets(netip.MustParseAddrPort("192.0.2.1:5000"))
	if err != nil {
		t.Fatal(err)
	}
	if out.SendTo([]byte("x"), netip.MustParseAddrPort("127.0.0.1:7001")) {
		t.Error("somebody is there")
	}
	var want, got []string
	for i := range 100 {
		want = append(want, string(bytes.Repeat([]byte("x"), i)))
		out.SendTo([]byte(want[i]), memoryAt)
	}
	r.settle()
	for p, from, ok := out.Recv(); ok; p, from, ok = out.Recv() {
		if from != memoryAt {
			t.Error(from)
		}
		got = append(got, string(p))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d datagrams came back of %d", len(got), len(want))
	}
	r.logged("accept 192.0.2.1:5000")
	r.do(func() {
		c, err := r.l.DialPeer(netip.MustParseAddrPort("127.0.0.1:7002"), 0, memoryHandler{r: r})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Send([]byte("x"))
	})
	r.settle()
	r.logged("connect 127.0.0.1:7002", "close refused")
}
