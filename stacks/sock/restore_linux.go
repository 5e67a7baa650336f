package sock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// hugeBuffer is as large as the kernel doubles without overflow.
const hugeBuffer = 1<<30 - 1

// growBuffers makes room for queues of any length, where the privilege allows;
// without it, as far as it goes.
func (h *Handle) growBuffers() {
	h.saved.sndbuf, _ = unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	h.saved.rcvbuf, _ = unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	h.saved.buflock, _ = unix.GetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
	h.saved.buffers = true
	if unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, hugeBuffer) != nil {
		_ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, hugeBuffer)
	}
	// Without privilege the kernel's own growing takes more than it can be told to.
	_ = unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, hugeBuffer)
}

func (h *Handle) restoreBuffers() {
	setBuffers(h.fd, h.saved.sndbuf, h.saved.rcvbuf, h.saved.buflock)
}

// lockedRecv in SO_BUF_LOCK says that the receive buffer was set and does not grow.
const lockedRecv = 2

// setBuffers sets sizes as they are read, twice what is asked for, and last whether
// the kernel may change them.
func setBuffers(fd, sndbuf, rcvbuf, lock int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sndbuf/2) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sndbuf/2)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvbuf/2) != nil && lock&lockedRecv != 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvbuf/2)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, lock)
}

// starts returns the numbers at the beginning of both queues, without FINs.
func (d *Data) starts() (in, out uint32) {
	in, out = d.InqSeq, d.OutqSeq
	if d.State.finReceived() {
		in--
	}
	if d.State.finSent() {
		out--
	}
	in -= d.InqLen
	out -= d.OutqLen
	if d.State == SynSent {
		out-- // connecting sends a SYN, which counts
	}
	return in, out
}

func (h *Handle) setUnbound() error {
	h.growBuffers()
	in, out := h.data.starts()
	for _, q := range []struct {
		queue Queue
		seq   uint32
	}{{RecvQueue, in}, {SendQueue, out}} {
		if err := setQueue(h.fd, q.queue); err != nil {
			return fmt.Errorf("TCP_REPAIR_QUEUE: %w", err)
		}
		if err := setU32(h.fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ, q.seq); err != nil {
			return fmt.Errorf("TCP_QUEUE_SEQ: %w", err)
		}
	}
	if err := setQueue(h.fd, noQueue); err != nil {
		return fmt.Errorf("TCP_REPAIR_QUEUE: %w", err)
	}
	// Connecting computes the size of segments from this, and from 536 otherwise, for
	// the connection's whole life; the repair options come too late for that.
	if mss := min(h.data.MSSClamp, 32767); mss >= 88 {
		if err := setU32(h.fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, mss); err != nil {
			return fmt.Errorf("TCP_MAXSEG: %w", err)
		}
	}
	if h.data.State == SynSent {
		// The caller's connect has to send a SYN. It must not wait for the answer.
		if err := setRepair(h.fd, unix.TCP_REPAIR_OFF_NO_WP); err != nil {
			return fmt.Errorf("TCP_REPAIR: %w", err)
		}
		if err := unix.SetNonblock(h.fd, true); err != nil {
			return err
		}
		return unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	return nil
}

func (h *Handle) setNoQ() error {
	info, err := readInfo(h.fd)
	if err != nil {
		return fmt.Errorf("TCP_INFO: %w", err)
	}
	if h.data.State == SynSent {
		if info.state != SynSent && info.state != Established {
			return fmt.Errorf("%w: socket is %v, not connecting", ErrOrder, info.state)
		}
		return setRepair(h.fd, unix.TCP_REPAIR_ON)
	}
	if info.state != Established {
		return fmt.Errorf("%w: socket is %v, not connected", ErrOrder, info.state)
	}
	if h.local, err = localOf(h.fd); err != nil {
		return err
	}
	if h.remote, err = peerOf(h.fd); err != nil {
		return err
	}
	if err := h.repairOptions(); err != nil {
		return fmt.Errorf("TCP_REPAIR_OPTIONS: %w", err)
	}
	if h.data.OptMask&OptTimestamps != 0 {
		if err := setU32(h.fd, unix.IPPROTO_TCP, unix.TCP_TIMESTAMP, h.data.Timestamp); err != nil {
			return fmt.Errorf("TCP_TIMESTAMP: %w", err)
		}
	}
	return nil
}

func (h *Handle) repairOptions() error {
	var list []unix.TCPRepairOpt
	d := &h.data
	if d.OptMask&OptSACK != 0 {
		list = append(list, unix.TCPRepairOpt{Code: repairOptSACK})
	}
	if d.OptMask&OptWscale != 0 {
		list = append(list, unix.TCPRepairOpt{Code: repairOptWscale, Val: d.SndWscale | d.RcvWscale<<16})
	}
	if d.OptMask&OptTimestamps != 0 {
		list = append(list, unix.TCPRepairOpt{Code: repairOptTimestamps})
	}
	list = append(list, unix.TCPRepairOpt{Code: repairOptMSS, Val: d.MSSClamp})
	return unix.SetsockoptTCPRepairOpt(h.fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_OPTIONS, list)
}

// fill puts bytes into a queue. Of the send queue, the first part counts as sent; for
// the rest repair mode is left a moment, without a window probe, and the kernel keeps
// it because the peer's window is still unknown.
func (h *Handle) fill(q Queue, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if h.data.State == SynSent {
		return fmt.Errorf("%w: a connection without a peer has no bytes", ErrState)
	}
	if err := setQueue(h.fd, q); err != nil {
		return fmt.Errorf("TCP_REPAIR_QUEUE: %w", err)
	}
	defer func() { _ = setQueue(h.fd, noQueue) }()
	if q == RecvQueue {
		return h.write(b)
	}
	sent := len(b) - int(h.data.UnsqLen)
	if err := h.write(b[:sent]); err != nil || h.data.UnsqLen == 0 {
		return err
	}
	if err := setRepair(h.fd, unix.TCP_REPAIR_OFF_NO_WP); err != nil {
		return fmt.Errorf("TCP_REPAIR: %w", err)
	}
	err := h.write(b[sent:])
	if back := setRepair(h.fd, unix.TCP_REPAIR_ON); back != nil {
		return errors.Join(err, fmt.Errorf("TCP_REPAIR: %w", back))
	}
	return err
}

// leastChunk is what a write is divided into at the least where memory is short.
const leastChunk = 1024

// write writes all bytes. The kernel takes some 68 KiB at a time; a short write is
// progress. Where it has no memory for a chunk, a smaller one is tried.
func (h *Handle) write(b []byte) error {
	chunk := len(b)
	for len(b) > 0 {
		var n int
		err := again(func() (err error) {
			n, err = unix.SendmsgN(h.fd, b[:min(chunk, len(b))], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			return err
		})
		switch {
		case err == nil && n > 0:
			b = b[n:]
			chunk = min(chunk*2, len(b))
		case errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS):
			if chunk = min(chunk, len(b)) / 2; chunk < leastChunk {
				return fmt.Errorf("%d bytes left: %w", len(b), err)
			}
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("%d bytes left: the socket's buffer is full, and more needs CAP_NET_ADMIN of the host: %w", len(b), err)
		case err == nil:
			err = unix.EIO
			fallthrough
		default:
			return fmt.Errorf("%d bytes left: %w", len(b), err)
		}
	}
	return nil
}

// setData sets the windows and leads the connection from ESTABLISHED to its state.
func (h *Handle) setData() error {
	d := h.data
	if d.State == SynSent {
		return nil
	}
	if d.Flags&FlagWindow != 0 {
		if d.State.finReceived() {
			// The peer's FIN comes again, below, and counts then.
			d.RcvWup--
			d.RcvWnd++
		}
		if err := setWindow(h.fd, &d); err != nil {
			return fmt.Errorf("TCP_REPAIR_WINDOW: %w", err)
		}
	}
	return h.finish()
}
