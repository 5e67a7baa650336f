package netio

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// netBatch is how many datagrams a portable socket holds each way.
const netBatch = 64

// netGrams is a UDP socket of package net.
type netGrams struct {
	sensed
	conn *net.UDPConn
	at   netip.AddrPort
	only netip.AddrPort // the peer of a connected one

	// Guarded by portable.mu.
	cond   sync.Cond
	closed bool
	in     []datagram
	out    []outgram
	errs   []complaint
}

type complaint struct {
	peer netip.AddrPort
	err  error
}

func (p *portable) packets(cfg *PacketConfig) (gramWire, error) {
	if cfg.ReusePort {
		return nil, errors.New("SO_REUSEPORT: not with this backend")
	}
	g := &netGrams{sensed: sensed{p: p}, only: cfg.Connect}
	g.cond.L = &p.mu
	var err error
	if cfg.Connect.IsValid() {
		g.conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(cfg.Connect))
	} else {
		g.conn, err = listenUDP(cfg)
	}
	if err != nil {
		return nil, err
	}
	_ = g.conn.SetReadBuffer(cfg.RecvBuffer)
	if cfg.SendBuffer > 0 {
		_ = g.conn.SetWriteBuffer(cfg.SendBuffer)
	}
	g.at = netAddr(g.conn.LocalAddr())
	g.state = writable
	p.live.Go(func() { g.reader(cfg.MaxDatagram) })
	p.live.Go(g.writer)
	return g, nil
}

func listenUDP(cfg *PacketConfig) (*net.UDPConn, error) {
	address, err := literal(cfg.Address)
	if err != nil {
		return nil, err
	}
	at, err := net.ResolveUDPAddr(cfg.Network, address)
	if err != nil {
		return nil, err
	}
	return net.ListenUDP(cfg.Network, at)
}

func (g *netGrams) reader(size int) {
	// One byte more than is wanted shows which were cut.
	buf := make([]byte, size+1)
	for {
		n, from, err := g.conn.ReadFromUDPAddrPort(buf)
		g.p.mu.Lock()
		for len(g.in) >= netBatch && !g.closed {
			g.cond.Wait()
		}
		if g.closed {
			g.p.mu.Unlock()
			return
		}
		if err != nil {
			g.complain(g.only, err)
			g.p.mu.Unlock()
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		data := append([]byte(nil), buf[:min(n, size)]...)
		g.in = append(g.in, datagram{data: data, from: from, to: g.at, cut: n > size})
		g.change(readable, 0)
		g.p.mu.Unlock()
	}
}

func (g *netGrams) complain(peer netip.AddrPort, err error) {
	if len(g.errs) < netBatch {
		g.errs = append(g.errs, complaint{peer, err})
	}
	g.change(broken, 0)
}

func (g *netGrams) writer() {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	for {
		for len(g.out) == 0 && !g.closed {
			g.cond.Wait()
		}
		if len(g.out) == 0 {
			_ = g.conn.Close()
			return
		}
		o := g.out[0]
		g.out = g.out[1:]
		g.change(writable, 0)
		g.p.mu.Unlock()
		var err error
		if g.only.IsValid() {
			_, err = g.conn.Write(o.data)
		} else {
			_, err = g.conn.WriteToUDPAddrPort(o.data, o.to)
		}
		g.p.mu.Lock()
		if err != nil && !g.closed {
			g.complain(o.to, err)
		}
	}
}

func (g *netGrams) recv(batch []datagram) (int, error) {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	n := copy(batch, g.in)
	if n == 0 {
		return 0, errAgain
	}
	g.in = append([]datagram(nil), g.in[n:]...)
	if len(g.in) == 0 {
		g.change(0, readable)
	}
	g.cond.Broadcast()
	return n, nil
}

func (g *netGrams) send(batch []outgram) (int, error) {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	n := min(len(batch), netBatch-len(g.out))
	for _, o := range batch[:n] {
		o.data = append([]byte(nil), o.data...)
		o.home = nil
		g.out = append(g.out, o)
	}
	g.cond.Broadcast()
	if n < len(batch) {
		g.change(0, writable)
		return n, errAgain
	}
	return n, nil
}

func (g *netGrams) complaints(tell func(netip.AddrPort, error)) {
	g.p.mu.Lock()
	errs := g.errs
	g.errs = nil
	g.change(0, broken)
	g.p.mu.Unlock()
	for _, e := range errs {
		tell(e.peer, e.err)
	}
}

func (g *netGrams) local() netip.AddrPort { return g.at }

// close has the writer finish what it has and close the socket.
func (g *netGrams) close() {
	g.p.mu.Lock()
	defer g.p.mu.Unlock()
	g.closed = true
	g.want = 0
	g.cond.Broadcast()
}
