package netio

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// gate is a listening socket.
type gate struct {
	fd   int
	at   netip.AddrPort
	name string
	made bool // the path is this process's to remove

	mu     sync.Mutex // guards fd from here on, and the rest
	seats  int
	closed bool // when the last seat is left
}

func (p *epoll) listen(cfg *SocketConfig) (door, error) {
	g := &gate{fd: -1}
	var err error
	switch {
	case cfg.File != nil:
		err = g.adopt(cfg)
	case cfg.Network == "unix":
		err = g.bindPath(cfg)
	default:
		err = g.bindPort(cfg)
	}
	if err == nil {
		err = unix.Listen(g.fd, cfg.Backlog)
	}
	if err != nil {
		_ = g.close()
		return nil, err
	}
	if sa, err := unix.Getsockname(g.fd); err == nil {
		g.at = addrOf(sa)
		if u, ok := sa.(*unix.SockaddrUnix); ok {
			g.name = u.Name
		}
	}
	return g, nil
}

func (g *gate) adopt(cfg *SocketConfig) error {
	fd, err := unix.FcntlInt(cfg.File.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	g.fd = fd
	g.made = cfg.Network == "unix" // whoever made it left it to this process
	return unix.SetNonblock(fd, true)
}

func (g *gate) bindPath(cfg *SocketConfig) (err error) {
	if g.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	sa := &unix.SockaddrUnix{Name: cfg.Address}
	err = unix.Bind(g.fd, sa)
	if err == unix.EADDRINUSE && abandoned(sa) {
		if err = unix.Unlink(cfg.Address); err == nil {
			err = unix.Bind(g.fd, sa)
		}
	}
	g.made = err == nil
	return err
}

// abandoned reports whether nobody listens at a path any more: its process died.
func abandoned(sa *unix.SockaddrUnix) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Connect(fd, sa) == unix.ECONNREFUSED
}

func (g *gate) bindPort(cfg *SocketConfig) error {
	at, err := parseBind(cfg.Network, cfg.Address)
	if err != nil {
		return err
	}
	fam := family(at.Addr())
	if g.fd, err = unix.Socket(fam, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if cfg.ReusePort {
		if err := unix.SetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if fam == unix.AF_INET6 {
		if err := unix.SetsockoptInt(g.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only(cfg.Network, at)); err != nil {
			return err
		}
	}
	// Accepted sockets inherit these.
	if err := tune(g.fd, cfg.opt); err != nil {
		return err
	}
	if err := buffers(g.fd, cfg.opt.RecvBuffer, cfg.opt.SendBuffer); err != nil {
		return err
	}
	return unix.Bind(g.fd, sockaddrOf(at, fam))
}

// v6only is off where any address of both families is meant.
func v6only(network string, at netip.AddrPort) int {
	if (network == "tcp" || network == "udp") && at.Addr().IsUnspecified() {
		return 0
	}
	return 1
}

// parseBind returns the address to bind to. No host means any: of both families
// where the network does not choose one and the system has IPv6.
func parseBind(network, address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errors.New("want a port from 0 to 65535")
	}
	four := network[len(network)-1] == '4'
	a := netip.IPv6Unspecified()
	if host == "" || host == "*" {
		if four || network[len(network)-1] != '6' && !hasIPv6() {
			a = netip.IPv4Unspecified()
		}
	} else if a, err = netip.ParseAddr(host); err != nil {
		return netip.AddrPort{}, errors.New("want a literal address to listen on")
	}
	if four != a.Unmap().Is4() && network != "tcp" && network != "udp" {
		return netip.AddrPort{}, errors.New("address is of another family")
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

func (g *gate) addr() netip.AddrPort { return g.at }

func (g *gate) path() string { return g.name }

func (g *gate) file() (*os.File, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fd < 0 {
		return nil, ErrClosed
	}
	fd, err := unix.FcntlInt(uintptr(g.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

func (g *gate) keep(path bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made = !path && g.name != ""
}

func (g *gate) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.free()
}

// free closes the descriptor if that was asked for and no epoll has it: the number
// can be another socket's right after.
func (g *gate) free() error {
	if !g.closed || g.seats > 0 || g.fd < 0 {
		return nil
	}
	if g.made {
		_ = unix.Unlink(g.name)
	}
	fd := g.fd
	g.fd = -1
	return unix.Close(fd)
}

func (g *gate) sit(b backend) (seat, error) {
	p, ok := b.(*epoll)
	if !ok {
		return nil, errors.New("the socket was opened by another backend")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.fd < 0 {
		return nil, ErrClosed
	}
	g.seats++
	return &doorman{polled{p: p, fd: g.fd, mode: unix.EPOLLEXCLUSIVE}, g}, nil
}

// doorman is a loop's place at a gate. With EPOLLEXCLUSIVE the kernel wakes one
// of the loops for a connection, not all.
type doorman struct {
	polled
	g *gate
}

func (d *doorman) accept(*Options) (wire, netip.AddrPort, error) {
	for {
		fd, sa, err := unix.Accept4(d.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			from := addrOf(sa)
			return newStream(d.p, fd, from.IsValid()), from, nil
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO:
		case unix.EAGAIN:
			return nil, netip.AddrPort{}, errAgain
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EPERM:
			return nil, netip.AddrPort{}, errExhausted
		default:
			return nil, netip.AddrPort{}, err
		}
	}
}

func (d *doorman) refuse() error {
	w, _, err := d.accept(nil)
	if err == nil {
		w.close(false)
	}
	return err
}

func (d *doorman) leave() {
	_ = d.watch(0)
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	d.g.seats--
	_ = d.g.free()
}
