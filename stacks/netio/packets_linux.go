package netio

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// grams is a UDP socket. It asks the kernel which address a datagram was sent to
// (IP_PKTINFO), so that answers leave from there, and what ICMP says about those
// that were sent (IP_RECVERR).
type grams struct {
	polled
	fam       int
	connected bool
	at        netip.AddrPort
	msgs      [turnBatch]mmsghdr
	iovs      [turnBatch]unix.Iovec
	names     [turnBatch]unix.RawSockaddrInet6 // large enough for IPv4
	controls  [turnBatch][controlSize]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// controlSize holds one IP_PKTINFO or IPV6_PKTINFO, or one extended error with an address.
const controlSize = 128

func (p *epoll) packets(cfg *PacketConfig) (gramWire, error) {
	at, err := cfg.bindTo()
	if err != nil {
		return nil, err
	}
	g := &grams{fam: family(at.Addr()), connected: cfg.Connect.IsValid()}
	g.p = p
	if g.fd, err = unix.Socket(g.fam, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err := g.set(cfg, at); err != nil {
		_ = unix.Close(g.fd)
		return nil, err
	}
	if sa, err := unix.Getsockname(g.fd); err == nil {
		g.at = addrOf(sa)
	}
	return g, nil
}

// bindTo returns the address to bind to.
func (c *PacketConfig) bindTo() (netip.AddrPort, error) {
	if c.Address == "" && c.Connect.IsValid() {
		if c.Connect.Addr().Unmap().Is4() {
			return netip.AddrPortFrom(netip.IPv4Unspecified(), 0), nil
		}
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0), nil
	}
	return parseBind(c.Network, c.Address)
}

func (g *grams) set(cfg *PacketConfig, at netip.AddrPort) error {
	type option struct {
		level, name, value int
		want               bool
	}
	list := []option{
		{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, cfg.ReusePort},
		{unix.SOL_SOCKET, unix.SO_BROADCAST, 1, cfg.Broadcast},
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1, true},
		{unix.IPPROTO_IP, unix.IP_RECVERR, 1, true},
		{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only(cfg.Network, at), g.fam == unix.AF_INET6},
		{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1, g.fam == unix.AF_INET6},
		{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1, g.fam == unix.AF_INET6},
	}
	for _, o := range list {
		if o.want {
			if err := unix.SetsockoptInt(g.fd, o.level, o.name, o.value); err != nil {
				return err
			}
		}
	}
	if err := buffers(g.fd, cfg.RecvBuffer, cfg.SendBuffer); err != nil {
		return err
	}
	if err := unix.Bind(g.fd, sockaddrOf(at, g.fam)); err != nil {
		return err
	}
	if g.connected {
		return unix.Connect(g.fd, sockaddrOf(cfg.Connect, g.fam))
	}
	return nil
}

func (g *grams) local() netip.AddrPort { return g.at }

func (g *grams) close() { _ = unix.Close(g.fd) }

func (g *grams) recv(batch []datagram) (int, error) {
	for i := range batch {
		g.iovs[i].Base = unsafe.SliceData(batch[i].data)
		g.iovs[i].SetLen(len(batch[i].data))
		h := &g.msgs[i].hdr
		*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&g.names[i])), Namelen: unix.SizeofSockaddrInet6, Iov: &g.iovs[i]}
		h.SetIovlen(1)
		h.Control = &g.controls[i][0]
		h.SetControllen(controlSize)
	}
	n, err := g.mmsg(unix.SYS_RECVMMSG, len(batch))
	for i := range n {
		m := &g.msgs[i]
		d := &batch[i]
		d.data = d.data[:min(int(m.len), len(d.data))]
		d.from = g.address(&g.names[i])
		d.to = netip.AddrPortFrom(g.asked(g.controls[i][:m.hdr.Controllen]), g.at.Port())
		d.cut = m.hdr.Flags&unix.MSG_TRUNC != 0
	}
	clear(g.iovs[:len(batch)])
	return n, err
}

// tries is how often a call is tried that tells an error.
const tries = 8

// mmsg calls recvmmsg(2) or sendmmsg(2) for the first n messages. An error can be
// about a datagram that was sent before, of which [grams.complaints] tells. Being
// told takes it away, but more of those can come meanwhile.
func (g *grams) mmsg(call uintptr, n int) (int, error) {
	for try := 1; ; {
		r, _, errno := unix.Syscall6(call, uintptr(g.fd), uintptr(unsafe.Pointer(&g.msgs[0])), uintptr(n), 0, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return 0, errAgain
		default:
			if try == tries {
				return 0, errno
			}
			try++
		}
	}
}

// address returns what the kernel wrote to name.
func (g *grams) address(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	a := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 && a.Is6() {
		a = a.WithZone(zoneName(name.Scope_id))
	}
	return netip.AddrPortFrom(a, port)
}

// asked returns the address that a datagram was sent to.
func (g *grams) asked(control []byte) netip.Addr {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(control) {
			break
		}
		data := control[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(data[4:8])) // ipi_spec_dst: the local address
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(data[:16])).Unmap()
		}
		control = control[min(len(control), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return g.at.Addr()
}

func (g *grams) send(batch []outgram) (int, error) {
	for i := range batch {
		o := &batch[i]
		g.iovs[i] = unix.Iovec{Base: unsafe.SliceData(o.data)}
		g.iovs[i].SetLen(len(o.data))
		h := &g.msgs[i].hdr
		*h = unix.Msghdr{Iov: &g.iovs[i]}
		h.SetIovlen(1)
		if !g.connected {
			h.Name = (*byte)(unsafe.Pointer(&g.names[i]))
			h.Namelen = g.name(&g.names[i], o.to)
			if n := g.leave(&g.controls[i], o.from); n > 0 {
				h.Control = &g.controls[i][0]
				h.SetControllen(n)
			}
		}
	}
	n, err := g.mmsg(unix.SYS_SENDMMSG, len(batch))
	clear(g.iovs[:len(batch)])
	return n, err
}

// name writes an address for the kernel and returns its size.
func (g *grams) name(name *unix.RawSockaddrInet6, to netip.AddrPort) uint32 {
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	if g.fam == unix.AF_INET {
		name.Family = unix.AF_INET
		(*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr = to.Addr().Unmap().As4()
		return unix.SizeofSockaddrInet4
	}
	name.Addr = to.Addr().As16()
	name.Scope_id = zoneIndex(to.Addr().Zone())
	return unix.SizeofSockaddrInet6
}

// leave writes the address that a datagram leaves from, and returns the size.
func (g *grams) leave(control *[controlSize]byte, from netip.Addr) int {
	from = from.Unmap()
	if !from.IsValid() || from.IsUnspecified() {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(control))
	data := control[unix.CmsgLen(0):]
	if from.Is4() {
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
		*info = unix.Inet4Pktinfo{Spec_dst: from.As4()}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
	*info = unix.Inet6Pktinfo{Addr: from.As16(), Ifindex: zoneIndex(from.Zone())}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}

// complaints empties the queue of errors, of which each has the address that the
// datagram was sent to.
func (g *grams) complaints(tell func(netip.AddrPort, error)) {
	var junk [1]byte
	for range turnBatch {
		iov := unix.Iovec{Base: &junk[0]}
		iov.SetLen(1)
		h := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&g.names[0])), Namelen: unix.SizeofSockaddrInet6, Iov: &iov}
		h.SetIovlen(1)
		h.Control = &g.controls[0][0]
		h.SetControllen(controlSize)
		_, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(g.fd), uintptr(unsafe.Pointer(&h)), unix.MSG_ERRQUEUE)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			break
		}
		if err := extended(g.controls[0][:h.Controllen]); err != 0 {
			tell(g.address(&g.names[0]), err)
		}
	}
	// What is left is an error without a datagram; asking for it takes it away.
	if n, err := unix.GetsockoptInt(g.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 && g.connected {
		if sa, err := unix.Getpeername(g.fd); err == nil {
			tell(addrOf(sa), unix.Errno(n))
		}
	}
}

// extended returns the errno of a struct sock_extended_err.
func extended(control []byte) unix.Errno {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(control) {
			break
		}
		v4 := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR
		v6 := h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
		if data := control[unix.CmsgLen(0):size]; (v4 || v6) && len(data) >= 4 {
			return unix.Errno(binary.NativeEndian.Uint32(data))
		}
		control = control[min(len(control), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return 0
}
