package netio

import (
	"fmt"
	"net/netip"
	"time"
)

// PeerConfig says how a UDP socket's peers are kept as connections.
type PeerConfig struct {
	// Packets is the socket.
	Packets PacketConfig
	// Max is how many peers there are at once; 10,000 by default. One more evicts the one that
	// was silent for longest, with reason limit:peers.
	Max int
	// Idle closes a peer that was silent, both ways, for so long; 30 s by default.
	Idle time.Duration
}

// peers are those of a UDP socket, by their address and the one they asked, in the
// order in which they were heard of or sent to last.
type peers struct {
	sock        *Packets
	cfg         PeerConfig
	opt         *Options
	h           Handler
	table       map[netip.AddrPort]*Conn // the first of an address; the others follow it
	count       int
	first, last *Conn // heard of longest ago, latest
	alone       bool  // of a socket that was dialled: it ends with its peer
}

type peerKey struct {
	remote netip.AddrPort
	local  netip.Addr
}

// peer is what a connection has that is a UDP peer.
type peer struct {
	sock       *Packets
	key        peerKey
	prev, next *Conn
	twin       *Conn // the same address, which asked another of ours
}

// ListenPeers opens a UDP socket whose peers are connections, which h serves: Accept
// at the first datagram of each, Recv for each datagram, Send for each sent.
func (l *Loop) ListenPeers(cfg PeerConfig, h Handler) (*Packets, error) {
	p := newPeers(cfg, h)
	s, err := l.Packets(cfg.Packets, p)
	if err != nil {
		return nil, err
	}
	p.sock, s.peers = s, p
	return s, nil
}

func (c PeerConfig) withDefaults() PeerConfig {
	if c.Max <= 0 {
		c.Max = 10_000
	}
	if c.Idle <= 0 {
		c.Idle = 30 * time.Second
	}
	return c
}

func newPeers(cfg PeerConfig, h Handler) *peers {
	return &peers{cfg: cfg.withDefaults(), h: h, opt: Options{}.withDefaults(), table: map[netip.AddrPort]*Conn{}}
}

// DialPeer opens a UDP socket for one peer at a literal address, as a connection: h
// is told Connect at once, in the loop, and Close when the network says that nobody
// is there. It does not expire unless idle is set.
func (l *Loop) DialPeer(to netip.AddrPort, idle time.Duration, h Handler) (*Conn, error) {
	return l.DialPeerBy(PacketConfig{Network: "udp", Connect: to}, idle, h)
}

// DialPeerBy is DialPeer by a socket of that description, whose Connect is the peer.
func (l *Loop) DialPeerBy(sock PacketConfig, idle time.Duration, h Handler) (*Conn, error) {
	to := sock.Connect
	if !to.IsValid() || to.Port() == 0 {
		return nil, fmt.Errorf("netio: dial udp %s: %w", to, ErrFamily)
	}
	cfg := PeerConfig{Packets: sock, Max: 1, Idle: idle}
	if idle <= 0 {
		cfg.Idle = 1 << 62
	}
	s, err := l.ListenPeers(cfg, h)
	if err != nil {
		return nil, fmt.Errorf("netio: dial udp %s: %w", to, err)
	}
	s.peers.alone = true
	l.stats.Dialed++
	c := s.peers.add(peerKey{remote: to})
	c.flags |= connecting | tellConnect
	c.touch()
	return c, nil
}

// Peers returns how many peers a socket has that was opened by [Loop.ListenPeers].
func (s *Packets) Peers() int {
	if s.peers == nil {
		return 0
	}
	return s.peers.count
}

func (p *peers) add(key peerKey) *Conn {
	l := p.sock.loop
	if p.count >= p.cfg.Max && p.first != nil {
		l.stats.PeersEvicted++
		oldest := p.first
		oldest.fail(Reason{Why: Limit, What: "peers"})
		p.drop(oldest)
	}
	c := l.newConn(p.h, p.opt)
	c.peer = &peer{sock: p.sock, key: key}
	c.remote = key.remote
	c.local = netip.AddrPortFrom(key.local, p.sock.Addr().Port())
	c.peer.twin = p.table[key.remote]
	p.table[key.remote] = c
	p.count++
	p.push(c)
	if !p.sock.timer.Armed() && p.cfg.Idle < 1<<61 {
		p.sock.expiry(p.cfg.Idle)
	}
	return c
}

func (p *peers) push(c *Conn) {
	c.peer.prev, c.peer.next = p.last, nil
	if p.last == nil {
		p.first = c
	} else {
		p.last.peer.next = c
	}
	p.last = c
}

func (p *peers) unlink(c *Conn) {
	q := c.peer
	if q.prev == nil {
		p.first = q.next
	} else {
		q.prev.peer.next = q.next
	}
	if q.next == nil {
		p.last = q.prev
	} else {
		q.next.peer.prev = q.prev
	}
	q.prev, q.next = nil, nil
}

func (p *peers) find(key peerKey) *Conn {
	c := p.table[key.remote]
	for c != nil && c.peer.key != key {
		c = c.peer.twin
	}
	return c
}

// drop takes a peer out of the table, once.
func (p *peers) drop(c *Conn) {
	first := p.table[c.peer.key.remote]
	at := &first
	for *at != nil && *at != c {
		at = &(*at).peer.twin
	}
	if *at == nil {
		return
	}
	if *at = c.peer.twin; first == nil {
		delete(p.table, c.peer.key.remote)
	} else {
		p.table[c.peer.key.remote] = first
	}
	p.count--
	p.unlink(c)
}

// Datagram implements [PacketHandler].
func (p *peers) Datagram(_ *Packets, b []byte, from, to netip.AddrPort, cut bool) {
	key := peerKey{remote: from, local: to.Addr()}
	if p.alone {
		key = peerKey{remote: from}
	}
	c := p.find(key)
	if c == nil {
		if c = p.admit(key); c == nil {
			return
		}
	}
	l := p.sock.loop
	if c.flags&(isClosing|isClosed) != 0 {
		return
	}
	if p.last != c {
		p.unlink(c)
		p.push(c)
	}
	c.active = l.time()
	c.nread += uint64(len(b))
	if c.flags&tellConnect != 0 {
		c.settle()
	}
	c.flags &^= gramCut
	if cut {
		c.flags |= gramCut
	}
	c.in.lent = b
	if c.flags&isClosing == 0 {
		c.h.Recv(c, len(b))
	}
	c.in.lent = nil
}

// admit makes a connection for a peer that was not heard of before.
func (p *peers) admit(key peerKey) *Conn {
	if p.alone || p.sock.loop.stopping {
		return nil
	}
	c := p.add(key)
	p.sock.loop.stats.Accepted++
	c.flags |= inbound
	switch p.h.Accept(c) {
	case Reject, RejectReset, Hold:
		// There is nobody to be held: what comes while nobody reads is lost.
		c.fail(Reason{Why: Rejected})
		return nil
	}
	return c
}

// Unreachable implements [PacketHandler]: the network's word ends a peer.
func (p *peers) Unreachable(_ *Packets, to netip.AddrPort, why Reason) {
	if why.Why == Failed {
		return // about the one datagram, as that it was too big; it is counted
	}
	for c := p.table[to]; c != nil; c = c.peer.twin {
		c.fail(why)
	}
}

// expire closes the peers that were silent for too long.
func (p *peers) expire(now int64) {
	for c := p.first; c != nil; c = p.first {
		if due := c.active + int64(p.cfg.Idle); due > now {
			// One that was sent to since is not at its place in the list.
			if c.peer.next != nil && c.active > c.peer.next.active {
				p.unlink(c)
				p.push(c)
				continue
			}
			p.sock.expiry(time.Duration(due - now))
			return
		}
		c.fail(Reason{Why: Timeout, What: "idle"})
		p.drop(c)
	}
}

func (p *peers) closeAll(why Reason) {
	for c := p.first; c != nil; c = p.first {
		c.fail(why)
		p.drop(c)
	}
}

// settlePeer does what is left to do about a UDP peer.
func (c *Conn) settlePeer() {
	if c.flags&flushClose != 0 {
		c.fail(c.why)
		return
	}
	c.schedule()
}

// forget ends a peer, and the socket that was its alone.
func (s *Packets) forget(c *Conn) {
	s.peers.drop(c)
	if s.peers.alone {
		s.Close()
	}
}
