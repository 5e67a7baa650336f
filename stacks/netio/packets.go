package netio

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// PacketConfig describes a UDP socket.
type PacketConfig struct {
	// Network is "udp", "udp4" or "udp6".
	Network string
	// Address is "host:port" with a literal host, "" or "*" being any.
	Address string
	// Connect, if valid, is the only peer (connect(2)).
	Connect netip.AddrPort
	// ReusePort lets other sockets of this port share what comes (SO_REUSEPORT).
	ReusePort bool
	// Broadcast allows sending to broadcast addresses.
	Broadcast bool
	// RecvBuffer and SendBuffer are SO_RCVBUF and SO_SNDBUF; 1 MiB and the system's by default.
	RecvBuffer, SendBuffer int
	// MaxDatagram is the longest datagram that is received whole; 65,535 by default, which
	// is any.
	MaxDatagram int
	// QueueGrams and QueueBytes bound what waits to be sent; 1024 and 4 MiB by default.
	QueueGrams, QueueBytes int
}

func (c PacketConfig) withDefaults() PacketConfig {
	if c.MaxDatagram <= 0 || c.MaxDatagram > maxGram {
		c.MaxDatagram = maxGram
	}
	if c.QueueGrams <= 0 {
		c.QueueGrams = 1024
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = 4 << 20
	}
	if c.RecvBuffer <= 0 {
		c.RecvBuffer = 1 << 20
	}
	return c
}

// maxGram is the longest datagram: the length field of UDP has 16 bits.
const maxGram = 65535

// PacketHandler is told what comes to a UDP socket, in the loop's shard.
type PacketHandler interface {
	// Datagram is one, lent until the call returns. to is the address it was sent to, as
	// far as the system tells; cut says that it was longer than MaxDatagram.
	Datagram(s *Packets, p []byte, from, to netip.AddrPort, cut bool)
	// Unreachable is what the network, or this system, said about a datagram to peer;
	// it can be about an older one.
	Unreachable(s *Packets, peer netip.AddrPort, why Reason)
}

// Packets is a UDP socket of a loop: what comes is read by one reader, in batches,
// in the order of the wire.
type Packets struct {
	// Data is its user's.
	Data any

	loop  *Loop
	cfg   PacketConfig
	h     PacketHandler
	w     gramWire
	id    ID
	peers *peers
	timer event.Timer

	out      []outgram
	outBytes int
	touched  bool
	closed   bool
	paused   bool
	v4       bool // it is for IPv4 only
	blocked  bool // the system takes nothing more now
}

// gramBuffers are what the sockets of a loop receive into, one at a time.
type gramBuffers struct {
	batch [turnBatch]datagram
	space []byte
}

func (l *Loop) gramBuffers() *gramBuffers {
	if l.grams == nil {
		b := &gramBuffers{space: make([]byte, turnBatch*maxGram)}
		l.grams = b
	}
	return l.grams
}

// reset gives each datagram of the batch room for size bytes.
func (b *gramBuffers) reset(size int) []datagram {
	for i := range b.batch {
		b.batch[i] = datagram{data: b.space[i*maxGram : i*maxGram+size]}
	}
	return b.batch[:]
}

// Packets opens a UDP socket whose datagrams h is told.
func (l *Loop) Packets(cfg PacketConfig, h PacketHandler) (*Packets, error) {
	if l.stopping {
		return nil, fmt.Errorf("netio: open UDP socket: %w", ErrClosed)
	}
	if cfg = cfg.withDefaults(); cfg.Network != "udp" && cfg.Network != "udp4" && cfg.Network != "udp6" {
		return nil, fmt.Errorf("netio: open UDP socket: network %q is not udp, udp4 or udp6", cfg.Network)
	}
	w, err := l.io.packets(&cfg)
	if err != nil {
		return nil, fmt.Errorf("netio: open UDP socket %s: %w", cfg.Address, err)
	}
	s := &Packets{loop: l, cfg: cfg, h: h, w: w, v4: w.local().Addr().Is4()}
	s.id = l.slots.add(s)
	w.attach(s.id)
	if err := w.watch(readable); err != nil {
		s.Close()
		return nil, fmt.Errorf("netio: open UDP socket %s: %w", cfg.Address, err)
	}
	l.stir()
	return s, nil
}

// ID returns the socket's name in its loop.
func (s *Packets) ID() ID { return s.id }

// Addr returns the address that the socket is bound to.
func (s *Packets) Addr() netip.AddrPort { return s.w.local() }

// Queued returns how many datagrams wait to be sent.
func (s *Packets) Queued() int { return len(s.out) }

// Pause stops receiving until Resume: the kernel's buffer fills and then drops.
func (s *Packets) Pause() { s.pause(true) }

// Resume receives again.
func (s *Packets) Resume() { s.pause(false) }

func (s *Packets) pause(on bool) {
	if s.paused = on; !s.closed {
		s.watch()
		s.loop.stir()
	}
}

// SendTo queues a datagram, which is copied, to be sent in this turn. from, if
// valid, is the address it leaves from; an answer leaves from the one that was
// asked. [ErrLimit] means that the queue is full and it was dropped.
func (s *Packets) SendTo(p []byte, to netip.AddrPort, from netip.Addr) error {
	return s.sendFrom(p, to, from, 0)
}

func (s *Packets) sendFrom(p []byte, to netip.AddrPort, from netip.Addr, peer ID) error {
	switch {
	case s.closed:
		return ErrClosed
	case len(p) > maxGram:
		return ErrTooBig
	case !to.IsValid() || to.Addr().Unmap().Is6() && s.v4 || from.Unmap().Is6() && s.v4:
		return ErrFamily
	case len(s.out) >= s.cfg.QueueGrams || s.outBytes+len(p) > s.cfg.QueueBytes:
		s.loop.stats.GramsDropped++
		return ErrLimit
	}
	home := s.loop.pool.get(len(p) > smallChunk)
	home.data = append(home.data, p...)
	s.out = append(s.out, outgram{data: home.data, to: to, from: from, peer: peer, home: home})
	s.outBytes += len(p)
	if !s.touched {
		s.touched = true
		s.loop.senders = append(s.loop.senders, s)
		s.loop.stir()
	}
	return nil
}

// ready reads what came, a turn's share at most, and sends what waits.
func (s *Packets) ready(what readiness) {
	if what&broken != 0 {
		s.w.complaints(s.complaint)
	}
	for got := 0; what&readable != 0 && got < turnGrams && !s.closed && !s.paused; {
		batch := s.loop.gramBuffers().reset(s.cfg.MaxDatagram)
		n, err := s.w.recv(batch)
		if err == errAgain {
			break
		}
		if err != nil {
			s.complaint(s.cfg.Connect, err)
			break
		}
		got += n
		s.deliver(batch[:n])
		if n < len(batch) {
			break
		}
	}
	if what&writable != 0 && !s.closed {
		s.blocked = false
		s.flush()
	}
}

func (s *Packets) deliver(batch []datagram) {
	for i := range batch {
		d := &batch[i]
		s.loop.stats.GramsIn++
		if d.cut {
			s.loop.stats.GramsCut++
		}
		if s.closed {
			return
		}
		s.h.Datagram(s, d.data, d.from, d.to, d.cut)
	}
}

func (s *Packets) complaint(peer netip.AddrPort, err error) {
	if !s.closed {
		s.h.Unreachable(s, peer, reasonOf(err))
	}
}

// flush sends what is queued until the system takes no more. A datagram that it
// refuses is dropped, told and counted; the others go.
func (s *Packets) flush() {
	sent := 0
	for sent < len(s.out) && !s.blocked {
		n, err := s.w.send(s.out[sent:min(len(s.out), sent+turnBatch)])
		for _, g := range s.out[sent : sent+n] {
			s.went(&g)
		}
		sent += n
		switch {
		case err == errAgain:
			s.blocked = true
		case err != nil:
			g := s.out[sent]
			sent++
			s.loop.stats.GramsDropped++
			s.outBytes -= len(g.data)
			s.loop.pool.put(g.home)
			s.complaint(g.to, err)
		}
	}
	s.out = append(s.out[:0], s.out[sent:]...)
	if !s.closed {
		s.watch()
	}
}

// went counts a datagram that was sent, and tells its peer's handler.
func (s *Packets) went(g *outgram) {
	n := len(g.data)
	s.loop.stats.GramsOut++
	s.outBytes -= n
	s.loop.pool.put(g.home)
	if g.peer == 0 {
		return
	}
	if c := s.loop.Conn(g.peer); c != nil && c.flags&(isClosing|isClosed) == 0 {
		c.nwriten += uint64(n)
		c.active = s.loop.time()
		c.h.Send(c, n)
	}
}

func (s *Packets) watch() {
	want := interest(0)
	if !s.paused {
		want |= readable
	}
	if s.blocked {
		want |= writable
	}
	if err := s.w.watch(want); err != nil {
		s.loop.warn("watching a UDP socket", "error", err)
	}
}

// Close closes the socket and its peers. What waits to be sent is sent as far as
// the system takes it now.
func (s *Packets) Close() { s.shutdown(Reason{}) }

func (s *Packets) shutdown(why Reason) {
	if s.closed {
		return
	}
	s.blocked = false
	s.closed = true
	if s.peers != nil {
		s.peers.closeAll(why)
	}
	s.flush()
	for i := range s.out {
		s.loop.pool.put(s.out[i].home)
	}
	s.out = nil
	s.loop.sh.Timers().Stop(&s.timer)
	s.w.close()
	s.loop.slots.remove(s.id)
	s.loop.stir()
}

// expiry arms the timer that looks for idle peers.
func (s *Packets) expiry(in time.Duration) {
	s.loop.sh.Timers().Arm(&s.timer, s.loop.time()+int64(in), s.peers.expire)
}
