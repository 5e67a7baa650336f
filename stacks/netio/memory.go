package netio

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// Memory is a network that is in memory, for loops whose Config has it, and for who
// speaks to them from outside: [Memory.Dial], [Memory.Listen], [Memory.Packets]. Nothing
// of it is on the machine's network, it has no time of its own, and what happens does
// not depend on chance: ports are given in order, bytes are there as soon as they are
// written. TLS is left out on it: what peers mean goes over it as it is.
//
// Goroutines: any may use it.
type Memory struct {
	mu     sync.Mutex // guards all sockets of the network
	doors  []*memDoor
	grams  []*memGrams
	silent []netip.AddrPort
	names  func(host string) ([]netip.Addr, error)
	port   uint16
}

// Bounds of what is under way.
const (
	memoryRoom  = 256 << 10 // bytes of one direction of a stream
	memoryGrams = 1024      // datagrams that wait at a socket; more are lost
	memoryPort  = 32768     // the first port that is given to who asks for none
)

// NewMemory returns a network with nobody in it.
func NewMemory() *Memory { return &Memory{port: memoryPort} }

// Resolve says how names are found that are dialled; without it there are none.
func (m *Memory) Resolve(names func(host string) ([]netip.Addr, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names = names
}

// Silence has nobody answer at that address, not even that nobody is there.
func (m *Memory) Silence(at netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent = append(m.silent, at)
}

func (m *Memory) lookup(host string) ([]netip.Addr, error) {
	m.mu.Lock()
	names := m.names
	m.mu.Unlock()
	if names == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return names(host)
}

// free returns at with a port that nobody has, if it has none.
func (m *Memory) free(at netip.AddrPort) netip.AddrPort {
	if at.Port() != 0 {
		return at
	}
	for {
		at = netip.AddrPortFrom(at.Addr(), m.port)
		if m.port++; m.port == 0 {
			m.port = memoryPort
		}
		if !m.taken(at) {
			return at
		}
	}
}

func (m *Memory) taken(at netip.AddrPort) bool {
	return slices.ContainsFunc(m.doors, func(d *memDoor) bool { return d.at == at }) ||
		slices.ContainsFunc(m.grams, func(g *memGrams) bool { return g.at == at })
}

// origin returns where one comes from who asks for to: its own choice, or the
// loopback address of that family.
func (m *Memory) origin(from netip.AddrPort, to netip.Addr) netip.AddrPort {
	if !from.Addr().IsValid() || from.Addr().IsUnspecified() {
		a := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if to.Is6() && !to.Is4In6() && !to.IsUnspecified() {
			a = netip.IPv6Loopback()
		}
		from = netip.AddrPortFrom(a, from.Port())
	}
	return m.free(from)
}

// covers reports whether a socket that is bound to one address is there for another.
func covers(bound, asked netip.AddrPort) bool {
	return bound.Port() == asked.Port() && (bound.Addr().Unmap() == asked.Addr().Unmap() || bound.Addr().IsUnspecified())
}

// door returns who listens there, nil for nobody; silent says that not even that is told.
func (m *Memory) door(to target) (d *memDoor, silent bool) {
	for _, d := range m.doors {
		if to.path != "" && d.name == to.path || to.path == "" && d.name == "" && covers(d.at, to.addr) {
			return d, false
		}
	}
	return nil, slices.ContainsFunc(m.silent, func(at netip.AddrPort) bool { return covers(at, to.addr) })
}

// bindMemory returns the address that a socket is bound to.
func bindMemory(address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errors.New("want a port from 0 to 65535")
	}
	a := netip.IPv6Unspecified()
	if host != "" && host != "*" {
		if a, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, errors.New("want a literal address to listen on")
		}
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// memory is the backend of one loop in a Memory: its readiness is kept as that of the
// portable one.
type memory struct {
	*portable
	net *Memory
}

func newMemory(m *Memory) *memory { return &memory{newPortable(), m} }

func (b *memory) listen(cfg *SocketConfig) (door, error) {
	if cfg.File != nil {
		return nil, errors.ErrUnsupported
	}
	m := b.net
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &memDoor{net: m}
	if cfg.Network == "unix" {
		d.name = cfg.Address
	} else {
		at, err := bindMemory(cfg.Address)
		if err != nil {
			return nil, err
		}
		d.at = m.free(at)
	}
	if taken, _ := m.door(target{addr: d.at, path: d.name}); taken != nil {
		return nil, syscall.EADDRINUSE
	}
	m.doors = append(m.doors, d)
	return d, nil
}

func (b *memory) dial(to target, _ *Options, bind netip.AddrPort) (wire, error) {
	m := b.net
	m.mu.Lock()
	defer m.mu.Unlock()
	d, silent := m.door(to)
	if d == nil && !silent {
		return nil, syscall.ECONNREFUSED
	}
	e := &memEnd{net: m}
	if d != nil { // else it is never decided
		e.connect(m.origin(bind, to.addr.Addr()), to.addr, d)
	}
	return e.wire(b.portable), nil
}

// memDoor is a listening socket: of loops, which sit at it, or of who is outside.
type memDoor struct {
	net    *Memory
	at     netip.AddrPort
	name   string // the path of a Unix socket
	queue  []*memEnd
	seats  []*memSeat
	closed bool
}

func (d *memDoor) sit(b backend) (seat, error) {
	p, ok := b.(*memory)
	if !ok {
		return nil, errors.New("the socket was opened by another backend")
	}
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	s := &memSeat{sensed: sensed{p: p.portable}, door: d}
	d.seats = append(d.seats, s)
	return s, nil
}

// arrive has one wait who wants in.
func (d *memDoor) arrive(e *memEnd) {
	d.queue = append(d.queue, e)
	for _, s := range d.seats {
		s.sense(readable, 0)
	}
}

func (d *memDoor) addr() netip.AddrPort { return d.at }

func (d *memDoor) path() string { return d.name }

func (d *memDoor) file() (*os.File, error) { return nil, errors.ErrUnsupported }

func (d *memDoor) close() error {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.closed = true
	d.net.doors = slices.DeleteFunc(d.net.doors, func(o *memDoor) bool { return o == d })
	for _, e := range d.queue {
		e.close(true)
	}
	d.queue = nil
	return nil
}

// memSeat is a loop's place at a door.
type memSeat struct {
	sensed
	door *memDoor
}

func (s *memSeat) accept(*Options) (wire, netip.AddrPort, error) {
	d := s.door
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	if len(d.queue) == 0 {
		for _, s := range d.seats {
			s.sense(0, readable)
		}
		return nil, netip.AddrPort{}, errAgain
	}
	e := d.queue[0]
	d.queue = d.queue[1:]
	return e.wire(s.p), e.remote, nil
}

func (s *memSeat) refuse() error {
	w, _, err := s.accept(nil)
	if err == nil {
		w.close(false)
	}
	return err
}

func (s *memSeat) leave() {
	_ = s.watch(0)
	d := s.door
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.seats = slices.DeleteFunc(d.seats, func(o *memSeat) bool { return o == s })
}
