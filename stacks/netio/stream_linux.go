package netio

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stream is a non-blocking stream socket.
type stream struct {
	polled
}

// newStream returns the wire of a socket. A read of a Unix socket may be short although
// there is more, where something besides bytes was sent, and nothing tells of it.
func newStream(p *epoll, fd int, tcp bool) *stream {
	return &stream{polled{p: p, fd: fd, edge: tcp}}
}

func (s *stream) connected() error {
	n, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if n != 0 {
		return unix.Errno(n)
	}
	// No error can mean that it is not decided yet.
	if _, err := unix.Getpeername(s.fd); err == unix.ENOTCONN {
		return errAgain
	}
	return nil
}

func (s *stream) read(p []byte) (int, error) {
	for {
		n, err := s.transfer(unix.SYS_RECVFROM, p)
		switch {
		case err == 0 && n == 0:
			return 0, io.EOF
		case err == 0:
			return n, nil
		case err == unix.EAGAIN:
			return 0, errAgain
		case err != unix.EINTR:
			return 0, err
		}
	}
}

// transfer receives or sends: to the kernel that is less work than read and write, which
// are for files too. The scheduler is not told of it, since it never waits.
func (s *stream) transfer(call uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func (s *stream) write(bufs [][]byte) (int, error) {
	for {
		var n int
		var err error
		if len(bufs) == 1 {
			var errno unix.Errno
			if n, errno = s.transfer(unix.SYS_SENDTO, bufs[0]); errno != 0 {
				err = errno
			}
		} else {
			n, err = unix.Writev(s.fd, bufs)
		}
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return 0, errAgain
		default:
			return 0, err
		}
	}
}

func (s *stream) local() netip.AddrPort {
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrOf(sa)
}

func (s *stream) shut() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

func (s *stream) close(reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	// A descriptor that is closed leaves its epoll.
	_ = unix.Close(s.fd)
}

// leave implements [leaver]. While the copy is open, the epoll would tell of the socket
// also when this descriptor is closed.
func (s *stream) leave() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := s.watch(0); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// adopt implements [adopter].
func (p *epoll) adopt(f *os.File) (wire, netip.AddrPort, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	s := newStream(p, -1, false)
	var sa unix.Sockaddr
	if failed := raw.Control(func(fd uintptr) {
		if sa, err = unix.Getpeername(int(fd)); err == nil {
			_, local := sa.(*unix.SockaddrUnix)
			s.edge = !local
			s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	}); failed != nil {
		err = failed
	}
	if err == nil {
		err = unix.SetNonblock(s.fd, true)
	}
	if err != nil {
		if s.fd >= 0 {
			_ = unix.Close(s.fd)
		}
		return nil, netip.AddrPort{}, err
	}
	return s, addrOf(sa), nil
}

// addrOf returns the address in sa; IPv4 as such also where IPv6 carries it.
func addrOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 && a.Is6() {
			a = a.WithZone(zoneName(sa.ZoneId))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// sockaddrOf returns ap for a socket of that family.
func sockaddrOf(ap netip.AddrPort, family int) unix.Sockaddr {
	if family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().Unmap().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16(), ZoneId: zoneIndex(ap.Addr().Zone())}
}

// family returns the address family for an address.
func family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// tune sets the options of a TCP socket that a connection has or inherits from its listener.
func tune(fd int, opt *Options) error {
	set := func(level, name, value int, want bool) error {
		if !want {
			return nil
		}
		return unix.SetsockoptInt(fd, level, name, value)
	}
	seconds := int(max(1, opt.KeepAlive.Seconds()))
	for _, err := range []error{
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, !opt.Nagle),
		set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, opt.KeepAlive > 0),
		set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds, opt.KeepAlive > 0),
		set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, seconds/4), opt.KeepAlive > 0),
		set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(opt.UserTimeout.Milliseconds()), opt.UserTimeout > 0),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// buffers sets the sizes of a socket's buffers, before it is connected or listens.
func buffers(fd, recv, send int) error {
	if recv > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, recv); err != nil {
			return err
		}
	}
	if send > 0 {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, send)
	}
	return nil
}

func (p *epoll) dial(to target, opt *Options, bind netip.AddrPort) (wire, error) {
	fam := unix.AF_UNIX
	var sa unix.Sockaddr = &unix.SockaddrUnix{Name: to.path}
	if to.path == "" {
		fam = family(to.addr.Addr())
		sa = sockaddrOf(to.addr, fam)
	}
	fd, err := unix.Socket(fam, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := p.connect(fd, fam, sa, opt, bind); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return newStream(p, fd, fam != unix.AF_UNIX), nil
}

func (p *epoll) connect(fd, fam int, sa unix.Sockaddr, opt *Options, bind netip.AddrPort) error {
	if err := buffers(fd, opt.RecvBuffer, opt.SendBuffer); err != nil {
		return err
	}
	if fam != unix.AF_UNIX {
		if err := tune(fd, opt); err != nil {
			return err
		}
		if bind.IsValid() {
			if err := unix.Bind(fd, sockaddrOf(bind, fam)); err != nil {
				return err
			}
		}
	}
	for {
		switch err := unix.Connect(fd, sa); err {
		case nil, unix.EINPROGRESS:
			return nil
		case unix.EINTR:
			// The attempt goes on; a second call would tell EALREADY.
			return nil
		default:
			return err
		}
	}
}
