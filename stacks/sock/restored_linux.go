package sock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock/image"
)

// revival is one restore of a connection.
type revival struct {
	m     *Mover
	img   *image.Image
	opt   *RestoreOptions
	data  Data
	src   []byte
	p     Progress
	place *place
	tuple netfilter.Tuple
	start time.Time
	since time.Time
	fd    int
	h     *Handle
	lost  []string
	// unlocked: its packets pass again.
	unlocked bool
	segsIn   uint32 // forged segments
}

// Restore gives an image a socket: it blocks the connection's packets, if this mover
// does not already, builds the socket, lets the packets go and the connection go on.
//
// If anything fails, the half-built socket is closed silently and packets stay
// blocked until the lease's end, so that it can be tried again: [Mover.Unlock] gives up.
// Where the connection still lives in the namespace, that is [ErrBusy]; where the local
// address is not, [ErrAddress].
func (m *Mover) Restore(img *image.Image, opt RestoreOptions) (*Restored, error) {
	r := &revival{m: m, img: img, opt: &opt, fd: -1}
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("sock: restore: %w", err)
	}
	if err := r.build(); err != nil {
		if opt.into != nil {
			// Its owner has it.
		} else if r.h != nil {
			_ = r.h.Close()
		} else if r.fd >= 0 {
			_ = unix.Close(r.fd)
		}
		r.p.Step, r.p.Err = StepFailed, err
		if opt.Observe != nil {
			_ = opt.Observe(&r.p)
		}
		return nil, fmt.Errorf("sock: restore %v: %w", r.tuple, err)
	}
	return r.up()
}

// prepare checks the image before anything is touched.
func (r *revival) prepare() (err error) {
	if err := r.img.Check(); err != nil {
		return err
	}
	if r.data, err = DataOf(r.img); err != nil {
		return err
	}
	r.src = r.data.Encode()
	r.tuple = netfilter.Tuple{Local: r.img.Local, Remote: r.img.Remote}
	if r.opt.Local.IsValid() {
		r.tuple.Local = r.opt.Local
	}
	if r.opt.Remote.IsValid() {
		r.tuple.Remote = r.opt.Remote
	}
	if err := r.tuple.Valid(); err != nil {
		return err
	}
	if r.place, err = r.m.placeAt(r.opt.Namespace); err != nil {
		return err
	}
	if r.img.Interface != "" {
		if err := r.place.thread.Do(r.zones); err != nil {
			return err
		}
	}
	r.p = Progress{
		ID: r.img.ID, Generation: r.img.Generation, Local: r.tuple.Local, Remote: r.tuple.Remote, FD: -1,
		Image: r.img, Data: &r.data,
	}
	return r.step(StepRestoreBefore)
}

// zones gives link-local addresses the number that their interface has here.
func (r *revival) zones() error {
	ifi, err := net.InterfaceByName(r.img.Interface)
	if err != nil {
		return fmt.Errorf("interface %s: %w", r.img.Interface, err)
	}
	for _, a := range []*netip.AddrPort{&r.tuple.Local, &r.tuple.Remote} {
		*a = netip.AddrPortFrom(withZone(a.Addr(), uint32(ifi.Index)), a.Port())
	}
	return nil
}

// interfaceOf names the interface of a zone, "" where there is none.
func interfaceOf(zone string) string {
	n, err := strconv.Atoi(zone)
	if err != nil {
		return ""
	}
	ifi, err := net.InterfaceByIndex(n)
	if err != nil {
		return ""
	}
	return ifi.Name
}

func (r *revival) step(s Step) error {
	r.p.Step, r.p.At, r.p.FD = s, s, r.fd
	if r.opt.Observe == nil {
		return nil
	}
	if !r.since.IsZero() {
		r.p.Blackout = time.Since(r.since)
		r.p.Held = r.place.locks.Held(r.tuple)
	}
	if err := r.opt.Observe(&r.p); err != nil {
		return fmt.Errorf("%v: %w", s, err)
	}
	return nil
}

// build makes the socket and everything of it but the last step.
func (r *revival) build() (err error) {
	r.start, r.since = time.Now(), time.Now()
	if r.opt.Table == "" {
		b, err := r.place.block(r.tuple, r.opt.Drop)
		if err != nil {
			return err
		}
		r.since = b.since
		if r.opt.Adopt {
			if err := r.place.locks.Adopt(r.tuple); err != nil {
				return err
			}
		}
	}
	domain := r.domain()
	if err := r.socket(domain); err != nil {
		return err
	}
	r.lost = setOptions(r.fd, domain, r.img.Options, beforeBind)
	if r.opt.Transparent {
		if err := r.transparent(domain); err != nil {
			return fmt.Errorf("transparent: %w", err)
		}
	}
	h := &Handle{mover: r.m, fd: r.fd, born: Closed}
	if err := h.enter(); err != nil {
		return err
	}
	r.h, h.saved.keepBufs = h, true
	if err := r.h.SetUnbound(r.src); err != nil {
		return err
	}
	if err := r.step(StepUnbound); err != nil {
		return err
	}
	if err := r.attach(domain); err != nil {
		return err
	}
	if err := r.step(StepBound); err != nil {
		return err
	}
	return r.content(domain)
}

func (r *revival) domain() int {
	if r.img.IPv6Socket || r.tuple.Local.Addr().Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func (r *revival) socket(domain int) error {
	if r.opt.into != nil {
		return r.again(*r.opt.into)
	}
	return r.place.thread.Do(func() (err error) {
		r.fd, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
}

// again takes a socket that a checkpoint has disconnected: whoever else holds it finds
// the connection in it as before.
func (r *revival) again(fd int) error {
	r.fd = fd
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil { // clears it
		return err
	}
	return setRepair(fd, unix.TCP_REPAIR_OFF_NO_WP)
}

func (r *revival) transparent(domain int) error {
	if domain == unix.AF_INET6 {
		return unix.SetsockoptInt(r.fd, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1)
	}
	return unix.SetsockoptInt(r.fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
}

// attach binds and connects. A connection that still waited for an answer to its SYN
// sends it anew, and for that its packets have to pass.
func (r *revival) attach(domain int) error {
	local, err := sockaddr(r.tuple.Local, domain)
	if err != nil {
		return err
	}
	remote, err := sockaddr(r.tuple.Remote, domain)
	if err != nil {
		return err
	}
	switch err := unix.Bind(r.fd, local); {
	case errors.Is(err, unix.EINVAL) && r.opt.into != nil: // it is bound still
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("bind %v: %w", r.tuple.Local, ErrAddress)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("bind %v: %w", r.tuple.Local, ErrBusy)
	case err != nil:
		return fmt.Errorf("bind %v: %w", r.tuple.Local, err)
	}
	if r.data.State == SynSent {
		if err := r.unlock(); err != nil {
			return err
		}
	}
	switch err := again(func() error { return unix.Connect(r.fd, remote) }); {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("connect %v: %w", r.tuple.Remote, ErrBusy)
	case err != nil && !errors.Is(err, unix.EINPROGRESS):
		return fmt.Errorf("connect %v: %w", r.tuple.Remote, err)
	}
	return nil
}

// content fills the socket.
func (r *revival) content(domain int) error {
	if err := r.h.SetNoQ(r.src); err != nil {
		return err
	}
	if err := r.step(StepNoQ); err != nil {
		return err
	}
	if err := r.h.SetQueueBytes(r.src, RecvQueue, r.img.Recv); err != nil {
		return err
	}
	if err := r.h.SetQueueBytes(r.src, SendQueue, r.img.Send); err != nil {
		return err
	}
	if err := r.step(StepQueues); err != nil {
		return err
	}
	if err := r.h.SetData(r.src); err != nil {
		return err
	}
	r.lost = append(r.lost, setOptions(r.fd, domain, r.img.Options, built)...)
	if reuse, ok := find(r.img.Options, optReuseAddr); ok {
		r.h.saved.reuse = int(reuse)
	} else {
		r.h.saved.reuse = 0
	}
	r.buffers()
	if info, err := readInfo(r.fd); err == nil {
		r.segsIn = info.segsIn
	}
	if err := r.step(StepRestored); err != nil {
		return err
	}
	return r.unlock()
}

// buffers sets the sizes that the image has, or what the socket had.
func (r *revival) buffers() {
	s := &r.h.saved
	if v, ok := find(r.img.Options, optSndbuf); ok {
		s.sndbuf = int(v)
	}
	if v, ok := find(r.img.Options, optRcvbuf); ok {
		s.rcvbuf = int(v)
	}
	if v, ok := find(r.img.Options, optBufLock); ok {
		s.buflock = int(v)
	}
	r.h.restoreBuffers()
}

// unlock lets packets pass: ours, and those that another process' table stops.
func (r *revival) unlock() error {
	if r.unlocked {
		return nil
	}
	r.unlocked = true
	if r.opt.Table != "" {
		mode := netfilter.Drop
		if r.opt.Held {
			mode = netfilter.Hold
		}
		if err := r.place.locks.Lift(r.opt.Table, mode, r.tuple); err != nil {
			return err
		}
	}
	if err := r.place.release(r.tuple); err != nil {
		return err
	}
	return r.step(StepUnlocked)
}

// up resumes.
func (r *revival) up() (*Restored, error) {
	out := &Restored{FD: r.fd, Local: r.tuple.Local, Remote: r.tuple.Remote, State: r.data.State, options: r.img.Options, outq: r.data.OutqLen, inq: r.data.InqLen, segsIn: r.segsIn}
	if r.opt.Quick && r.data.OutqLen > 0 {
		out.hurry()
	}
	if err := r.h.Resume(); err != nil {
		_ = unix.Close(r.fd)
		return nil, fmt.Errorf("sock: restore %v: %w", r.tuple, err)
	}
	out.Took, out.Blackout = time.Since(r.start), time.Since(r.since)
	out.Lost = append(r.lost, setOptions(r.fd, r.domain(), r.img.Options, resumed)...)
	_ = r.step(StepUp)
	return out, nil
}

// quickRTO is the longest retransmission timer of a connection that is being settled.
const quickRTO = 1000 // ms

func (r *Restored) hurry() {
	was, err := getU32(r.FD, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS) // since Linux 6.15
	if err == nil && setU32(r.FD, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, quickRTO) == nil {
		r.rtoMax, r.quick = was, true
	}
}

// Settle waits until the peer has acknowledged something, or, where it had nothing to
// acknowledge, until any segment of it has come; at most a time, and puts the retransmission timer back. It returns how long that took;
// os.ErrDeadlineExceeded says that nothing came.
func (r *Restored) Settle(within time.Duration) (time.Duration, error) {
	defer func() {
		if r.quick {
			_ = setU32(r.FD, unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, r.rtoMax)
			r.quick = false
		}
	}()
	start := time.Now()
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		info, err := readInfo(r.FD)
		if err != nil {
			return 0, fmt.Errorf("sock: settle: %w", err)
		}
		took := time.Since(start)
		if info.bytesAcked > 0 || r.outq == 0 && info.segsIn > r.segsIn {
			return took, nil
		}
		if took > within {
			return took, fmt.Errorf("sock: settle %v: %w", r.Remote, os.ErrDeadlineExceeded)
		}
		time.Sleep(pause)
	}
}

// Conn makes a net.Conn of the socket, which it takes over. Package net sets options of
// its own on it; the connection's are put back.
func (r *Restored) Conn() (net.Conn, error) {
	f := os.NewFile(uintptr(r.FD), "restored connection")
	c, err := net.FileConn(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sock: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			r.FD = int(fd)
			r.plain(int(fd))
		})
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// plain puts the options back that package net sets on every connection.
func (r *Restored) plain(fd int) {
	for i := range optionTable {
		o := &optionTable[i]
		switch o.name {
		case unix.TCP_NODELAY, unix.TCP_KEEPCNT, unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL:
			if o.level != unix.IPPROTO_TCP {
				continue
			}
		case unix.SO_KEEPALIVE:
			if o.level != unix.SOL_SOCKET {
				continue
			}
		default:
			continue
		}
		v, ok := find(r.options, o.id)
		if !ok && o.usual == unusual {
			continue
		}
		if !ok {
			v = o.usual
		}
		_ = setU32(fd, o.level, o.name, v)
	}
}
