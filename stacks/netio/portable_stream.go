package netio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
)

// readAhead is how much a portable socket reads before its owner does: as far the
// end of its peer's stream is seen while reading is paused.
const readAhead = 64 << 10

// netStream is a stream socket of package net.
type netStream struct {
	sensed
	cancel context.CancelFunc // of a dial
	dial   func() (net.Conn, error)
	opt    *Options

	// Guarded by portable.mu.
	conn    net.Conn
	failed  error // of the dial
	closed  bool
	cond    sync.Cond // something below changed
	reads   bool      // the reader runs
	in      []byte
	inErr   error
	writes  bool // the writer runs
	out     []byte
	busy    bool // out is being written
	done    bool // it was, and the outcome was not asked for
	written int
	outErr  error
}

func (p *portable) stream(conn net.Conn, opt *Options) *netStream {
	s := &netStream{sensed: sensed{p: p}, conn: conn, opt: opt, cancel: func() {}}
	s.cond.L = &p.mu
	return s
}

func (p *portable) dial(to target, opt *Options, bind netip.AddrPort) (wire, error) {
	s := p.stream(nil, opt)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	var d net.Dialer
	if bind.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(bind)
	}
	s.dial = func() (net.Conn, error) {
		if to.path != "" {
			return d.DialContext(ctx, "unix", to.path)
		}
		return d.DialContext(ctx, "tcp", to.addr.String())
	}
	return s, nil
}

func (s *netStream) attach(id ID) {
	s.sensed.attach(id)
	if s.dial == nil {
		return
	}
	dial := s.dial
	s.dial = nil
	s.p.live.Go(func() {
		defer s.cancel()
		conn, err := dial()
		if err == nil {
			tuneConn(conn, s.opt)
		}
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		if s.closed {
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		s.conn, s.failed = conn, err
		s.change(writable, 0)
	})
}

// tuneConn sets a connection's options as far as the system has them; what it
// refuses it keeps as it was.
func tuneConn(conn net.Conn, opt *Options) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = c.SetNoDelay(!opt.Nagle)
	_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: opt.KeepAlive > 0, Idle: opt.KeepAlive, Interval: opt.KeepAlive / 4})
	if opt.RecvBuffer > 0 {
		_ = c.SetReadBuffer(opt.RecvBuffer)
	}
	if opt.SendBuffer > 0 {
		_ = c.SetWriteBuffer(opt.SendBuffer)
	}
}

func (s *netStream) connected() error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.conn == nil && s.failed == nil {
		return errAgain
	}
	return s.failed
}

func (s *netStream) watch(want interest) error {
	s.p.mu.Lock()
	if s.conn != nil && !s.reads && want&(readable|gone) != 0 {
		s.reads = true
		conn := s.conn
		s.p.live.Go(func() { s.reader(conn) })
	}
	if s.conn != nil && !s.busy {
		s.change(writable, 0)
	}
	s.p.mu.Unlock()
	return s.sensed.watch(want)
}

func (s *netStream) reader(conn net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		s.p.mu.Lock()
		if s.closed {
			s.p.mu.Unlock()
			return
		}
		s.in = append(s.in, buf[:n]...)
		s.change(readable, 0)
		if err != nil {
			s.inErr = err
			s.change(readable|gone, 0)
			if !errors.Is(err, io.EOF) {
				s.change(broken, 0)
			}
			s.p.mu.Unlock()
			return
		}
		for len(s.in) >= readAhead && !s.closed {
			s.cond.Wait()
		}
		s.p.mu.Unlock()
	}
}

func (s *netStream) read(p []byte) (int, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	n := copy(p, s.in)
	if n == 0 {
		if s.inErr != nil {
			return 0, s.inErr
		}
		return 0, errAgain
	}
	s.in = s.in[:copy(s.in, s.in[n:])]
	if len(s.in) == 0 {
		s.in = nil
		if s.inErr == nil {
			s.change(0, readable)
		}
	}
	s.cond.Broadcast()
	return n, nil
}

func (s *netStream) write(bufs [][]byte) (int, error) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.done {
		if s.written > 0 {
			n := s.written
			s.written, s.done = 0, s.outErr != nil
			return n, nil
		}
		return 0, s.outErr
	}
	if s.busy {
		return 0, errAgain
	}
	if !s.writes {
		s.writes = true
		conn := s.conn
		s.p.live.Go(func() { s.writer(conn) })
	}
	s.out = s.out[:0]
	for _, b := range bufs {
		s.out = append(s.out, b[:min(len(b), bigChunk-len(s.out))]...)
	}
	s.busy = true
	s.change(0, writable)
	s.cond.Broadcast()
	return 0, errAgain
}

func (s *netStream) writer(conn net.Conn) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	for !s.closed {
		if !s.busy {
			s.cond.Wait()
			continue
		}
		s.p.mu.Unlock()
		n, err := conn.Write(s.out)
		s.p.mu.Lock()
		s.busy, s.done = false, true
		s.written, s.outErr = n, err
		s.change(writable, 0)
		if err != nil {
			return
		}
	}
}

func (s *netStream) local() netip.AddrPort {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.conn == nil {
		return netip.AddrPort{}
	}
	return netAddr(s.conn.LocalAddr())
}

// netAddr returns the address in a, none if it is a path.
func netAddr(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (s *netStream) shut() error {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (s *netStream) close(reset bool) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.closed = true
	s.want = 0
	s.cancel()
	s.cond.Broadcast()
	if s.conn == nil {
		return
	}
	if c, ok := s.conn.(*net.TCPConn); ok && reset {
		_ = c.SetLinger(0)
	}
	_ = s.conn.Close()
}
