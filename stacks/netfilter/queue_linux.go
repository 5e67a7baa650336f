package netfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// QueueConfig says what a queue is to be. Zero values mean the defaults.
type QueueConfig struct {
	// Num is the queue's number. With Any the first free one from Num on is taken.
	Num uint16
	Any bool
	// Range is how many bytes of each packet are read: 65,535 by default. With 1 to
	// 127 only that much of the headers comes.
	Range uint32
	// MaxLen is how many packets may wait for a verdict: 65,536 by default. What comes
	// beyond is dropped.
	MaxLen uint32
	// Offload lets packets come that are larger than the link takes and whose
	// checksums are left to the network card, as the kernel has them.
	Offload bool
	// Buffer is the socket's receive buffer in bytes: 16 MiB by default.
	Buffer int
	// Batch is how many packets one read can return: 64 by default.
	Batch int
	// Namespace is where the queue is.
	Namespace netns.Handle
}

// Packet is one packet that waits for a verdict. Its bytes are the queue's own and
// stand until the next [Queue.Read].
type Packet struct {
	ID      uint32
	Mark    uint32
	In, Out int   // interfaces by number, 0 for none
	Hook    uint8 // NF_INET_*
	Length  int   // of the whole packet
	Data    []byte
}

// Queue reads packets that rules hand over, and says what becomes of them.
type Queue struct {
	fd, wake int
	num      uint16
	msgs     []mmsghdr
	iovs     []unix.Iovec
	room     []byte
	size     int // of one packet's part of room

	reading sync.RWMutex // held by Read: Close waits for it
	closed  atomic.Bool
	mu      sync.Mutex // guards out
	out     netlink.Builder
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

const (
	queueMessage = unix.NFNL_SUBSYS_QUEUE << 8

	queuePacket    = 0 // NFQNL_MSG_PACKET
	queueVerdict   = 1 // NFQNL_MSG_VERDICT
	queueConfigure = 2 // NFQNL_MSG_CONFIG

	queueHeadroom = 512 // attributes around a packet's bytes
)

// OpenQueue takes a queue. It needs CAP_NET_ADMIN; a queue that another socket has
// is EBUSY.
func OpenQueue(cfg QueueConfig) (*Queue, error) {
	if cfg.Range == 0 {
		cfg.Range = 0xffff
	}
	if cfg.MaxLen == 0 {
		cfg.MaxLen = 65536
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = 16 << 20
	}
	if cfg.Batch == 0 {
		cfg.Batch = 64
	}
	q := &Queue{fd: -1, wake: -1, num: cfg.Num}
	if err := cfg.Namespace.Do(func() error { return q.open(cfg) }); err != nil {
		q.free()
		return nil, fmt.Errorf("netfilter: open queue %d: %w", q.num, err)
	}
	q.size = (int(cfg.Range) + queueHeadroom + 15) &^ 15
	q.msgs, q.iovs = make([]mmsghdr, cfg.Batch), make([]unix.Iovec, cfg.Batch)
	q.room = make([]byte, cfg.Batch*q.size)
	return q, nil
}

func (q *Queue) open(cfg QueueConfig) (err error) {
	if q.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	q.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	if err := unix.Bind(q.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// What does not fit is dropped and counted by the kernel; an error at the next
	// read would say it a second time.
	_ = unix.SetsockoptInt(q.fd, unix.SOL_NETLINK, unix.NETLINK_NO_ENOBUFS, 1)
	if unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, cfg.Buffer) != nil {
		_ = unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.Buffer)
	}
	// A command without effect, which tells a lack of privilege: a queue that is taken
	// gives the same error.
	if err := q.command(bindFamily); err != nil {
		return err
	}
	for {
		err := q.command(bind)
		switch {
		case err == nil:
			return q.configure(cfg)
		case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EBUSY):
			return err
		case !cfg.Any || q.num == 0xffff:
			return unix.EBUSY
		}
		q.num++
	}
}

// Commands to a queue (NFQNL_CFG_CMD_*).
const bind, bindFamily = 1, 3

func (q *Queue) command(code byte) error {
	q.begin(queueConfigure, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	q.out.Attr(1, code, 0, 0, 0) // NFQA_CFG_CMD
	q.out.End()
	return q.ask()
}

// configure says what is wanted of the queue; only its owner may.
func (q *Queue) configure(cfg QueueConfig) error {
	flags := uint32(0)
	if cfg.Offload {
		flags |= 4
	}
	q.begin(queueConfigure, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	var params [5]byte
	binary.BigEndian.PutUint32(params[:], cfg.Range)
	params[4] = 2 // copy packets
	q.out.Attr(2, params[:]...)
	q.out.Uint32(3, cfg.MaxLen)
	q.out.Uint32(5, flags)
	q.out.Uint32(4, 4) // which flags are meant
	q.out.End()
	return q.ask()
}

func (q *Queue) begin(kind, flags uint16) {
	q.out.Begin(queueMessage|kind, flags, unix.AF_UNSPEC, 0, byte(q.num>>8), byte(q.num))
}

// ask sends one message and waits for its acknowledgement. Nothing is bound yet, so
// nothing else comes.
func (q *Queue) ask() error {
	defer q.out.Reset()
	if err := q.send(); err != nil {
		return err
	}
	var buf [4096]byte
	for {
		fds := [1]unix.PollFd{{Fd: int32(q.fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds[:], 5000); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		} else if n == 0 {
			return unix.ETIMEDOUT
		}
		n, _, err := unix.Recvfrom(q.fd, buf[:], 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n < netlink.HeaderLen+4 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR {
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(buf[netlink.HeaderLen:])); code != 0 {
			return unix.Errno(-code)
		}
		return nil
	}
}

func (q *Queue) send() error {
	return unix.Sendto(q.fd, q.out.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// Num returns the queue's number.
func (q *Queue) Num() uint16 { return q.num }

// ErrClosed is what reading and answering return after [Queue.Close].
var ErrClosed = errors.New("netfilter: queue is closed")

// Read fills batch with packets that wait, at most as many as the queue's batch,
// and returns how many. Without any it waits: for ever with a negative time, not at
// all with 0. It allocates nothing.
func (q *Queue) Read(batch []Packet, wait time.Duration) (int, error) {
	q.reading.RLock()
	defer q.reading.RUnlock()
	for {
		if q.closed.Load() {
			return 0, ErrClosed
		}
		n, err := q.receive(min(len(batch), len(q.msgs)))
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("netfilter: read queue %d: %w", q.num, err)
		}
		if got := q.parse(batch, n); got > 0 {
			return got, nil
		}
		if n > 0 {
			continue
		}
		if wait == 0 {
			return 0, nil
		}
		if err := q.wait(wait); err != nil {
			return 0, err
		}
		if wait > 0 {
			wait = 0
		}
	}
}

func (q *Queue) wait(d time.Duration) error {
	ms := -1
	if d > 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	fds := [2]unix.PollFd{{Fd: int32(q.fd), Events: unix.POLLIN}, {Fd: int32(q.wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], ms); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("netfilter: wait for queue %d: %w", q.num, err)
	}
	return nil
}

func (q *Queue) receive(n int) (int, error) {
	for i := range n {
		q.iovs[i].Base = &q.room[i*q.size]
		q.iovs[i].SetLen(q.size)
		q.msgs[i].hdr = unix.Msghdr{Iov: &q.iovs[i]}
		q.msgs[i].hdr.SetIovlen(1)
	}
	got, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(q.fd), uintptr(unsafe.Pointer(unsafe.SliceData(q.msgs))), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(got), nil
}

// parse reads the messages of the first n buffers. What is no packet, such as an
// error about a verdict that came too late, is passed over.
func (q *Queue) parse(batch []Packet, n int) int {
	got := 0
	for i := range n {
		p := q.room[i*q.size:][:q.msgs[i].len]
		if len(p) < netlink.HeaderLen+4 || binary.NativeEndian.Uint16(p[4:]) != queueMessage|queuePacket {
			continue
		}
		if readPacket(&batch[got], netlink.Attrs(p[netlink.HeaderLen+4:])) {
			got++
		}
	}
	return got
}

func readPacket(k *Packet, attrs netlink.Attrs) bool {
	*k = Packet{}
	known := false
	for {
		typ, data, rest, ok := attrs.Next()
		if !ok {
			return known
		}
		attrs = rest
		switch {
		case typ == 1 && len(data) >= 7: // NFQA_PACKET_HDR
			k.ID, k.Hook, known = binary.BigEndian.Uint32(data), data[6], true
		case typ == 3 && len(data) >= 4: // NFQA_MARK
			k.Mark = binary.BigEndian.Uint32(data)
		case typ == 5 && len(data) >= 4: // NFQA_IFINDEX_INDEV
			k.In = int(binary.BigEndian.Uint32(data))
		case typ == 6 && len(data) >= 4: // NFQA_IFINDEX_OUTDEV
			k.Out = int(binary.BigEndian.Uint32(data))
		case typ == 10: // NFQA_PAYLOAD
			k.Data = data
			k.Length = max(k.Length, len(data))
		case typ == 13 && len(data) >= 4: // NFQA_CAP_LEN
			k.Length = int(binary.BigEndian.Uint32(data))
		}
	}
}

// Accept lets a packet go on. Like the other verdicts it is only written down;
// [Queue.Flush] tells the kernel.
func (q *Queue) Accept(id uint32) { q.verdict(id, nfAccept) }

// Drop drops a packet.
func (q *Queue) Drop(id uint32) { q.verdict(id, nfDrop) }

// flushAt is how many bytes of verdicts are sent at the latest.
const flushAt = 32 << 10

func (q *Queue) verdict(id, code uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed.Load() {
		return
	}
	q.begin(queueVerdict, unix.NLM_F_REQUEST)
	var h [8]byte
	binary.BigEndian.PutUint32(h[:], code)
	binary.BigEndian.PutUint32(h[4:], id)
	q.out.Attr(2, h[:]...) // NFQA_VERDICT_HDR
	q.out.End()
	if q.out.Len() >= flushAt {
		_ = q.flush()
	}
}

// Flush tells the kernel the verdicts since the last one.
func (q *Queue) Flush() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.flush()
}

func (q *Queue) flush() error {
	if q.out.Len() == 0 {
		return nil
	}
	defer q.out.Reset()
	if q.closed.Load() {
		return ErrClosed
	}
	if err := q.send(); err != nil {
		return fmt.Errorf("netfilter: answer queue %d: %w", q.num, err)
	}
	return nil
}

// Close gives the queue up. A read that waits ends; packets without a verdict are
// dropped by the kernel.
func (q *Queue) Close() error {
	q.mu.Lock()
	first := !q.closed.Swap(true)
	q.mu.Unlock()
	if !first {
		return nil
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(q.wake, one[:])
	q.reading.Lock()
	defer q.reading.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free()
	return nil
}

func (q *Queue) free() {
	for _, fd := range []int{q.fd, q.wake} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
