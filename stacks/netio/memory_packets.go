package netio

import (
	"net/netip"
	"slices"
	"syscall"
)

// memGrams is a datagram socket in memory: of a loop, which it tells through sensed,
// or of who is outside. Its fields are guarded by Memory.mu.
type memGrams struct {
	sensed
	net  *Memory
	at   netip.AddrPort
	only netip.AddrPort // the peer of a connected one
	in   []datagram
	errs []complaint
}

func (b *memory) packets(cfg *PacketConfig) (gramWire, error) {
	m := b.net
	m.mu.Lock()
	defer m.mu.Unlock()
	g := &memGrams{net: m, only: cfg.Connect}
	g.p = b.portable
	g.state = writable
	switch at, err := bindMemory(cfg.Address); {
	case cfg.Address == "" && cfg.Connect.IsValid():
		g.at = m.origin(netip.AddrPort{}, cfg.Connect.Addr())
	case err != nil:
		return nil, err
	default:
		g.at = m.free(at)
	}
	return g, m.open(g)
}

// open puts a socket where others find it.
func (m *Memory) open(g *memGrams) error {
	if slices.ContainsFunc(m.grams, func(o *memGrams) bool { return o.at == g.at }) {
		return syscall.EADDRINUSE
	}
	m.grams = append(m.grams, g)
	return nil
}

// sendTo passes a datagram on, and reports whether anybody is there.
func (m *Memory) sendTo(from, to netip.AddrPort, p []byte) bool {
	for _, g := range m.grams {
		if !covers(g.at, to) || g.only.IsValid() && !covers(g.only, from) {
			continue
		}
		if len(g.in) < memoryGrams {
			g.in = append(g.in, datagram{data: slices.Clone(p), from: from, to: to})
			g.tell(readable, 0)
		}
		return true
	}
	return slices.ContainsFunc(m.silent, func(at netip.AddrPort) bool { return covers(at, to) })
}

func (g *memGrams) tell(set, clear readiness) {
	if g.p != nil {
		g.sense(set, clear)
	}
}

func (g *memGrams) recv(batch []datagram) (int, error) {
	g.net.mu.Lock()
	defer g.net.mu.Unlock()
	n := 0
	for ; n < min(len(batch), len(g.in)); n++ {
		d := g.in[n]
		d.cut = len(d.data) > len(batch[n].data)
		d.data = batch[n].data[:copy(batch[n].data, d.data)]
		batch[n] = d
	}
	g.in = g.in[n:]
	if len(g.in) == 0 {
		g.in = nil
		g.tell(0, readable)
	}
	if n == 0 {
		return 0, errAgain
	}
	return n, nil
}

func (g *memGrams) send(batch []outgram) (int, error) {
	g.net.mu.Lock()
	defer g.net.mu.Unlock()
	for i := range batch {
		o := &batch[i]
		from, to := g.at, o.to
		if g.only.IsValid() {
			to = g.only
		}
		if o.from.IsValid() && !o.from.IsUnspecified() {
			from = netip.AddrPortFrom(o.from.Unmap(), from.Port())
		}
		if !g.net.sendTo(from, to, o.data) && len(g.errs) < netBatch {
			g.errs = append(g.errs, complaint{to, syscall.ECONNREFUSED})
			g.tell(broken, 0)
		}
	}
	return len(batch), nil
}

func (g *memGrams) complaints(tell func(netip.AddrPort, error)) {
	g.net.mu.Lock()
	errs := g.errs
	g.errs = nil
	g.tell(0, broken)
	g.net.mu.Unlock()
	for _, e := range errs {
		tell(e.peer, e.err)
	}
}

func (g *memGrams) local() netip.AddrPort { return g.at }

func (g *memGrams) close() {
	g.net.mu.Lock()
	defer g.net.mu.Unlock()
	if g.p != nil {
		_ = g.watch(0)
	}
	g.net.grams = slices.DeleteFunc(g.net.grams, func(o *memGrams) bool { return o == g })
}

// Grams is a datagram socket in a [Memory] that no loop has.
type Grams struct{ g *memGrams }

// Packets opens a datagram socket; port 0 is any that is free.
func (m *Memory) Packets(at netip.AddrPort) (*Grams, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := &memGrams{net: m, at: m.origin(at, at.Addr())}
	if err := m.open(g); err != nil {
		return nil, err
	}
	return &Grams{g}, nil
}

// Addr returns where it is.
func (g *Grams) Addr() netip.AddrPort { return g.g.at }

// SendTo sends a datagram and reports whether anybody is there.
func (g *Grams) SendTo(p []byte, to netip.AddrPort) bool {
	g.g.net.mu.Lock()
	defer g.g.net.mu.Unlock()
	return g.g.net.sendTo(g.g.at, to, p)
}

// Recv returns the next datagram and where it came from; ok is false if there is none.
func (g *Grams) Recv() (p []byte, from netip.AddrPort, ok bool) {
	g.g.net.mu.Lock()
	defer g.g.net.mu.Unlock()
	if len(g.g.in) == 0 {
		return nil, from, false
	}
	d := g.g.in[0]
	g.g.in = g.g.in[1:]
	return d.data, d.from, true
}

// Close closes the socket.
func (g *Grams) Close() { g.g.close() }
