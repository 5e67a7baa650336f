package netio

import (
	"io"
	"net/netip"
	"syscall"
)

// memEnd is one end of a stream in memory. Its fields are guarded by Memory.mu.
type memEnd struct {
	net           *Memory
	other         *memEnd // nil where nobody answers
	local, remote netip.AddrPort
	path          string
	in            []byte // came and was not read
	ended         bool   // nothing more is sent from here
	closed        bool
	reset         bool // the other end did, or is gone
	// sense tells the loop that has the end; nil for who is outside.
	sense func(set, clear readiness)
}

// connect makes the other end of e, which waits at a door.
func (e *memEnd) connect(from, to netip.AddrPort, d *memDoor) {
	e.local, e.remote, e.path = from, to, d.name
	if d.name != "" {
		e.local = netip.AddrPort{}
	}
	e.other = &memEnd{net: e.net, other: e, local: to, remote: e.local, path: d.name}
	d.arrive(e.other)
}

// readiness is what its owner can do with the end.
func (e *memEnd) readiness() (what readiness) {
	o := e.other
	switch {
	case o == nil:
		return 0
	case e.reset:
		return readable | writable | gone | hung | broken
	}
	if len(e.in) > 0 || o.ended {
		what |= readable
	}
	if o.ended {
		what |= gone
	}
	if o.ended && e.ended {
		what |= hung
	}
	if len(o.in) < memoryRoom {
		what |= writable
	}
	return what
}

// tell has the end's owner hear how it is.
func (e *memEnd) tell() {
	if e.sense != nil {
		what := e.readiness()
		e.sense(what, ^what)
	}
}

func (e *memEnd) read(p []byte) (int, error) {
	if n := copy(p, e.in); n > 0 {
		if e.in = e.in[n:]; len(e.in) == 0 {
			e.in = nil
		}
		e.tell()
		e.other.tell()
		return n, nil
	}
	switch {
	case e.reset:
		return 0, syscall.ECONNRESET
	case e.other != nil && e.other.ended:
		return 0, io.EOF
	}
	return 0, errAgain
}

// write writes what there is room for. To an end that is closed it is lost, and the
// next finds that out, as with the kernel's.
func (e *memEnd) write(bufs [][]byte) (n int, err error) {
	o := e.other
	switch {
	case e.reset || e.ended:
		return 0, syscall.EPIPE
	case o == nil:
		return 0, errAgain
	}
	for _, b := range bufs {
		b = b[:min(len(b), memoryRoom-len(o.in))]
		n += len(b)
		if !o.closed {
			o.in = append(o.in, b...)
		}
	}
	if n == 0 {
		return 0, errAgain
	}
	e.reset = o.closed
	e.tell()
	o.tell()
	return n, nil
}

func (e *memEnd) shut() {
	e.ended = true
	e.tell()
	if e.other != nil {
		e.other.tell()
	}
}

// close gives the end up. The other finds that what it sent was not read, if so.
func (e *memEnd) close(reset bool) {
	if e.closed {
		return
	}
	e.closed, e.ended, e.sense = true, true, nil
	if o := e.other; o != nil {
		o.reset = o.reset || reset || len(e.in) > 0
		o.tell()
	}
}

// wire gives the end to a loop.
func (e *memEnd) wire(p *portable) *memWire {
	w := &memWire{sensed: sensed{p: p}, e: e}
	e.sense = w.sense
	w.state = e.readiness()
	return w
}

// memWire is an end that a loop has.
type memWire struct {
	sensed
	e *memEnd
}

func (w *memWire) connected() error {
	w.e.net.mu.Lock()
	defer w.e.net.mu.Unlock()
	if w.e.other == nil {
		return errAgain
	}
	return nil
}

func (w *memWire) read(p []byte) (int, error) {
	w.e.net.mu.Lock()
	defer w.e.net.mu.Unlock()
	return w.e.read(p)
}

func (w *memWire) write(bufs [][]byte) (int, error) {
	w.e.net.mu.Lock()
	defer w.e.net.mu.Unlock()
	return w.e.write(bufs)
}

func (w *memWire) local() netip.AddrPort { return w.e.local }

func (w *memWire) shut() error {
	w.e.net.mu.Lock()
	defer w.e.net.mu.Unlock()
	w.e.shut()
	return nil
}

func (w *memWire) close(reset bool) {
	w.e.net.mu.Lock()
	defer w.e.net.mu.Unlock()
	_ = w.watch(0)
	w.e.close(reset)
}

// Line is an end of a stream in a [Memory] that no loop has.
type Line struct{ e *memEnd }

// Dial connects to who listens at an address, or at the path of a Unix socket; from,
// as far as it says something, is where one comes from. An error is that of a system
// that finds nobody there.
func (m *Memory) Dial(from, to netip.AddrPort, path string) (*Line, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, _ := m.door(target{addr: to, path: path})
	if d == nil {
		return nil, syscall.ECONNREFUSED
	}
	e := &memEnd{net: m}
	e.connect(m.origin(from, to.Addr()), to, d)
	return &Line{e}, nil
}

// Local returns the address of this end; none for a Unix socket.
func (l *Line) Local() netip.AddrPort { return l.e.local }

// Remote returns that of the other.
func (l *Line) Remote() netip.AddrPort { return l.e.remote }

// Send sends what there is room for, at most 256 KiB that the other end did not read,
// and returns how many bytes that was; none to an end that is gone.
func (l *Line) Send(p []byte) int {
	l.e.net.mu.Lock()
	defer l.e.net.mu.Unlock()
	n, _ := l.e.write([][]byte{p})
	return n
}

// Recv appends what came to dst.
func (l *Line) Recv(dst []byte) []byte {
	l.e.net.mu.Lock()
	defer l.e.net.mu.Unlock()
	p := make([]byte, len(l.e.in))
	n, _ := l.e.read(p)
	return append(dst, p[:n]...)
}

// Shut ends what is sent from here.
func (l *Line) Shut() {
	l.e.net.mu.Lock()
	defer l.e.net.mu.Unlock()
	l.e.shut()
}

// Close closes the line, or resets it.
func (l *Line) Close(reset bool) {
	l.e.net.mu.Lock()
	defer l.e.net.mu.Unlock()
	l.e.close(reset)
}

// State says how the other end is: whether it ended its stream, and whether it reset
// the connection or was closed without having read all.
func (l *Line) State() (ended, reset bool) {
	l.e.net.mu.Lock()
	defer l.e.net.mu.Unlock()
	return l.e.other.ended, l.e.reset
}

// Door is where somebody outside listens in a [Memory].
type Door struct{ d *memDoor }

// Listen listens at an address, port 0 being any that is free, or at a path.
func (m *Memory) Listen(at netip.AddrPort, path string) (*Door, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if path == "" {
		at = m.free(at)
	}
	if taken, _ := m.door(target{addr: at, path: path}); taken != nil {
		return nil, syscall.EADDRINUSE
	}
	d := &memDoor{net: m, at: at, name: path}
	m.doors = append(m.doors, d)
	return &Door{d}, nil
}

// Addr returns where it is.
func (d *Door) Addr() netip.AddrPort { return d.d.at }

// Accept lets the next one in, and returns nil if nobody waits.
func (d *Door) Accept() *Line {
	d.d.net.mu.Lock()
	defer d.d.net.mu.Unlock()
	if len(d.d.queue) == 0 {
		return nil
	}
	e := d.d.queue[0]
	d.d.queue = d.d.queue[1:]
	return &Line{e}
}

// Close refuses who comes from now on, and resets who waits.
func (d *Door) Close() { _ = d.d.close() }
