package netio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// SocketConfig describes a listening socket.
type SocketConfig struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix".
	Network string
	// Address is "host:port" with a literal host, "" or "*" being any; or a path.
	Address string
	// File is a listening socket that another process handed over; it takes the place
	// of an own one and is duplicated.
	File *os.File
	// Backlog is how many wait to be accepted; 4096 by default.
	Backlog int
	// ReusePort lets other sockets listen on the same port (SO_REUSEPORT).
	ReusePort bool
	// MaxConns is how many connections are open at once; no bound but the budget's by default.
	MaxConns int
	// MaxPerIP is how many of them come from one address, or one /64 of IPv6.
	MaxPerIP int
	// Options are those of the connections.
	Options Options
	// Proxies are the networks of proxies: who comes from there has to begin with a PROXY
	// header, and is believed. Accept comes after it.
	Proxies []netip.Prefix
	// TLS, where set, has connections begin with a TLS handshake; Accept comes after it.
	// It must not be changed any more; see [Socket.SetTLS].
	TLS *tls.Config

	opt *Options
}

const defaultBacklog = 4096

// Socket is a listening socket at which several loops can listen: each connection
// goes to one of them. Its counts are over all. Any goroutine may use it.
type Socket struct {
	cfg   SocketConfig
	door  door
	conns atomic.Int64
	homes census
	tls   atomic.Pointer[tls.Config]
}

// Open opens a listening socket for loops with the same backend as l. Connections
// wait in the backlog until a loop listens at it.
func (l *Loop) Open(cfg SocketConfig) (*Socket, error) {
	if cfg.Backlog <= 0 {
		cfg.Backlog = defaultBacklog
	}
	cfg.opt = cfg.Options.withDefaults()
	if l.cfg.Memory != nil {
		cfg.TLS = nil
	}
	if err := cfg.checkProxies(); err != nil {
		return nil, fmt.Errorf("netio: listen: %w", err)
	}
	switch cfg.Network {
	case "tcp", "tcp4", "tcp6", "unix":
	default:
		if cfg.File == nil {
			return nil, fmt.Errorf("netio: listen: network %q is not tcp, tcp4, tcp6 or unix", cfg.Network)
		}
	}
	d, err := l.io.listen(&cfg)
	if err != nil {
		return nil, fmt.Errorf("netio: listen on %s %s: %w", cfg.Network, cfg.Address, err)
	}
	s := &Socket{cfg: cfg, door: d}
	s.tls.Store(withHello(cfg.TLS))
	return s, nil
}

// Addr returns the address that the socket is bound to; none for a Unix socket.
func (s *Socket) Addr() netip.AddrPort { return s.door.addr() }

// Conns returns how many of its connections are open.
func (s *Socket) Conns() int { return int(s.conns.Load()) }

// From returns how many of them come from the network of a, which is counted
// only with MaxPerIP.
func (s *Socket) From(a netip.Addr) int { return s.homes.of(a) }

// File returns a copy of the socket for another process, which listens from then
// on too. The caller closes it.
func (s *Socket) File() (*os.File, error) {
	f, err := s.door.file()
	if err != nil {
		return nil, fmt.Errorf("netio: copy listening socket: %w", err)
	}
	return f, nil
}

// Close closes the socket, when the last listener at it is closed. Who waits to be
// accepted is reset, unless another process has a copy.
func (s *Socket) Close() error { return s.door.close() }

// Limits that [Listener] tells its owner about.
const (
	LimitListener = "listener" // SocketConfig.MaxConns
	LimitAddress  = "address"  // SocketConfig.MaxPerIP
	LimitTotal    = "total"    // the budget
	LimitFiles    = "fds"      // the system's descriptors or memory
)

// muted is how long nobody is let in when there is no descriptor to refuse with.
const muted = 100 * time.Millisecond

// Listener is a loop's place at a socket.
type Listener struct {
	// Limited, where set, is told of each connection that was refused for a limit,
	// and from where it came, if that is known.
	Limited func(limit string, from netip.AddrPort)
	// Failed, where set, is told of each connection whose TLS handshake failed, and
	// why. Its handler is told nothing of such a one.
	Failed func(from netip.AddrPort, why Reason)
	// Hello, where set, decides about each TLS handshake when the client said hello.
	Hello HelloFunc

	loop   *Loop
	sock   *Socket
	own    bool // the socket is this listener's alone
	h      Handler
	id     ID
	seat   seat
	timer  event.Timer
	closed bool
	paused bool
}

// Listen opens a socket for this loop alone and listens at it; h serves its connections.
func (l *Loop) Listen(cfg SocketConfig, h Handler) (*Listener, error) {
	s, err := l.Open(cfg)
	if err != nil {
		return nil, err
	}
	ls, err := l.ListenAt(s, h)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ls.own = true
	return ls, nil
}

// ListenAt has h serve connections of s that the system gives to this loop.
func (l *Loop) ListenAt(s *Socket, h Handler) (*Listener, error) {
	if l.stopping {
		return nil, fmt.Errorf("netio: listen: %w", ErrClosed)
	}
	st, err := s.door.sit(l.io)
	if err != nil {
		return nil, fmt.Errorf("netio: listen: %w", err)
	}
	ls := &Listener{loop: l, sock: s, h: h, seat: st}
	ls.id = l.slots.add(ls)
	st.attach(ls.id)
	if err := st.watch(readable); err != nil {
		ls.Close()
		return nil, fmt.Errorf("netio: listen: %w", err)
	}
	l.stir()
	return ls, nil
}

// ID returns the listener's name in its loop.
func (ls *Listener) ID() ID { return ls.id }

// Socket returns what it listens at.
func (ls *Listener) Socket() *Socket { return ls.sock }

// Addr returns the address listened at.
func (ls *Listener) Addr() netip.AddrPort { return ls.sock.Addr() }

// Handle makes h the handler of connections that come from now on.
func (ls *Listener) Handle(h Handler) { ls.h = h }

// Pause leaves those who come waiting in the backlog, until Resume.
func (ls *Listener) Pause() {
	ls.paused = true
	ls.listen(false)
}

// Resume lets them in again.
func (ls *Listener) Resume() {
	ls.paused = false
	ls.listen(true)
}

func (ls *Listener) listen(on bool) {
	want := interest(0)
	if on && !ls.paused && !ls.timer.Armed() {
		want = readable
	}
	if !ls.closed {
		// It worked for this socket before; what could fail now is memory of the
		// kernel's, and then the next pause or resume tries again.
		_ = ls.seat.watch(want)
		ls.loop.stir()
	}
}

// Close ends listening. Its connections go on.
func (ls *Listener) Close() {
	if ls.closed {
		return
	}
	ls.closed = true
	ls.loop.sh.Timers().Stop(&ls.timer)
	ls.seat.leave()
	ls.loop.slots.remove(ls.id)
	if ls.own {
		// The kernel closes a socket whatever it has to complain about.
		_ = ls.sock.Close()
	}
	ls.loop.stir()
}

// ready lets in who waits, a turn's share at most.
func (ls *Listener) ready(readiness) {
	for range turnAccept {
		if ls.closed || ls.paused {
			return
		}
		w, from, err := ls.seat.accept(ls.sock.cfg.opt)
		switch {
		case err == nil:
			ls.admit(w, from)
		case err == errAgain:
			return
		case errors.Is(err, errExhausted):
			if ls.exhausted() {
				return
			}
		default:
			ls.loop.warn("accepting", "listener", ls.sock.cfg.Address, "error", err)
			return
		}
	}
}

// exhausted refuses one who cannot be let in, and reports whether that was all.
func (ls *Listener) exhausted() bool {
	l := ls.loop
	l.warn("out of file descriptors: refusing connections", "listener", ls.sock.cfg.Address)
	err := l.cfg.Budget.spend(ls.seat.refuse)
	switch {
	case err == nil:
		l.stats.RefusedDescriptors++
		ls.tell(LimitFiles, netip.AddrPort{})
		return false
	case err == errAgain:
		return true
	}
	l.stats.Muted++
	l.sh.Timers().Arm(&ls.timer, l.time()+int64(muted), func(int64) { ls.listen(true) })
	ls.listen(false)
	return true
}

func (ls *Listener) tell(limit string, from netip.AddrPort) {
	if ls.Limited != nil {
		ls.Limited(limit, from)
	}
}

// admit makes a connection of a socket, if the limits allow, and asks its handler.
func (ls *Listener) admit(w wire, from netip.AddrPort) {
	l := ls.loop
	proxy := ls.sock.expectsHeader(from.Addr())
	limit, count, counted := ls.enter(from.Addr(), proxy)
	if limit != "" {
		*count++
		w.close(false)
		ls.tell(limit, from)
		return
	}
	l.stats.Accepted++
	c := l.newConn(ls.h, ls.sock.cfg.opt)
	c.flags |= inbound | wasAccepted
	if counted {
		c.flags |= isCounted
	}
	c.lis, c.w, c.remote, c.path = ls, w, from, ls.sock.door.path()
	if a := ls.Addr(); a.IsValid() && !a.Addr().IsUnspecified() {
		c.local = a
	}
	w.attach(c.id)
	if proxy {
		c.prelude = &prelude{began: l.time(), waits: true}
		c.flags |= isPrelude
	} else {
		ls.enters(c)
	}
	c.settle()
}

// enters begins TLS, or asks the handler.
func (ls *Listener) enters(c *Conn) {
	if cfg := ls.sock.tls.Load(); cfg != nil {
		c.startTLS(cfg, false)
		return
	}
	c.flags |= isTouched
	ls.offer(c)
	c.flags &^= isTouched
}

// offer asks the handler whether c is accepted.
func (ls *Listener) offer(c *Conn) {
	switch c.h.Accept(c) {
	case Reject:
		c.flags |= isHeld
		c.CloseWith(Reason{Why: Rejected})
	case RejectReset:
		c.flags |= byReset
		c.fail(Reason{Why: Rejected})
	case Hold:
		c.flags |= isHeld
	}
}

// enter counts a connection, or returns the limit that it would exceed and the
// counter of those that did. A proxy does not count with its own address, others do.
func (ls *Listener) enter(from netip.Addr, proxy bool) (limit string, refused *uint64, counted bool) {
	s, l := ls.sock, ls.loop
	if !l.cfg.Budget.take() {
		return LimitTotal, &l.stats.RefusedTotal, false
	}
	if n := s.conns.Add(1); s.cfg.MaxConns > 0 && n > int64(s.cfg.MaxConns) {
		s.conns.Add(-1)
		l.cfg.Budget.give()
		return LimitListener, &l.stats.RefusedListener, false
	}
	if proxy || s.cfg.MaxPerIP <= 0 || !from.IsValid() {
		return "", nil, false
	}
	if !s.homes.enter(from, s.cfg.MaxPerIP) {
		s.conns.Add(-1)
		l.cfg.Budget.give()
		return LimitAddress, &l.stats.RefusedAddress, false
	}
	return "", nil, true
}

// left takes a connection out of the counts.
func (ls *Listener) left(c *Conn) {
	ls.loop.cfg.Budget.give()
	ls.sock.conns.Add(-1)
	if c.flags&isCounted != 0 {
		ls.sock.homes.leave(c.remote.Addr())
	}
}
