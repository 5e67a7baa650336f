package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/flow/capture"
)

const (
	vlanLen = 4
	macLen  = 12
	// addrAt is where a frame's sockaddr_ll stands behind its header
	// (linux/if_packet.h: TPACKET_ALIGN of struct tpacket3_hdr).
	addrAt = unix.SizeofTpacket3Hdr
	// lookEvery is how often a silent interface is looked at.
	lookEvery = time.Second
)

// Next lends the next frame until the next call. Where none comes within wait, or
// Wake was called, it returns ErrIdle. An interface that goes away is waited for.
// After Close it returns ErrClosed.
func (s *Source) Next(f *capture.Frame, wait time.Duration) error {
	var until time.Time
	for {
		for s.left > 0 {
			if s.take(f) {
				return nil
			}
		}
		s.release()
		if s.closed.Load() {
			return ErrClosed
		}
		if s.acquire() {
			continue
		}
		now := time.Now()
		if until.IsZero() {
			until = now.Add(wait)
		}
		rest := until.Sub(now)
		if rest <= 0 {
			return ErrIdle
		}
		woken, err := s.wait(min(rest, lookEvery))
		if err != nil {
			return fmt.Errorf("live: %s: %w", s.cfg.Interface, err)
		}
		if woken {
			return ErrIdle
		}
	}
}

// descriptor returns the header of the block that is next.
func (s *Source) descriptor() *unix.TpacketHdrV1 {
	at := s.block * s.sock.size
	d := (*unix.TpacketBlockDesc)(unsafe.Pointer(&s.sock.ring[at]))
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&d.Hdr))
}

// acquire begins the next block if the kernel has handed it over.
func (s *Source) acquire() bool {
	d := s.descriptor()
	if atomic.LoadUint32(&d.Block_status)&unix.TP_STATUS_USER == 0 {
		return false
	}
	s.holding, s.down = true, false
	s.left = d.Num_pkts
	s.next = uintptr(s.block*s.sock.size) + uintptr(d.Offset_to_first_pkt)
	return true
}

// release gives the block back.
func (s *Source) release() {
	if !s.holding {
		return
	}
	s.holding = false
	atomic.StoreUint32(&s.descriptor().Block_status, unix.TP_STATUS_KERNEL)
	s.block = (s.block + 1) % s.sock.blocks
}

// take reads the frame at next. It is not one to give out where it is the other
// copy of a packet on the loopback interface, which sends what it receives.
func (s *Source) take(f *capture.Frame) bool {
	ring := s.sock.ring
	h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&ring[s.next]))
	at, length := s.next+uintptr(h.Mac), uintptr(h.Snaplen)
	kind := ring[s.next+addrAt+10] // sll_pkttype
	s.left--
	status, tci, tpid := h.Status, h.Hv1.Vlan_tci, h.Hv1.Vlan_tpid
	f.TS = int64(h.Sec)*1e9 + int64(h.Nsec)
	f.WireLen, f.Link, f.Iface = int(h.Len), s.link, 0
	s.next += uintptr(h.Next_offset)
	if s.sock.lo && kind == unix.PACKET_OUTGOING {
		return false
	}
	if status&unix.TP_STATUS_VLAN_VALID != 0 && s.link == capture.LinkTypeEthernet && length >= macLen {
		// The room in front of the frame was asked for.
		copy(ring[at-vlanLen:], ring[at:at+macLen])
		at -= vlanLen
		length += vlanLen
		f.WireLen += vlanLen
		if status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
			tpid = unix.ETH_P_8021Q
		}
		binary.BigEndian.PutUint16(ring[at+macLen:], tpid)
		binary.BigEndian.PutUint16(ring[at+macLen+2:], uint16(tci))
	}
	f.Data = ring[at : at+length : at+length]
	return true
}

// wait waits for a block, and looks after the interface. It tells whether Wake
// ended it.
func (s *Source) wait(d time.Duration) (woken bool, err error) {
	fds := [2]unix.PollFd{{Fd: int32(s.sock.fd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], int(max(1, d.Milliseconds())))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("poll: %w", err)
	}
	if fds[1].Revents&unix.POLLIN != 0 {
		var count [8]byte
		_, _ = unix.Read(s.wake, count[:]) // it is readable
		return true, nil
	}
	failed := fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	if n == 0 || failed {
		return false, s.look(failed)
	}
	return false, nil
}

// look finds out whether the interface went away or came back. failed says that
// the socket has an error to tell.
func (s *Source) look(failed bool) error {
	now := time.Now()
	if failed {
		code, err := unix.GetsockoptInt(s.sock.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 && !errors.Is(unix.Errno(code), unix.ENETDOWN) {
			return unix.Errno(code)
		}
		s.wentDown()
	} else if now.Sub(s.looked) < lookEvery {
		return nil
	}
	s.looked = now
	iface, err := net.InterfaceByName(s.cfg.Interface)
	if err != nil {
		return nil // it is gone; it may come back
	}
	if iface.Index != s.sock.index {
		return s.reopen()
	}
	if s.down && iface.Flags&net.FlagUp != 0 {
		s.down = false
		s.cfg.Log.Info("interface is up again", "interface", s.cfg.Interface)
	}
	return nil
}

// wentDown notes that nothing comes any more.
func (s *Source) wentDown() {
	if s.down {
		return
	}
	s.down = true
	s.mu.Lock()
	s.total.Downs++
	s.mu.Unlock()
	s.cfg.Log.Warn("interface went down", "interface", s.cfg.Interface)
}

// reopen takes up an interface that was removed and made anew.
func (s *Source) reopen() error {
	fd, err := newSocket()
	if errors.Is(err, ErrPermission) {
		if s.group == nil {
			return s.rebind()
		}
		fd, err = s.spare()
	}
	if err != nil {
		return err
	}
	fresh, link, err := s.cfg.open(fd, s.group)
	switch {
	case errors.Is(err, ErrNoInterface):
		return nil
	case err != nil:
		return err
	case link != s.link:
		return errors.Join(fmt.Errorf("it came back with link type %s, not %s", link, s.link), fresh.close())
	}
	s.wentDown()
	s.count()
	old := s.sock
	s.mu.Lock()
	s.sock, s.open = fresh, fresh
	s.mu.Unlock()
	s.block, s.left, s.holding, s.down = 0, 0, false, false
	s.cfg.Log.Info("interface came back", "interface", s.cfg.Interface)
	return old.close()
}

// rebind has the socket that is open listen at the interface that came back: what
// is left where the right to open another was given up.
func (s *Source) rebind() error {
	iface, err := net.InterfaceByName(s.cfg.Interface)
	if err != nil {
		return nil // it went away again
	}
	link, err := linkType(s.sock.fd, s.cfg.Interface)
	switch {
	case err != nil:
		return err
	case link != s.link:
		return fmt.Errorf("it came back with link type %s, not %s", link, s.link)
	}
	s.wentDown()
	s.sock.index = iface.Index
	if err := s.sock.listen(&s.cfg); err != nil {
		return fmt.Errorf("listen again: %w", err)
	}
	s.down = false
	s.cfg.Log.Info("interface came back", "interface", s.cfg.Interface)
	return nil
}
