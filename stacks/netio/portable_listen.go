package netio

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// netDoor is a listening socket of package net, with a goroutine that accepts and
// gives connections to the loops in turn.
type netDoor struct {
	live sync.WaitGroup // the goroutine
	ln   net.Listener
	cfg  *SocketConfig
	done chan struct{}

	mu     sync.Mutex
	cond   sync.Cond // a seat was taken or has room
	seats  []*netSeat
	turn   int
	closed bool
}

// netSeat is a loop's place.
type netSeat struct {
	sensed
	door *netDoor
	// Guarded by door.mu.
	waiting []net.Conn
	opened  bool
}

func (p *portable) listen(cfg *SocketConfig) (door, error) {
	ln, err := p.open(cfg)
	if err != nil {
		return nil, err
	}
	d := &netDoor{ln: ln, cfg: cfg, done: make(chan struct{})}
	d.cond.L = &d.mu
	d.live.Go(d.accept)
	return d, nil
}

func (p *portable) open(cfg *SocketConfig) (net.Listener, error) {
	switch {
	case cfg.File != nil:
		return net.FileListener(cfg.File)
	case cfg.ReusePort:
		return nil, errors.New("SO_REUSEPORT: not with this backend")
	case cfg.Network == "unix":
		return net.Listen("unix", cfg.Address)
	}
	address, err := literal(cfg.Address)
	if err != nil {
		return nil, err
	}
	return net.Listen(cfg.Network, address)
}

// literal refuses names, which would be looked up.
func literal(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if host == "" || host == "*" {
		return ":" + port, nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", errors.New("want a literal address to listen on")
	}
	return address, nil
}

// accept lets in who comes. Nothing can be refused for lack of descriptors here:
// package net has none to spare, so they wait in the backlog.
func (d *netDoor) accept() {
	for {
		conn, err := d.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-d.done:
				return
			case <-time.After(muted):
			}
			continue
		}
		tuneConn(conn, d.cfg.opt)
		if !d.seat(conn) {
			_ = conn.Close()
			return
		}
	}
}

// seat gives a connection to the next loop that has room, and waits for one.
func (d *netDoor) seat(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.closed {
		for range d.seats {
			d.turn++
			s := d.seats[d.turn%len(d.seats)]
			if s.opened && len(s.waiting) < turnAccept {
				s.waiting = append(s.waiting, conn)
				s.sense(readable, 0)
				return true
			}
		}
		d.cond.Wait()
	}
	return false
}

func (d *netDoor) sit(b backend) (seat, error) {
	p, ok := b.(*portable)
	if !ok {
		return nil, errors.New("the socket was opened by another backend")
	}
	s := &netSeat{sensed: sensed{p: p}, door: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	d.seats = append(d.seats, s)
	return s, nil
}

func (s *netSeat) watch(want interest) error {
	s.door.mu.Lock()
	s.opened = want != 0
	s.door.cond.Broadcast()
	s.door.mu.Unlock()
	return s.sensed.watch(want)
}

func (s *netSeat) accept(opt *Options) (wire, netip.AddrPort, error) {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if len(s.waiting) == 0 {
		s.sense(0, readable)
		return nil, netip.AddrPort{}, errAgain
	}
	conn := s.waiting[0]
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[1:])]
	s.door.cond.Broadcast()
	return s.p.stream(conn, opt), netAddr(conn.RemoteAddr()), nil
}

func (s *netSeat) refuse() error { return errAgain }

// leave gives those who wait at this seat to the others, or ends them.
func (s *netSeat) leave() {
	_ = s.sensed.watch(0)
	d := s.door
	d.mu.Lock()
	s.opened = false
	waiting := s.waiting
	s.waiting = nil
	for i, o := range d.seats {
		if o == s {
			d.seats = append(d.seats[:i], d.seats[i+1:]...)
			break
		}
	}
	for len(d.seats) > 0 && len(waiting) > 0 {
		o := d.seats[0]
		o.waiting = append(o.waiting, waiting...)
		waiting = nil
		o.sense(readable, 0)
	}
	d.mu.Unlock()
	for _, c := range waiting {
		_ = c.Close()
	}
}

func (d *netDoor) addr() netip.AddrPort { return netAddr(d.ln.Addr()) }

func (d *netDoor) path() string {
	if a, ok := d.ln.Addr().(*net.UnixAddr); ok {
		return a.Name
	}
	return ""
}

func (d *netDoor) file() (*os.File, error) {
	if f, ok := d.ln.(interface{ File() (*os.File, error) }); ok {
		return f.File()
	}
	return nil, errors.ErrUnsupported
}

func (d *netDoor) close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.done)
	d.cond.Broadcast()
	d.mu.Unlock()
	err := d.ln.Close()
	d.live.Wait()
	return err
}
