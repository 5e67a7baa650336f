package sock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What x/sys has no names for.
const (
	tcpIsMPTCP    = 43
	protoMPTCP    = 262
	sioOutqUnsent = 0x894B // SIOCOUTQNSD

	repairOptMSS        = 2
	repairOptWscale     = 3
	repairOptSACK       = 4
	repairOptTimestamps = 8
)

// getBytes reads a socket option into buf and returns its length.
func getBytes(fd, level, name int, buf []byte) (int, error) {
	n := uint32(len(buf))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return 0, errno
	}
	return min(int(n), len(buf)), nil
}

func setBytes(fd, level, name int, buf []byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// getU32 reads an option whose 32 bits are not to be taken for a signed number.
func getU32(fd, level, name int) (uint32, error) {
	var b [4]byte
	_, err := getBytes(fd, level, name, b[:])
	return binary.NativeEndian.Uint32(b[:]), err
}

func setU32(fd, level, name int, v uint32) error {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	return setBytes(fd, level, name, b[:])
}

// setRepair switches repair mode: unix.TCP_REPAIR_ON, _OFF, which sends a window probe,
// or _OFF_NO_WP, which does not.
func setRepair(fd, mode int) error {
	err := setU32(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, uint32(int32(mode)))
	if err != nil && mode == unix.TCP_REPAIR_OFF_NO_WP && errors.Is(err, unix.EINVAL) {
		err = setU32(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_OFF)
	}
	return err
}

func setQueue(fd int, q Queue) error {
	return setU32(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_QUEUE, uint32(q))
}

// tcpInfo is what is needed of struct tcp_info.
type tcpInfo struct {
	state         State
	options       uint32
	sndWscale     uint32
	rcvWscale     uint32
	bytesAcked    uint64
	bytesReceived uint64
	segsIn        uint32
}

func readInfo(fd int) (tcpInfo, error) {
	var b [256]byte
	n, err := getBytes(fd, unix.IPPROTO_TCP, unix.TCP_INFO, b[:])
	if err != nil {
		return tcpInfo{}, err
	}
	if n < 144 { // before Linux 4.2
		return tcpInfo{}, unix.EMSGSIZE
	}
	return tcpInfo{
		state: State(b[0]), options: uint32(b[5]), sndWscale: uint32(b[6] & 15), rcvWscale: uint32(b[6] >> 4),
		bytesAcked: binary.NativeEndian.Uint64(b[120:]), bytesReceived: binary.NativeEndian.Uint64(b[128:]),
		segsIn: binary.NativeEndian.Uint32(b[140:]),
	}, nil
}

// setWindow and getWindow speak struct tcp_repair_window.
func getWindow(fd int, d *Data) error {
	var b [20]byte
	if _, err := getBytes(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW, b[:]); err != nil {
		return err
	}
	for i, f := range []*uint32{&d.SndWl1, &d.SndWnd, &d.MaxWindow, &d.RcvWnd, &d.RcvWup} {
		*f = binary.NativeEndian.Uint32(b[4*i:])
	}
	return nil
}

func setWindow(fd int, d *Data) error {
	var b [20]byte
	for i, v := range [...]uint32{d.SndWl1, d.SndWnd, d.MaxWindow, d.RcvWnd, d.RcvWup} {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	return setBytes(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_WINDOW, b[:])
}

// localOf and peerOf return a socket's addresses with their zone, in every state:
// getpeername does not know the peer of one that is connecting.
func localOf(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return fromSockaddr(sa), nil
}

func peerOf(fd int) (netip.AddrPort, error) {
	if sa, err := unix.Getpeername(fd); err == nil {
		return fromSockaddr(sa), nil
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var b [unix.SizeofSockaddrInet6]byte
	size := unix.SizeofSockaddrInet4
	if domain == unix.AF_INET6 {
		size = unix.SizeofSockaddrInet6
	}
	if _, err := getBytes(fd, unix.SOL_SOCKET, unix.SO_PEERNAME, b[:size]); err != nil {
		return netip.AddrPort{}, err
	}
	port := binary.BigEndian.Uint16(b[2:])
	if domain == unix.AF_INET6 {
		return netip.AddrPortFrom(withZone(netip.AddrFrom16([16]byte(b[8:24])), binary.NativeEndian.Uint32(b[24:])), port), nil
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), nil
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(withZone(netip.AddrFrom16(a.Addr), a.ZoneId), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// withZone names the interface by its number: only here that means anything.
func withZone(a netip.Addr, zone uint32) netip.Addr {
	if zone == 0 || !a.IsLinkLocalUnicast() {
		return a
	}
	return a.WithZone(strconv.FormatUint(uint64(zone), 10))
}

// sockaddr returns an address for a socket of a family; IPv4 in IPv6 as mapped.
func sockaddr(a netip.AddrPort, domain int) (unix.Sockaddr, error) {
	addr := a.Addr()
	if domain == unix.AF_INET {
		if !addr.Unmap().Is4() {
			return nil, fmt.Errorf("sock: %v on an IPv4 socket: %w", a, unix.EAFNOSUPPORT)
		}
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: addr.Unmap().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		n, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("sock: zone of %v: %w", a, err)
		}
		sa.ZoneId = uint32(n)
	}
	return sa, nil
}

// again calls until a signal does not interrupt.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
