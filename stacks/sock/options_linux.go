package sock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/sock/image"
)

const (
	unusual = 1 << 31 // no value of a new socket: always written down

	onSocket, onTCP, onIP, onIP6 = unix.SOL_SOCKET, unix.IPPROTO_TCP, unix.IPPROTO_IP, unix.IPPROTO_IPV6
)

// optionTable is what a connection takes with it. What cannot be set where it
// arrives, for lack of a privilege or a module, is reported and does not fail the
// restore.
var optionTable = [...]option{
	{optSndbuf, "SO_SNDBUF", onSocket, unix.SO_SNDBUF, never, 0, unusual, 0},
	{optRcvbuf, "SO_RCVBUF", onSocket, unix.SO_RCVBUF, never, 0, unusual, 0},
	{optBufLock, "SO_BUF_LOCK", onSocket, unix.SO_BUF_LOCK, never, 0, unusual, 0},
	{4, "SO_PRIORITY", onSocket, unix.SO_PRIORITY, built, 0, 0, 0},
	{5, "SO_RCVLOWAT", onSocket, unix.SO_RCVLOWAT, built, 0, 1, 0},
	{6, "SO_MARK", onSocket, unix.SO_MARK, beforeBind, 0, 0, 0},
	{7, "SO_SNDTIMEO", onSocket, unix.SO_SNDTIMEO_NEW, built, 0, 0, 16},
	{8, "SO_RCVTIMEO", onSocket, unix.SO_RCVTIMEO_NEW, built, 0, 0, 16},
	{optReuseAddr, "SO_REUSEADDR", onSocket, unix.SO_REUSEADDR, never, 0, 0, 0},
	{10, "SO_REUSEPORT", onSocket, unix.SO_REUSEPORT, resumed, 0, 0, 0},
	{11, "SO_DONTROUTE", onSocket, unix.SO_DONTROUTE, built, 0, 0, 0},
	{12, "SO_BROADCAST", onSocket, unix.SO_BROADCAST, built, 0, 0, 0},
	{13, "SO_KEEPALIVE", onSocket, unix.SO_KEEPALIVE, built, 0, 0, 0},
	{14, "SO_OOBINLINE", onSocket, unix.SO_OOBINLINE, built, 0, 0, 0},
	{optLinger, "SO_LINGER", onSocket, unix.SO_LINGER, built, 0, 0, 8},
	{optDevice, "SO_BINDTODEVICE", onSocket, unix.SO_BINDTODEVICE, beforeBind, 0, 0, unix.IFNAMSIZ},
	{optNodelay, "TCP_NODELAY", onTCP, unix.TCP_NODELAY, built, 0, 0, 0},
	{optCork, "TCP_CORK", onTCP, unix.TCP_CORK, resumed, 0, 0, 0},
	{20, "TCP_KEEPCNT", onTCP, unix.TCP_KEEPCNT, built, 0, unusual, 0},
	{21, "TCP_KEEPIDLE", onTCP, unix.TCP_KEEPIDLE, built, 0, unusual, 0},
	{22, "TCP_KEEPINTVL", onTCP, unix.TCP_KEEPINTVL, built, 0, unusual, 0},
	{23, "IP_FREEBIND", onIP, unix.IP_FREEBIND, beforeBind, 0, 0, 0},
	{24, "IP_PKTINFO", onIP, unix.IP_PKTINFO, built, 4, 0, 0},
	{25, "IP_TOS", onIP, unix.IP_TOS, built, 4, 0, 0},
	{26, "IP_TTL", onIP, unix.IP_TTL, built, 4, unusual, 0},
	{27, "IPV6_V6ONLY", onIP6, unix.IPV6_V6ONLY, beforeBind, 6, 0, 0},
	{28, "IPV6_RECVPKTINFO", onIP6, unix.IPV6_RECVPKTINFO, built, 6, 0, 0},
	{29, "TCP_CONGESTION", onTCP, unix.TCP_CONGESTION, built, 0, 0, 16},
	{30, "TCP_USER_TIMEOUT", onTCP, unix.TCP_USER_TIMEOUT, built, 0, 0, 0},
	{31, "TCP_NOTSENT_LOWAT", onTCP, unix.TCP_NOTSENT_LOWAT, built, 0, 0, 0},
	{33, "TCP_LINGER2", onTCP, unix.TCP_LINGER2, built, 0, unusual, 0},
	{35, "TCP_SYNCNT", onTCP, unix.TCP_SYNCNT, built, 0, unusual, 0},
	{36, "SO_MAX_PACING_RATE", onSocket, unix.SO_MAX_PACING_RATE, built, 0, 1<<32 - 1, 0},
	{37, "IPV6_TCLASS", onIP6, unix.IPV6_TCLASS, built, 6, 0, 0},
	{38, "IPV6_UNICAST_HOPS", onIP6, unix.IPV6_UNICAST_HOPS, built, 6, unusual, 0},
	{39, "IP_TRANSPARENT", onIP, unix.IP_TRANSPARENT, beforeBind, 0, 0, 0},
	{40, "SO_PEEK_OFF", onSocket, unix.SO_PEEK_OFF, resumed, 0, 1<<32 - 1, 0},
}

// readOptions reads what a socket has that a new one has not.
func readOptions(fd, domain int) (list []image.Option) {
	for i := range optionTable {
		o := &optionTable[i]
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
	for _, v := range list {
		if v.ID == optFilter && when == built {
			if err := setFilter(fd, v.Value); err != nil {
				lost = append(lost, fmt.Sprintf("SO_ATTACH_FILTER: %v", err))
			}
			continue
		}
		for i := range optionTable {
			o := &optionTable[i]
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
