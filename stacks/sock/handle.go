package sock

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// Mover takes connections and puts them back. The zero Mover works.
type Mover struct {
	// Log is told each step, at debug level, and what goes wrong in the background.
	// Nothing is logged when it is nil.
	Log *slog.Logger
	// Lease is how long the whole forms block packets without renewing:
	// [DefaultLease] if it is 0.
	Lease time.Duration
	// Keeper, if not nil, holds on to each socket during a checkpoint, in case this
	// process is killed. See [StartKeeper].
	Keeper *Keeper

	pool  buffers
	lock  locker
	stops stops
}

// stage is how far a handle has come.
type stage uint8

const (
	stagePaused stage = iota
	stageDumped
	stageUnbound
	stageNoQ
	stageSet
	stageReleased
)

func (s stage) String() string {
	return [...]string{"paused", "dumped", "unbound", "without queues", "complete", "released"}[s]
}

// call is one of the staged calls.
type call uint8

const (
	callData call = iota
	callQueueBytes
	callSetUnbound
	callSetNoQ
	callSetQueueBytes
	callSetData
	callResume
)

// order says from which stages a call may come.
var order = [...]struct {
	name string
	from []stage
}{
	callData:          {"Data", []stage{stagePaused}},
	callQueueBytes:    {"QueueBytes", []stage{stageDumped}},
	callSetUnbound:    {"SetUnbound", []stage{stagePaused}},
	callSetNoQ:        {"SetNoQ", []stage{stageUnbound}},
	callSetQueueBytes: {"SetQueueBytes", []stage{stageNoQ}},
	callSetData:       {"SetData", []stage{stageNoQ}},
	callResume:        {"Resume", []stage{stagePaused, stageDumped, stageSet}},
}

// Handle is a paused socket. It does not own the descriptor, which must stay open
// while the handle is used.
type Handle struct {
	mover *Mover
	fd    int
	at    stage
	born  State // when it was paused
	saved saved // what pausing and restoring changed, to be put back
	data  Data  // what was read, or is being restored: a copy
	// bytes are the queues as they were read; taken: the caller has them for good.
	bytes [3][]byte
	taken [3]bool
	// filled: the queue has been restored.
	filled        [3]bool
	local, remote netip.AddrPort
	finLater      bool // this end's FIN goes out after the resume
}

func (h *Handle) check(c call) error {
	if h.at == stageReleased {
		return fmt.Errorf("sock: %s: %w", order[c].name, ErrReleased)
	}
	for _, s := range order[c].from {
		if s == h.at {
			return nil
		}
	}
	return fmt.Errorf("sock: %s: %w: socket is %v", order[c].name, ErrOrder, h.at)
}

// Pause puts a socket into repair mode, in which the kernel lets its numbers and
// queues be read and set, and closes it without a word to the peer.
//
// It blocks no traffic. The caller has to block the connection beforehand, in both
// directions, and to release it after it was restored or resumed; packages netfilter
// does that. Otherwise the peer's next packet, once the socket is closed, meets no
// connection, the kernel answers with RST, and the connection is dead; and while the
// socket is read, its numbers change.
//
// A socket that is not connected is paused to restore into it. SO_REUSEADDR is then
// set, for as long as it is paused, so that a listener on the same port is no
// obstacle.
//
// What cannot be moved is refused with an error of this package before anything is
// changed. Without CAP_NET_ADMIN it is EPERM.
func (m *Mover) Pause(fd int) (*Handle, error) {
	h := &Handle{mover: m, fd: fd}
	if err := h.pause(); err != nil {
		return nil, fmt.Errorf("sock: pause: %w", err)
	}
	return h, nil
}

func (m *Mover) debug(msg string, args ...any) {
	if m.Log != nil {
		m.Log.Debug(msg, args...)
	}
}

// State returns the connection's state as it was when the socket was paused.
func (h *Handle) State() State { return h.born }

// Data reads the connection's numbers and both queues, and fills dst with
// [DataSize] bytes of it ([DecodeData]). The rest of a larger dst becomes zero; a
// smaller one is [ErrSize]. It returns how many bytes it filled.
//
// An acknowledgement that arrives while it reads makes it read again, three times at
// most; then it is [ErrChanging]. The socket stays as it is in every case.
func (h *Handle) Data(dst []byte) (int, error) {
	if err := h.check(callData); err != nil {
		return 0, err
	}
	if len(dst) < DataSize {
		return 0, fmt.Errorf("sock: Data: %d bytes: %w", len(dst), ErrSize)
	}
	if err := h.dump(); err != nil {
		return 0, fmt.Errorf("sock: dump: %w", err)
	}
	h.at = stageDumped
	clear(dst)
	h.data.put(dst)
	h.mover.debug("dumped", "fd", h.fd, "state", h.data.State, "in", h.data.InqLen, "out", h.data.OutqLen)
	return DataSize, nil
}

// QueueBytes returns what a queue holds: as many bytes as the data's InqLen or
// OutqLen says. Without steal they stay the handle's and are gone with [Handle.Resume]
// or [Handle.Close]. With it they are the caller's for good, and a second call returns
// nil. The socket keeps its bytes in either case.
func (h *Handle) QueueBytes(q Queue, steal bool) ([]byte, error) {
	if err := h.check(callQueueBytes); err != nil {
		return nil, err
	}
	if q != RecvQueue && q != SendQueue {
		return nil, fmt.Errorf("sock: QueueBytes: no queue %d", q)
	}
	if h.taken[q] {
		return nil, nil
	}
	b := h.bytes[q]
	if steal {
		h.bytes[q], h.taken[q] = nil, true
	}
	return b, nil
}

// Addr returns the connection's address at this end, or with self false at the
// peer's, in every state.
func (h *Handle) Addr(self bool) netip.AddrPort {
	if self {
		return h.local
	}
	return h.remote
}

// SetUnbound sets the numbers of a socket that is neither bound nor connected: where
// both queues begin, and the segment size. Next the caller binds it and connects it,
// to the addresses of the connection or to others. Connecting sends nothing, except
// where the state is [SynSent]: that connects anew.
func (h *Handle) SetUnbound(src []byte) error {
	if err := h.check(callSetUnbound); err != nil {
		return err
	}
	if h.born != Closed {
		return fmt.Errorf("sock: SetUnbound: %w: socket is %v", ErrOrder, h.born)
	}
	d, err := DecodeData(src)
	if err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return err
	}
	h.data = d
	if err := h.setUnbound(); err != nil {
		return fmt.Errorf("sock: set numbers: %w", err)
	}
	h.at = stageUnbound
	return nil
}

// SetNoQ sets what the ends had negotiated: segment size, window shifts, selective
// acknowledgements, timestamps with their clock. A socket that is not connected by
// then is [ErrOrder].
func (h *Handle) SetNoQ(src []byte) error {
	if err := h.check(callSetNoQ); err != nil {
		return err
	}
	if err := h.same(src); err != nil {
		return err
	}
	if err := h.setNoQ(); err != nil {
		return fmt.Errorf("sock: set options: %w", err)
	}
	h.at = stageNoQ
	return nil
}

// SetQueueBytes fills a queue; it takes as many bytes as the data says, once a queue.
// Nothing is sent.
func (h *Handle) SetQueueBytes(src []byte, q Queue, b []byte) error {
	if err := h.check(callSetQueueBytes); err != nil {
		return err
	}
	if err := h.same(src); err != nil {
		return err
	}
	if q != RecvQueue && q != SendQueue {
		return fmt.Errorf("sock: SetQueueBytes: no queue %d", q)
	}
	if h.filled[q] {
		return fmt.Errorf("sock: SetQueueBytes: %w: %v queue is filled", ErrOrder, q)
	}
	want := h.data.InqLen
	if q == SendQueue {
		want = h.data.OutqLen
	}
	if uint64(len(b)) != uint64(want) {
		return fmt.Errorf("sock: SetQueueBytes: %d bytes for a %v queue of %d", len(b), q, want)
	}
	if err := h.fill(q, b); err != nil {
		return fmt.Errorf("sock: fill %v queue: %w", q, err)
	}
	h.filled[q] = true
	return nil
}

// SetData sets the windows and completes the state: what either end has closed.
// Queues that hold bytes have to be filled before ([ErrOrder]). The socket stays
// paused. A FIN of this end that the peer has not acknowledged is sent by
// [Handle.Resume]; until then the state is the one before it.
func (h *Handle) SetData(src []byte) error {
	if err := h.check(callSetData); err != nil {
		return err
	}
	if err := h.same(src); err != nil {
		return err
	}
	if h.data.InqLen > 0 && !h.filled[RecvQueue] || h.data.OutqLen > 0 && !h.filled[SendQueue] {
		return fmt.Errorf("sock: SetData: %w: a queue is not filled", ErrOrder)
	}
	if err := h.setData(); err != nil {
		return fmt.Errorf("sock: complete: %w", err)
	}
	h.at = stageSet
	return nil
}

// same refuses other data than the restore began with.
func (h *Handle) same(src []byte) error {
	d, err := DecodeData(src)
	if err != nil {
		return err
	}
	if d != h.data {
		return fmt.Errorf("sock: data changed since SetUnbound: %w", ErrOrder)
	}
	return nil
}

// Resume ends the pause: the socket goes on where it is, and a window probe asks the
// peer where it stands. The handle is of no use afterwards. The connection may have
// been released before. A socket that is restored half way is [ErrOrder]: it can only
// be closed.
func (h *Handle) Resume() error {
	if err := h.check(callResume); err != nil {
		return err
	}
	if err := h.resume(); err != nil {
		return fmt.Errorf("sock: resume: %w", err)
	}
	h.release()
	return nil
}

// Close closes the descriptor. While the socket is paused that is silent: the peer is
// told nothing, and the connection's addresses are free. It needs no stage; on a
// released handle it is [ErrReleased].
func (h *Handle) Close() error {
	if h.at == stageReleased {
		return fmt.Errorf("sock: Close: %w", ErrReleased)
	}
	h.release()
	if err := h.close(); err != nil {
		return fmt.Errorf("sock: close: %w", err)
	}
	return nil
}

// Release gives the handle up and leaves the socket paused: closing it later is
// silent.
func (h *Handle) Release() { h.release() }

// Disconnect ends the connection silently although others hold the socket too: for
// them it is aborted. The descriptor stays open. The handle is released.
func (h *Handle) Disconnect() error {
	if h.at == stageReleased {
		return fmt.Errorf("sock: Disconnect: %w", ErrReleased)
	}
	if err := h.disconnect(); err != nil {
		return fmt.Errorf("sock: disconnect: %w", err)
	}
	h.release()
	return nil
}

func (h *Handle) release() {
	for q := range h.bytes {
		h.mover.pool.put(h.bytes[q])
		h.bytes[q] = nil
	}
	h.at = stageReleased
}
