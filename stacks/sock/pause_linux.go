package sock

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// saved is what pausing and restoring change of a socket.
type saved struct {
	reuse    int // SO_REUSEADDR
	sndbuf   int
	rcvbuf   int
	buflock  int
	buffers  bool // the last three were changed
	keepBufs bool // and stay so: somebody sets them otherwise
}

// suitable refuses sockets that cannot be moved, without changing them.
func suitable(fd int) (State, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return 0, err
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return 0, err
	}
	proto, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return 0, err
	}
	switch {
	case proto == protoMPTCP:
		return 0, ErrMPTCP
	case domain != unix.AF_INET && domain != unix.AF_INET6, kind != unix.SOCK_STREAM, proto != unix.IPPROTO_TCP:
		return 0, ErrNotTCP
	}
	if v, err := getU32(fd, unix.IPPROTO_TCP, tcpIsMPTCP); err == nil && v != 0 {
		return 0, ErrMPTCP
	}
	info, err := readInfo(fd)
	switch {
	case err != nil:
		return 0, fmt.Errorf("TCP_INFO: %w", err)
	case info.state == Listen:
		return 0, ErrListening
	case !info.state.movable():
		return 0, fmt.Errorf("%w: %v", ErrState, info.state)
	}
	var ulp [16]byte
	if n, err := getBytes(fd, unix.IPPROTO_TCP, unix.TCP_ULP, ulp[:]); err == nil && n > 0 && ulp[0] != 0 {
		return 0, fmt.Errorf("%w: %s", ErrULP, unix.ByteSliceToString(ulp[:]))
	}
	if v, err := getU32(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR); err == nil && v != 0 {
		return 0, ErrPaused
	}
	return info.state, nil
}

func (h *Handle) pause() (err error) {
	if h.born, err = suitable(h.fd); err != nil {
		return err
	}
	if h.local, err = localOf(h.fd); err != nil && h.born != Closed {
		return fmt.Errorf("local address: %w", err)
	}
	if h.remote, err = peerOf(h.fd); err != nil && h.born != Closed {
		return fmt.Errorf("peer's address: %w", err)
	}
	return h.enter()
}

// enter enters repair mode, on a socket that is suitable.
func (h *Handle) enter() (err error) {
	if h.saved.reuse, err = unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR); err != nil {
		return err
	}
	if h.born == Closed {
		// Before repair mode: in it the kernel lends the socket a reuse of its own, and a
		// listener on the port would be in the way of a restore.
		if err := unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if err := setRepair(h.fd, unix.TCP_REPAIR_ON); err != nil {
		if h.born == Closed {
			_ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, h.saved.reuse)
		}
		return fmt.Errorf("TCP_REPAIR: %w", err)
	}
	h.mover.debug("paused", "fd", h.fd, "state", h.born)
	return nil
}

// resume leaves repair mode, puts back what it changed, and gives the connection a
// push: outside of ESTABLISHED the kernel sends no probe, and what waits to be sent
// would wait for a timer of 200 ms.
func (h *Handle) resume() error {
	if h.saved.buffers && !h.saved.keepBufs {
		h.restoreBuffers()
	}
	if err := setRepair(h.fd, unix.TCP_REPAIR_OFF); err != nil {
		return fmt.Errorf("TCP_REPAIR: %w", err)
	}
	// Leaving repair mode clears it.
	if h.saved.reuse != 0 {
		_ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, h.saved.reuse)
	}
	if h.finLater {
		if err := unix.Shutdown(h.fd, unix.SHUT_WR); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return fmt.Errorf("close sending direction: %w", err)
		}
	}
	if h.at == stageSet {
		h.kick()
	}
	return nil
}

// kick makes the kernel send what waits, if the window allows: setting TCP_NODELAY
// does.
func (h *Handle) kick() {
	was, err := unix.GetsockoptInt(h.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	if err != nil {
		return
	}
	_ = unix.SetsockoptInt(h.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if was == 0 {
		_ = unix.SetsockoptInt(h.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 0)
	}
}

func (h *Handle) close() error { return unix.Close(h.fd) }

// disconnect is connect(2) to nowhere, which package unix has no address for.
func (h *Handle) disconnect() error {
	nowhere := [unix.SizeofSockaddrInet4]byte{} // AF_UNSPEC
	return again(func() error {
		_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(h.fd), uintptr(unsafe.Pointer(&nowhere)), uintptr(len(nowhere)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// namespace returns the network namespace of the socket, the zero handle if it is
// this thread's.
func (h *Handle) namespace() (netns.Handle, error) { return namespaceOf(h.fd) }

func namespaceOf(fd int) (netns.Handle, error) {
	ns, err := netns.OfSocket(fd)
	if err != nil {
		return netns.Handle{}, err
	}
	there, err := ns.Inode()
	if err != nil {
		return netns.Handle{}, errors.Join(err, ns.Close())
	}
	if here, err := (netns.Handle{}).Inode(); err == nil && here == there {
		return netns.Handle{}, ns.Close()
	}
	return ns, nil
}
