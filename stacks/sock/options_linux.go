package sock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/sock/image"
)

const unusual = 1 << 31 // no value of a new socket: always written down

// optionTable is what a connection takes with it. What cannot be set where it
// arrives, for lack of a privilege or a module, is reported and does not fail the
// restore.
func optionTable() []option {
	const sol, tcp, ip, ip6 = unix.SOL_SOCKET, unix.IPPROTO_TCP, unix.IPPROTO_IP, unix.IPPROTO_IPV6
	return []option{
		{optSndbuf, "SO_SNDBUF", sol, unix.SO_SNDBUF, never, 0, unusual, 0},
		{optRcvbuf, "SO_RCVBUF", sol, unix.SO_RCVBUF, never, 0, unusual, 0},
		{optBufLock, "SO_BUF_LOCK", sol, unix.SO_BUF_LOCK, never, 0, unusual, 0},
		{4, "SO_PRIORITY", sol, unix.SO_PRIORITY, built, 0, 0, 0},
		{5, "SO_RCVLOWAT", sol, unix.SO_RCVLOWAT, built, 0, 1, 0},
		{6, "SO_MARK", sol, unix.SO_MARK, beforeBind, 0, 0, 0},
		{7, "SO_SNDTIMEO", sol, unix.SO_SNDTIMEO_NEW, built, 0, 0, 16},
		{8, "SO_RCVTIMEO", sol, unix.SO_RCVTIMEO_NEW, built, 0, 0, 16},
		{optReuseAddr, "SO_REUSEADDR", sol, unix.SO_REUSEADDR, never, 0, 0, 0},
		{10, "SO_REUSEPORT", sol, unix.SO_REUSEPORT, resumed, 0, 0, 0},
		{11, "SO_DONTROUTE", sol, unix.SO_DONTROUTE, built, 0, 0, 0},
		{12, "SO_BROADCAST", sol, unix.SO_BROADCAST, built, 0, 0, 0},
		{13, "SO_KEEPALIVE", sol, unix.SO_KEEPALIVE, built, 0, 0, 0},
		{14, "SO_OOBINLINE", sol, unix.SO_OOBINLINE, built, 0, 0, 0},
		{optLinger, "SO_LINGER", sol, unix.SO_LINGER, built, 0, 0, 8},
		{optDevice, "SO_BINDTODEVICE", sol, unix.SO_BINDTODEVICE, beforeBind, 0, 0, unix.IFNAMSIZ},
		{optNodelay, "TCP_NODELAY", tcp, unix.TCP_NODELAY, built, 0, 0, 0},
		{optCork, "TCP_CORK", tcp, unix.TCP_CORK, resumed, 0, 0, 0},
		{20, "TCP_KEEPCNT", tcp, unix.TCP_KEEPCNT, built, 0, unusual, 0},
		{21, "TCP_KEEPIDLE", tcp, unix.TCP_KEEPIDLE, built, 0, unusual, 0},
		{22, "TCP_KEEPINTVL", tcp, unix.TCP_KEEPINTVL, built, 0, unusual, 0},
		{23, "IP_FREEBIND", ip, unix.IP_FREEBIND, beforeBind, 0, 0, 0},
		{24, "IP_PKTINFO", ip, unix.IP_PKTINFO, built, 4, 0, 0},
		{25, "IP_TOS", ip, unix.IP_TOS, built, 4, 0, 0},
		{26, "IP_TTL", ip, unix.IP_TTL, built, 4, unusual, 0},
		{27, "IPV6_V6ONLY", ip6, unix.IPV6_V6ONLY, beforeBind, 6, 0, 0},
		{28, "IPV6_RECVPKTINFO", ip6, unix.IPV6_RECVPKTINFO, built, 6, 0, 0},
		{29, "TCP_CONGESTION", tcp, unix.TCP_CONGESTION, built, 0, 0, 16},
		{30, "TCP_USER_TIMEOUT", tcp, unix.TCP_USER_TIMEOUT, built, 0, 0, 0},
		{31, "TCP_NOTSENT_LOWAT", tcp, unix.TCP_NOTSENT_LOWAT, built, 0, 0, 0},
		{33, "TCP_LINGER2", tcp, unix.TCP_LINGER2, built, 0, unusual, 0},
		{35, "TCP_SYNCNT", tcp, unix.TCP_SYNCNT, built, 0, unusual, 0},
		{36, "SO_MAX_PACING_RATE", sol, unix.SO_MAX_PACING_RATE, built, 0, 1<<32 - 1, 0},
		{37, "IPV6_TCLASS", ip6, unix.IPV6_TCLASS, built, 6, 0, 0},
		{38, "IPV6_UNICAST_HOPS", ip6, unix.IPV6_UNICAST_HOPS, built, 6, unusual, 0},
		{39, "IP_TRANSPARENT", ip, unix.IP_TRANSPARENT, beforeBind, 0, 0, 0},
		{40, "SO_PEEK_OFF", sol, unix.SO_PEEK_OFF, resumed, 0, 1<<32 - 1, 0},
	}
}

// readOptions reads what a socket has that a new one has not.
func readOptions(fd, domain int) (list []image.Option) {
	for _, o := range optionTable() {
		if o.family == 6 && domain != unix.AF_INET6 || o.family == 4 && domain != unix.AF_INET {
			continue
		}
		if v, ok := o.read(fd); ok {
			list = append(list, image.Option{ID: o.id, Value: v})
		}
	}
	if f := readFilter(fd); f != nil {
		list = append(list, image.Option{ID: optFilter, Value: f})
	}
	return list
}

// read returns an option's value unless it is the usual one. Numbers are written
// little-endian.
func (o *option) read(fd int) ([]byte, bool) {
	if o.size == 0 {
		v, err := getU32(fd, o.level, o.name)
		if err != nil || v == o.usual {
			return nil, false
		}
		return binary.LittleEndian.AppendUint32(nil, v), true
	}
	buf := make([]byte, o.size)
	n, err := getBytes(fd, o.level, o.name, buf)
	if err != nil || len(bytes.Trim(buf[:n], "\x00")) == 0 {
		return nil, false
	}
	return buf[:n], true
}

// setOptions sets what an image has for a phase, where it differs. It returns what
// could not be set.
func setOptions(fd, domain int, list []image.Option, when phase) (lost []string) {
	table := optionTable()
	for _, v := range list {
		if v.ID == optFilter && when == built {
			if err := setFilter(fd, v.Value); err != nil {
				lost = append(lost, fmt.Sprintf("SO_ATTACH_FILTER: %v", err))
			}
			continue
		}
		for i := range table {
			o := &table[i]
			if o.id != v.ID || o.when != when || o.family == 6 && domain != unix.AF_INET6 || o.family == 4 && domain != unix.AF_INET {
				continue
			}
			if err := o.set(fd, v); err != nil {
				lost = append(lost, fmt.Sprintf("%s: %v", o.label, err))
			}
		}
	}
	return lost
}

func (o *option) set(fd int, v image.Option) error {
	if o.size == 0 {
		n, ok := number(v)
		if !ok {
			return unix.EINVAL
		}
		if now, err := getU32(fd, o.level, o.name); err == nil && now == n {
			return nil
		}
		return setU32(fd, o.level, o.name, n)
	}
	if len(v.Value) > o.size {
		return unix.EINVAL
	}
	now := make([]byte, o.size)
	if n, err := getBytes(fd, o.level, o.name, now); err == nil && bytes.Equal(trim(now[:n]), trim(v.Value)) {
		return nil
	}
	return setBytes(fd, o.level, o.name, v.Value)
}

func trim(b []byte) []byte { return bytes.TrimRight(b, "\x00") }

// find returns the value of a numeric option of an image.
func find(list []image.Option, id uint16) (uint32, bool) {
	for _, o := range list {
		if o.ID == id {
			return number(o)
		}
	}
	return 0, false
}

// maxFilter is the most instructions of a socket filter (BPF_MAXINSNS).
const maxFilter = 4096

// readFilter returns a socket's classic filter, nil for none.
func readFilter(fd int) []byte {
	n := uint32(0)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, 0, uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 || n == 0 || n > maxFilter {
		return nil
	}
	buf := make([]byte, n*unix.SizeofSockFilter)
	_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return nil
	}
	return buf
}

func setFilter(fd int, b []byte) error {
	if len(b) == 0 || len(b)%unix.SizeofSockFilter != 0 || len(b)/unix.SizeofSockFilter > maxFilter {
		return unix.EINVAL
	}
	list := make([]unix.SockFilter, len(b)/unix.SizeofSockFilter)
	for i := range list {
		p := b[i*unix.SizeofSockFilter:]
		list[i] = unix.SockFilter{Code: binary.NativeEndian.Uint16(p), Jt: p[2], Jf: p[3], K: binary.NativeEndian.Uint32(p[4:])}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]})
}
