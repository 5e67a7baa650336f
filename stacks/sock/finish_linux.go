package sock

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
)

// finish leads an established connection to the state of its data: this end's FIN by
// shutdown(2), the peer's FIN and its acknowledgements by segments that are forged in
// its name and carry the mark which blocks let pass.
//
//	FIN_WAIT_1  shutdown after the resume
//	FIN_WAIT_2  shutdown as if sent long ago, peer's ACK of it
//	CLOSE_WAIT  peer's FIN
//	LAST_ACK    peer's FIN, shutdown after the resume
//	CLOSING     shutdown, peer's FIN, which does not acknowledge it
//	CLOSED      peer's FIN, shutdown as if sent long ago, peer's ACK of it
func (h *Handle) finish() error {
	d := &h.data
	in, out := d.starts()
	in += d.InqLen // where the peer's FIN is or will be
	una := out
	out += d.OutqLen // where this end's FIN is or will be
	switch d.State {
	case FinWait1:
		h.finLater = true
	case FinWait2:
		if err := h.shutdownSent(); err != nil {
			return err
		}
		return h.forged(segment{seq: in, ack: out + 1, flags: flagACK}, FinWait2)
	case CloseWait:
		return h.forged(segment{seq: in, ack: una, flags: flagFIN | flagACK}, CloseWait)
	case LastAck:
		h.finLater = true
		return h.forged(segment{seq: in, ack: una, flags: flagFIN | flagACK}, CloseWait)
	case Closing:
		if err := h.shutdown(); err != nil {
			return err
		}
		return h.forged(segment{seq: in, ack: una, flags: flagFIN | flagACK}, Closing)
	case Closed:
		if err := h.forged(segment{seq: in, ack: una, flags: flagFIN | flagACK}, CloseWait); err != nil {
			return err
		}
		if err := h.shutdownSent(); err != nil {
			return err
		}
		return h.forged(segment{seq: in + 1, ack: out + 1, flags: flagACK}, Closed)
	}
	return nil
}

func (h *Handle) shutdown() error {
	if err := unix.Shutdown(h.fd, unix.SHUT_WR); err != nil {
		return fmt.Errorf("close sending direction: %w", err)
	}
	return nil
}

// shutdownSent closes the sending direction with the FIN counted as sent.
func (h *Handle) shutdownSent() error {
	if err := setQueue(h.fd, SendQueue); err != nil {
		return fmt.Errorf("TCP_REPAIR_QUEUE: %w", err)
	}
	err := h.shutdown()
	return errors.Join(err, setQueue(h.fd, noQueue))
}

// settleWait is how long a forged segment may take through the kernel: it goes over
// loopback, at once unless the processor is behind with its interrupts.
const settleWait = 200 * time.Millisecond

// forged sends a segment in the peer's name and waits until the socket is in the
// state that follows.
func (h *Handle) forged(s segment, want State) error {
	s.src, s.dst = h.remote, h.local
	s.window = uint16(min(h.data.SndWnd>>h.data.SndWscale, 0xffff))
	ns, err := h.namespace()
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := ns.Do(func() error { return sendRaw(s) }); err != nil {
		return fmt.Errorf("forge segment: %w", err)
	}
	pause := 10 * time.Microsecond
	for until := time.Now().Add(settleWait); ; {
		info, err := readInfo(h.fd)
		if err != nil {
			return fmt.Errorf("TCP_INFO: %w", err)
		}
		if info.state == want {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("forged segment had no effect: state is %v, not %v", info.state, want)
		}
		time.Sleep(pause)
		pause *= 2
	}
}

// sendRaw sends a segment with its IP header.
func sendRaw(s segment) error {
	src, dst := s.src.Addr().Unmap(), s.dst.Addr().Unmap()
	domain := unix.AF_INET
	if !src.Is4() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if domain == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_HDRINCL, 1); err != nil {
			return fmt.Errorf("IPV6_HDRINCL: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, netfilter.Mark); err != nil {
		return fmt.Errorf("SO_MARK: %w", err)
	}
	s.src, s.dst = netip.AddrPortFrom(src, s.src.Port()), netip.AddrPortFrom(dst, s.dst.Port())
	sa, err := sockaddr(netip.AddrPortFrom(dst, 0), domain)
	if err != nil {
		return err
	}
	return again(func() error { return unix.Sendto(fd, s.bytes(), 0, sa) })
}
