package survey

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// MaxSockets is the most sockets that are listed.
const MaxSockets = 1 << 20

const (
	requestLen = 56 // struct inet_diag_req_v2
	answerLen  = 72 // struct inet_diag_msg
	allStates  = 0xfff
	anyCookie  = 1<<64 - 1 // INET_DIAG_NOCOOKIE, twice
)

// List returns the TCP sockets of a network namespace; the path "" is the caller's own.
// keep, if not nil, says which. With owners it looks through the descriptors of all
// processes that it may see, in this process' view of /proc.
func List(path string, owners bool, keep func(*Socket) bool) ([]Socket, error) {
	var list []Socket
	err := in(path, func(c *netlink.Conn) error {
		for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
			if err := dump(c, family, keep, &list); err != nil {
				return fmt.Errorf("survey: list sockets: %w", err)
			}
		}
		return nil
	})
	if err == nil && owners {
		err = addOwners(list)
	}
	return list, err
}

// in asks the kernel in a network namespace.
func in(path string, questions func(*netlink.Conn) error) error {
	ns := netns.Handle{}
	if path != "" {
		var err error
		if ns, err = netns.OfPath(path); err != nil {
			return err
		}
		defer ns.Close()
	}
	return ns.Do(func() error {
		c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return err
		}
		defer c.Close()
		return questions(c)
	})
}

// request is a struct inet_diag_req_v2.
type request [requestLen]byte

func newRequest(family byte) *request {
	req := &request{0: family, 1: unix.IPPROTO_TCP}
	binary.NativeEndian.PutUint32(req[4:], allStates)
	return req
}

func (r *request) ask(c *netlink.Conn, flags uint16, each func(netlink.Message) error) error {
	var b netlink.Builder
	b.Begin(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_REQUEST|flags, r[:]...)
	b.End()
	return c.Dump(&b, each)
}

func dump(c *netlink.Conn, family byte, keep func(*Socket) bool, list *[]Socket) error {
	return newRequest(family).ask(c, unix.NLM_F_DUMP, func(m netlink.Message) error {
		s, ok := parse(m.Data)
		if !ok || keep != nil && !keep(&s) {
			return nil
		}
		if len(*list) >= MaxSockets {
			return fmt.Errorf("more than %d sockets", MaxSockets)
		}
		*list = append(*list, s)
		return nil
	})
}

// parse reads a struct inet_diag_msg.
func parse(b []byte) (s Socket, ok bool) {
	if len(b) < answerLen {
		return s, false
	}
	s.State = b[1]
	addr := func(at int) netip.Addr {
		if b[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(b[at : at+4]))
		}
		return netip.AddrFrom16([16]byte(b[at : at+16]))
	}
	s.Local = netip.AddrPortFrom(addr(8), binary.BigEndian.Uint16(b[4:]))
	s.Remote = netip.AddrPortFrom(addr(24), binary.BigEndian.Uint16(b[6:]))
	s.Recv, s.Send = binary.NativeEndian.Uint32(b[56:]), binary.NativeEndian.Uint32(b[60:])
	s.UID, s.Inode = binary.NativeEndian.Uint32(b[64:]), uint64(binary.NativeEndian.Uint32(b[68:]))
	return s, true
}

// addOwners finds who holds the sockets. Processes that end meanwhile, or that this
// one may not look into, are passed over.
func addOwners(list []Socket) error {
	by := map[uint64]*Socket{}
	for i := range list {
		if list[i].Inode != 0 {
			by[list[i].Inode] = &list[i]
		}
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("survey: list processes: %w", err)
	}
	for _, d := range dirs {
		if pid, err := strconv.Atoi(d.Name()); err == nil {
			ofProcess(pid, by)
		}
	}
	return nil
}

func ofProcess(pid int, by map[uint64]*Socket) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	name := ""
	for _, d := range fds {
		link, err := os.Readlink(filepath.Join(dir, d.Name()))
		if err != nil {
			continue
		}
		inode, ok := inodeOf(link)
		s := by[inode]
		if !ok || s == nil {
			continue
		}
		if name == "" {
			b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
			name = strings.TrimSpace(string(b))
		}
		fd, _ := strconv.Atoi(d.Name())
		s.Owners = append(s.Owners, Owner{PID: pid, FD: fd, Name: name})
	}
}

// inodeOf reads "socket:[123]".
func inodeOf(link string) (uint64, bool) {
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return n, err == nil
}

// Find returns the socket with these ends, and with owners who holds it, which takes a
// look at all processes. os.ErrNotExist says that there is none.
func Find(path string, local, remote netip.AddrPort, owners bool) (Socket, error) {
	same := func(a, b netip.AddrPort) bool {
		return a.Port() == b.Port() && a.Addr().Unmap().WithZone("") == b.Addr().Unmap().WithZone("")
	}
	mine := func(s *Socket) bool { return same(s.Local, local) && same(s.Remote, remote) }
	var list []Socket
	err := error(nil)
	if local.Addr().IsLinkLocalUnicast() {
		// The kernel looks by the number of the interface, which nobody may have said.
		list, err = List(path, false, mine)
	} else {
		err = in(path, func(c *netlink.Conn) error { return exact(c, local, remote, mine, &list) })
	}
	switch {
	case err != nil:
		return Socket{}, err
	case len(list) == 0:
		return Socket{}, fmt.Errorf("survey: %v-%v: %w", local, remote, os.ErrNotExist)
	case len(list) > 1:
		return Socket{}, fmt.Errorf("survey: %d sockets are %v-%v", len(list), local, remote)
	}
	if owners {
		err = addOwners(list)
	}
	return list[0], err
}

// exact asks for one socket. Where there is none with these ends, the kernel answers
// with who listens there.
func exact(c *netlink.Conn, local, remote netip.AddrPort, mine func(*Socket) bool, list *[]Socket) error {
	from, to := local.Addr().Unmap(), remote.Addr().Unmap()
	family := byte(unix.AF_INET6)
	if from.Is4() {
		family = unix.AF_INET
	}
	req := newRequest(family)
	binary.BigEndian.PutUint16(req[8:], local.Port())
	binary.BigEndian.PutUint16(req[10:], remote.Port())
	copy(req[12:28], from.AsSlice())
	copy(req[28:44], to.AsSlice())
	binary.NativeEndian.PutUint64(req[48:], anyCookie)
	err := req.ask(c, unix.NLM_F_ACK, func(m netlink.Message) error {
		if s, ok := parse(m.Data); ok && mine(&s) {
			*list = append(*list, s)
		}
		return nil
	})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("survey: look for %v-%v: %w", local, remote, err)
	}
	return nil
}
