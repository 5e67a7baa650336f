package sock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// dumpTries is how often a dump is begun again when the connection changed below it.
const dumpTries = 4

// errMoved says that the queues were not as long as the kernel had said before.
var errMoved = errors.New("queue changed")

func (h *Handle) dump() error {
	offset, err := unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_PEEK_OFF)
	if err == nil && offset >= 0 {
		// Peeking would begin there and miss what is before it.
		if err := unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_PEEK_OFF, -1); err != nil {
			return fmt.Errorf("SO_PEEK_OFF: %w", err)
		}
		defer func() { _ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_PEEK_OFF, offset) }()
	}
	defer func() { _ = setQueue(h.fd, noQueue) }()
	for range dumpTries {
		err = h.dumpOnce()
		if !errors.Is(err, errMoved) {
			return err
		}
		for q := range h.bytes {
			h.mover.pool.put(h.bytes[q])
			h.bytes[q] = nil
		}
	}
	return fmt.Errorf("%w: %w", ErrChanging, err)
}

func (h *Handle) dumpOnce() error {
	d := Data{}
	info, err := readInfo(h.fd)
	if err != nil {
		return fmt.Errorf("TCP_INFO: %w", err)
	}
	if d.State = info.state; !d.State.movable() {
		return fmt.Errorf("%w: %v", ErrState, d.State)
	}
	if err := h.lengths(&d); err != nil {
		return err
	}
	if err := h.negotiated(&d, info); err != nil {
		return err
	}
	switch err := getWindow(h.fd, &d); {
	case err == nil:
		d.Flags |= FlagWindow
	case !errors.Is(err, unix.ENOPROTOOPT): // before Linux 4.8
		return fmt.Errorf("TCP_REPAIR_WINDOW: %w", err)
	}
	if err := h.peekRecv(&d); err != nil {
		return fmt.Errorf("receive queue: %w", err)
	}
	if err := h.peekSend(&d); err != nil {
		return fmt.Errorf("send queue: %w", err)
	}
	h.data = d
	return nil
}

// lengths asks how long the queues are. A FIN counts as a byte in the send queue's,
// not in the receive queue's.
func (h *Handle) lengths(d *Data) error {
	in, err := h.unread()
	if err != nil {
		return err
	}
	out, err := unix.IoctlGetInt(h.fd, unix.SIOCOUTQ)
	if err != nil {
		return fmt.Errorf("SIOCOUTQ: %w", err)
	}
	unsent, err := unix.IoctlGetInt(h.fd, sioOutqUnsent)
	if err != nil {
		return fmt.Errorf("SIOCOUTQNSD: %w", err)
	}
	switch {
	case d.State == Closed: // what a reset left behind cannot be read
		out, unsent = 0, 0
	case d.State.finSent():
		out, unsent = max(out-1, 0), max(unsent-1, 0)
	}
	d.InqLen, d.OutqLen, d.UnsqLen = uint32(in), uint32(out), uint32(unsent)
	return nil
}

// unread returns how many bytes wait to be read. The kernel counts up to urgent data
// only, unless urgent data is to be read in line: where that makes a difference, some
// is pending.
func (h *Handle) unread() (int, error) {
	n, err := unix.IoctlGetInt(h.fd, unix.SIOCINQ)
	if err != nil {
		return 0, fmt.Errorf("SIOCINQ: %w", err)
	}
	inline, err := unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_OOBINLINE)
	if err != nil {
		return 0, fmt.Errorf("SO_OOBINLINE: %w", err)
	}
	if err := unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1-inline); err != nil {
		return 0, fmt.Errorf("SO_OOBINLINE: %w", err)
	}
	other, err := unix.IoctlGetInt(h.fd, unix.SIOCINQ)
	if err := errors.Join(err, unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, inline)); err != nil {
		return 0, fmt.Errorf("SO_OOBINLINE: %w", err)
	}
	switch {
	case other == n:
		return n, nil
	case inline == 0 && other < n, inline != 0 && other > n:
		return 0, errMoved // data came in between
	}
	return 0, ErrUrgent
}

func (h *Handle) negotiated(d *Data, info tcpInfo) (err error) {
	d.OptMask = info.options
	// In repair mode this is what the peer announced, not what is in use.
	if d.MSSClamp, err = getU32(h.fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG); err != nil {
		return fmt.Errorf("TCP_MAXSEG: %w", err)
	}
	if d.OptMask&OptWscale != 0 {
		d.SndWscale, d.RcvWscale = info.sndWscale, info.rcvWscale
	}
	if d.OptMask&OptTimestamps != 0 {
		if d.Timestamp, err = getU32(h.fd, unix.IPPROTO_TCP, unix.TCP_TIMESTAMP); err != nil {
			return fmt.Errorf("TCP_TIMESTAMP: %w", err)
		}
	}
	return nil
}

// sequence selects a queue and returns the number at its end.
func (h *Handle) sequence(q Queue) (uint32, error) {
	if err := setQueue(h.fd, q); err != nil {
		return 0, fmt.Errorf("TCP_REPAIR_QUEUE: %w", err)
	}
	seq, err := getU32(h.fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
	if err != nil {
		return 0, fmt.Errorf("TCP_QUEUE_SEQ: %w", err)
	}
	return seq, nil
}

// peek copies what is in the selected queue.
func (h *Handle) peek(buf []byte) (n int, err error) {
	err = again(func() error {
		n, _, err = unix.Recvfrom(h.fd, buf, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOTCONN) {
		return 0, nil
	}
	return n, err
}

func (h *Handle) peekRecv(d *Data) (err error) {
	if d.InqSeq, err = h.sequence(RecvQueue); err != nil {
		return err
	}
	if d.State == SynSent || d.State == Closed && d.InqLen == 0 {
		return nil
	}
	buf := h.mover.pool.get(int(d.InqLen) + 1) // one more, to notice what came late
	n, err := h.peek(buf)
	if err != nil || n != int(d.InqLen) {
		h.mover.pool.put(buf)
		if err == nil {
			err = fmt.Errorf("%w: %d bytes, %d read", errMoved, d.InqLen, n)
		}
		return err
	}
	h.bytes[RecvQueue] = buf[:n]
	return nil
}

// headSegment is the largest segment that the kernel keeps in one piece: that much of
// the send queue's front may be acknowledged and still be in it.
const headSegment = 64 << 10

// peekSend reads the send queue in one piece: the kernel copies whole segments,
// whatever the length of the buffer.
func (h *Handle) peekSend(d *Data) (err error) {
	if d.OutqSeq, err = h.sequence(SendQueue); err != nil {
		return err
	}
	if d.OutqLen == 0 {
		return nil
	}
	buf := h.mover.pool.get(int(d.OutqLen) + headSegment)
	n, err := h.peek(buf)
	if err != nil || n < int(d.OutqLen) || n > int(d.OutqLen)+headSegment {
		h.mover.pool.put(buf)
		if err == nil || errors.Is(err, unix.EFAULT) {
			err = fmt.Errorf("%w: %d bytes, %d read", errMoved, d.OutqLen, n)
		}
		return err
	}
	if n > int(d.OutqLen) {
		again := Data{State: d.State}
		if err := h.lengths(&again); err != nil {
			h.mover.pool.put(buf)
			return err
		}
		if again.OutqLen != d.OutqLen {
			h.mover.pool.put(buf)
			return fmt.Errorf("%w: %d bytes, then %d", errMoved, d.OutqLen, again.OutqLen)
		}
		copy(buf, buf[n-int(d.OutqLen):n]) // the first segment is acknowledged in part
	}
	h.bytes[SendQueue] = buf[:d.OutqLen]
	return nil
}
