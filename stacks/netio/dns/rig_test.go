package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a loop that runs, with a resolver.
type rig struct {
	t  *testing.T
	sh *event.Shard
	l  *netio.Loop
	r  *Resolver
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	sh := event.NewShard(0)
	l, err := netio.New(netio.Config{Shard: sh})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Loop = l
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(1, 2))
	}
	if cfg.Settings.Timeout == 0 {
		cfg.Settings.Timeout = 30 * time.Second
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		sh.Enter()
		r.Close()
		if r.busy != 0 || len(r.flights) != 0 {
			t.Errorf("%d questions and %d flights left", r.busy, len(r.flights))
		}
		sh.Leave()
		cancel()
		done.Wait()
	})
	return &rig{t: t, sh: sh, l: l, r: r}
}

func (r *rig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

// lookup waits for an answer.
func (r *rig) lookup(name string, typ Type) Answer {
	r.t.Helper()
	got := make(chan Answer, 1)
	r.do(func() { r.r.Lookup(name, typ, func(a Answer) { got <- a }) })
	select {
	case a := <-got:
		return a
	case <-time.After(time.Minute):
		r.t.Fatalf("no answer about %s", name)
		return Answer{}
	}
}

// server is a DNS server on loopback that answers by a function; nil is no answer,
// and a message of its own bytes is raw.
type server struct {
	addr  netip.AddrPort
	asked atomic.Int64
	tcp   atomic.Int64
}

type reply struct {
	m   *Message
	raw []byte
}

func newServer(t *testing.T, answer func(q *Message, tcp bool) []reply) *server {
	t.Helper()
	s := &server{}
	var ln net.Listener
	var pc *net.UDPConn
	for pc == nil { // somebody may have that port by UDP
		var err error
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		s.addr = ln.Addr().(*net.TCPAddr).AddrPort()
		pc, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.addr))
		if errors.Is(err, syscall.EADDRINUSE) {
			defer ln.Close()
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	pack := func(p reply, limit int) []byte {
		if p.raw != nil {
			return p.raw
		}
		out, err := p.m.Append(nil, limit)
		if err != nil {
			t.Error(err)
		}
		return out
	}
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			q, err := Parse(buf[:n])
			if err != nil {
				t.Error(err)
				continue
			}
			s.asked.Add(1)
			limit := 512
			if q.EDNS != nil {
				limit = int(q.EDNS.Size)
			}
			for _, p := range answer(q, false) {
				_, _ = pc.WriteToUDPAddrPort(pack(p, limit), from)
			}
		}
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.tcp.Add(1)
			serveTCP(c, answer, pack)
		}
	})
	t.Cleanup(func() {
		_, _ = ln.Close(), pc.Close()
		wg.Wait()
	})
	return s
}

func serveTCP(c net.Conn, answer func(*Message, bool) []reply, pack func(reply, int) []byte) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var n [2]byte
	if _, err := io.ReadFull(c, n[:]); err != nil {
		return
	}
	buf := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(c, buf); err != nil {
		return
	}
	q, err := Parse(buf)
	if err != nil {
		return
	}
	for _, p := range answer(q, true) {
		out := pack(p, 0)
		_, _ = c.Write(binary.BigEndian.AppendUint16(nil, uint16(len(out))))
		// In two pieces, as TCP may have it.
		_, _ = c.Write(out[:len(out)/2])
		time.Sleep(2 * time.Millisecond)
		_, _ = c.Write(out[len(out)/2:])
	}
	_, _ = c.Read(n[:])
}

// answers makes a reply of records.
func answers(q *Message, code RCode, records ...Record) reply {
	m := &Message{ID: q.ID, Response: true, RecursionDesired: true, RecursionAvailable: true, RCode: code, Questions: q.Questions}
	if q.EDNS != nil {
		m.EDNS = &EDNS{Size: 1232}
	}
	for _, r := range records {
		if r.Class = ClassIN; r.Type == SOA {
			m.Authority = append(m.Authority, r)
		} else {
			m.Answers = append(m.Answers, r)
		}
	}
	return reply{m: m}
}

// zone answers from a table of records by name; a name that it has not, with NXDOMAIN.
func zone(records ...Record) func(q *Message, tcp bool) []reply {
	soa := Record{Name: "test", Type: SOA, TTL: 60, Minimum: 60, Target: "ns.test", Mailbox: "root.test"}
	return func(q *Message, _ bool) []reply {
		var list []Record
		code := NameError
		for _, r := range records {
			if fold(r.Name) == fold(q.Questions[0].Name) {
				if code = Success; r.Type == q.Questions[0].Type || r.Type == CNAME {
					list = append(list, r)
				}
			}
		}
		if list == nil {
			list = []Record{soa}
		}
		return []reply{answers(q, code, list...)}
	}
}

func a(name, addr string) Record {
	return Record{Name: name, Type: A, TTL: 60, Addr: netip.MustParseAddr(addr)}
}

func aaaa(name, addr string) Record {
	return Record{Name: name, Type: AAAA, TTL: 60, Addr: netip.MustParseAddr(addr)}
}

func cname(name, target string) Record {
	return Record{Name: name, Type: CNAME, TTL: 60, Target: target}
}

func srv(name string, priority, weight, port uint16, target string) Record {
	return Record{Name: name, Type: SRV, TTL: 60, Priority: priority, Weight: weight, Port: port, Target: target}
}

func naptr(name string, order, pref uint16, flags, service, target string) Record {
	return Record{Name: name, Type: NAPTR, TTL: 60, Priority: order, Weight: pref, Text: []string{flags, service, ""}, Target: target}
}

// using returns settings that ask those servers.
func using(servers ...*server) Settings {
	var s Settings
	for _, x := range servers {
		s.Servers = append(s.Servers, x.addr)
	}
	return s
}
