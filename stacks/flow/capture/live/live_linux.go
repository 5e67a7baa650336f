package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// Source is an open interface.
type Source struct {
	cfg  Config
	link capture.LinkType
	wake int // an eventfd that ends a wait
	sock *socket
	// group is who shares the packets; nil: nobody. spares are sockets for when the
	// interface comes back.
	group  *group
	spares []int
	// block is what is being read: the frames left and the next one's place.
	block   int
	left    uint32
	next    uintptr
	holding bool
	looked  time.Time // at whether the interface is still the one it was
	down    bool

	mu     sync.Mutex // guards what follows
	total  Stats
	open   *socket // sock, for Stats; nil after Close
	closed atomic.Bool
}

// socket is one packet socket with its ring. The kernel gives each interface a
// number; a removed interface that comes back has another and needs a new socket.
type socket struct {
	fd     int
	index  int
	lo     bool
	ring   []byte
	blocks int
	size   int // of a block
}

// Open captures from an interface. It needs CAP_NET_RAW; the errors are those of
// the package, wrapped, the filter's, and the kernel's.
func Open(cfg Config) (*Source, error) { return open(cfg, nil) }

func open(cfg Config, g *group) (*Source, error) {
	s := &Source{cfg: cfg.withDefaults(), group: g}
	fd, err := newSocket()
	if err == nil {
		s.sock, s.link, err = s.cfg.open(fd, g)
	}
	if err != nil {
		return nil, fmt.Errorf("live: open %s: %w", cfg.Interface, err)
	}
	s.open = s.sock
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("live: open %s: eventfd: %w", cfg.Interface, err), s.sock.close())
	}
	return s, nil
}

// Link returns the link type of the frames.
func (s *Source) Link() capture.LinkType { return s.link }

// Wake ends a Next that waits, or the next one that would.
func (s *Source) Wake() {
	if s.closed.Load() {
		return
	}
	// The counter cannot be full: it is read at each wait.
	_, _ = unix.Write(s.wake, binary.NativeEndian.AppendUint64(nil, 1))
}

// Close ends the capture. No Next runs meanwhile.
func (s *Source) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.count()
	s.mu.Lock()
	s.open = nil
	s.mu.Unlock()
	for _, fd := range s.spares {
		_ = unix.Close(fd) // nothing was done with it
	}
	return errors.Join(s.sock.close(), unix.Close(s.wake))
}

// Stats returns what was counted since Open.
func (s *Source) Stats() Stats {
	s.count()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// count adds what the kernel counted since the last time; it forgets as it tells.
func (s *Source) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return
	}
	if st, err := unix.GetsockoptTpacketStatsV3(s.open.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		s.total.Packets += uint64(st.Packets)
		s.total.Drops += uint64(st.Drops)
		s.total.Freezes += uint64(st.Freeze_q_cnt)
	}
}

// newSocket makes a packet socket that hears nothing yet.
func newSocket() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return -1, ErrPermission
	case err != nil:
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	return fd, nil
}

// open has a socket listen, with a ring: filtered before it is bound, so that no
// packet comes that was not asked for. On an error the socket is closed.
func (c *Config) open(fd int, g *group) (*socket, capture.LinkType, error) {
	k := &socket{fd: fd}
	iface, err := net.InterfaceByName(c.Interface)
	if err != nil {
		return nil, 0, errors.Join(ErrNoInterface, k.close())
	}
	k.index, k.lo = iface.Index, iface.Flags&net.FlagLoopback != 0
	link, err := linkType(fd, c.Interface)
	if err == nil {
		err = k.configure(c, g, link)
	}
	if err != nil {
		return nil, 0, errors.Join(err, k.close())
	}
	return k, link, nil
}

// step is one of what is done to a socket.
type step struct {
	what string
	do   func() error
}

// configure sets everything and binds last. A socket that is to share packets
// takes none until it does: else it had some that others have too.
func (k *socket) configure(c *Config, g *group, link capture.LinkType) error {
	steps := []step{
		{"version of the ring", func() error {
			return unix.SetsockoptInt(k.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3)
		}},
		{"room for a VLAN tag", func() error { return unix.SetsockoptInt(k.fd, unix.SOL_PACKET, unix.PACKET_RESERVE, vlanLen) }},
	}
	filter := step{"filter", func() error { return k.attach(c, link) }}
	if g == nil {
		steps = append(steps, filter)
	} else {
		steps = append(steps, step{"closed filter", k.shut})
	}
	steps = append(steps,
		step{"ring", func() error { return k.makeRing(c) }},
		step{"interface", func() error { return k.listen(c) }},
	)
	if g != nil {
		steps = append(steps, step{"fan-out", func() error { return g.join(k.fd, k.index) }}, filter)
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// listen binds the socket to the interface of its index.
func (k *socket) listen(c *Config) error {
	err := unix.Bind(k.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: k.index})
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if !c.Promiscuous {
		return nil
	}
	err = unix.SetsockoptPacketMreq(k.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&unix.PacketMreq{Ifindex: int32(k.index), Type: unix.PACKET_MR_PROMISC})
	if err != nil {
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	return nil
}

// attach gives the kernel the filter, in the place of a closed one.
func (k *socket) attach(c *Config, link capture.LinkType) error {
	var raw []bpf.RawInstruction
	if c.Filter != nil {
		var err error
		if raw, err = c.Filter(uint16(link), c.SnapLen); err != nil {
			return err
		}
	}
	if len(raw) > 0 {
		return setProgram(k.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, raw)
	}
	err := unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	if errors.Is(err, unix.ENOENT) { // there was none
		return nil
	}
	return err
}

// shut gives the kernel a filter that takes nothing.
func (k *socket) shut() error {
	return setProgram(k.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}})
}

// setProgram gives the kernel a classic BPF program.
func setProgram(fd, level, option int, raw []bpf.RawInstruction) error {
	prog := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		prog[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, level, option, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
}

// makeRing asks for the ring and maps it.
func (k *socket) makeRing(c *Config) error {
	page := unix.Getpagesize()
	k.size = page
	for k.size < c.BlockBytes {
		k.size *= 2
	}
	k.blocks = max(2, (c.RingBytes+k.size-1)/k.size)
	frame := min(k.size, 2048)
	req := unix.TpacketReq3{
		Block_size: uint32(k.size), Block_nr: uint32(k.blocks),
		Frame_size: uint32(frame), Frame_nr: uint32(k.size / frame * k.blocks),
		Retire_blk_tov: uint32(max(1, c.Latency.Milliseconds())),
	}
	if err := unix.SetsockoptTpacketReq3(k.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return err
	}
	var err error
	k.ring, err = unix.Mmap(k.fd, 0, k.size*k.blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

func (k *socket) close() error {
	var err error
	if k.ring != nil {
		err = unix.Munmap(k.ring)
		k.ring = nil
	}
	return errors.Join(err, unix.Close(k.fd))
}

// linkTypes are the hardware types whose frames begin as a link type says.
var linkTypes = map[uint16]capture.LinkType{
	unix.ARPHRD_ETHER:    capture.LinkTypeEthernet,
	unix.ARPHRD_LOOPBACK: capture.LinkTypeEthernet,
	unix.ARPHRD_NONE:     capture.LinkTypeRaw,
	unix.ARPHRD_RAWIP:    capture.LinkTypeRaw,
	unix.ARPHRD_TUNNEL:   capture.LinkTypeRaw,
	unix.ARPHRD_TUNNEL6:  capture.LinkTypeRaw,
	unix.ARPHRD_SIT:      capture.LinkTypeRaw,
}

// linkType asks what the interface's frames begin with.
func linkType(fd int, name string) (capture.LinkType, error) {
	var req struct {
		name   [unix.IFNAMSIZ]byte
		family uint16
		_      [22]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFHWADDR, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return 0, fmt.Errorf("hardware type: %w", errno)
	}
	runtime.KeepAlive(&req)
	link, ok := linkTypes[req.family]
	if !ok {
		return 0, fmt.Errorf("frames of hardware type %d are not known", req.family)
	}
	return link, nil
}

// networkOrder swaps v on hosts where that is needed.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
