package sock

import (
	"encoding/binary"
	"fmt"
)

// DataSize is the size of [Data] in bytes, as [Handle.Data] fills it.
const DataSize = 68

// Data is what the kernel tells of a connection beside addresses, options and bytes.
// Its layout is libsoccr's: 17 numbers of 32 bits in native order.
type Data struct {
	State State // of the connection

	InqLen uint32 // bytes that the peer sent and nobody has read
	InqSeq uint32 // the next number expected from the peer: the receive queue's end

	OutqLen uint32 // bytes that the peer has not acknowledged, unsent ones among them
	OutqSeq uint32 // the next number to write: the send queue's end
	UnsqLen uint32 // of OutqLen, bytes that were never sent; they are the queue's last

	OptMask   uint32 // negotiated options: OptTimestamps, OptSACK, OptWscale
	MSSClamp  uint32 // largest segment that the peer takes, in bytes
	SndWscale uint32 // shift of the windows that the peer sends, 0 to 14
	RcvWscale uint32 // shift of the windows that are sent, 0 to 14
	Timestamp uint32 // clock of the timestamps option; the lowest bit: it counts microseconds

	Flags uint32 // FlagWindow

	SndWl1    uint32 // number of the segment that set SndWnd
	SndWnd    uint32 // window that the peer gives, in bytes
	MaxWindow uint32 // largest that it ever gave
	RcvWnd    uint32 // window that was given to the peer
	RcvWup    uint32 // what was acknowledged with it
}

// Bits of [Data.OptMask] (TCPI_OPT_*).
const (
	OptTimestamps uint32 = 1
	OptSACK       uint32 = 2
	OptWscale     uint32 = 4
)

// FlagWindow in [Data.Flags] says that the five numbers of the windows count, also
// where they are 0. Without it they are ignored.
const FlagWindow uint32 = 1

// State is a TCP state by the kernel's number.
type State uint32

// The kernel's states (include/net/tcp_states.h).
const (
	Established State = iota + 1
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
	NewSynRecv
)

// String returns the state's name in the words of RFC 9293, in lower case.
func (s State) String() string {
	names := [...]string{
		"unknown", "established", "syn_sent", "syn_received", "fin_wait_1", "fin_wait_2", "time_wait",
		"closed", "close_wait", "last_ack", "listen", "closing", "syn_received",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state_%d", uint32(s))
}

// movable reports whether the kernel can dump and restore the state.
func (s State) movable() bool {
	switch s {
	case Established, SynSent, FinWait1, FinWait2, Closed, CloseWait, LastAck, Closing:
		return true
	}
	return false
}

// finSent reports whether this end has closed its direction: the end of the send
// queue then counts a FIN.
func (s State) finSent() bool {
	switch s {
	case FinWait1, FinWait2, Closing, LastAck, Closed:
		return true
	}
	return false
}

// finReceived reports whether the peer has closed its direction: the end of the
// receive queue then counts a FIN.
func (s State) finReceived() bool {
	switch s {
	case CloseWait, LastAck, Closing, Closed:
		return true
	}
	return false
}

func (d *Data) fields() [17]*uint32 {
	return [17]*uint32{
		(*uint32)(&d.State), &d.InqLen, &d.InqSeq, &d.OutqLen, &d.OutqSeq, &d.UnsqLen, &d.OptMask, &d.MSSClamp,
		&d.SndWscale, &d.RcvWscale, &d.Timestamp, &d.Flags, &d.SndWl1, &d.SndWnd, &d.MaxWindow, &d.RcvWnd, &d.RcvWup,
	}
}

// Encode returns the data as [Handle.Data] gives it and the setters take it.
func (d Data) Encode() []byte {
	b := make([]byte, DataSize)
	d.put(b)
	return b
}

func (d *Data) put(b []byte) {
	for i, f := range d.fields() {
		binary.NativeEndian.PutUint32(b[4*i:], *f)
	}
}

// DecodeData reads data as it was encoded; more bytes than [DataSize] are a later
// version's and are ignored, fewer are [ErrSize].
func DecodeData(b []byte) (Data, error) {
	var d Data
	if len(b) < DataSize {
		return d, fmt.Errorf("sock: %d bytes: %w", len(b), ErrSize)
	}
	for i, f := range d.fields() {
		*f = binary.NativeEndian.Uint32(b[4*i:])
	}
	return d, nil
}

// Check returns an error where numbers contradict each other in a way that the kernel
// takes and that ruins the connection.
func (d *Data) Check() error {
	switch {
	case !d.State.movable():
		return fmt.Errorf("sock: state %v: %w", d.State, ErrState)
	case d.UnsqLen > d.OutqLen:
		return fmt.Errorf("sock: %d of %d bytes unsent", d.UnsqLen, d.OutqLen)
	case d.InqLen > maxQueue || d.OutqLen > maxQueue:
		return fmt.Errorf("sock: queues of %d and %d bytes: at most %d", d.InqLen, d.OutqLen, maxQueue)
	case d.OptMask&OptWscale != 0 && (d.SndWscale > 14 || d.RcvWscale > 14):
		return fmt.Errorf("sock: window shifts %d and %d: at most 14", d.SndWscale, d.RcvWscale)
	case d.MSSClamp > 65535:
		return fmt.Errorf("sock: segments of %d bytes", d.MSSClamp)
	case d.Flags&FlagWindow != 0 && d.SndWnd > d.MaxWindow:
		return fmt.Errorf("sock: window %d larger than the largest, %d", d.SndWnd, d.MaxWindow)
	}
	return nil
}

// maxQueue is the most that a queue may hold: what the kernel can (1 GiB of window),
// and more than any sysctl gives in practice.
const maxQueue = 1 << 30

// Queue is one of a connection's two queues of bytes, by the kernel's number.
type Queue int

const (
	noQueue Queue = 0
	// RecvQueue is what the peer sent and nobody has read.
	RecvQueue Queue = 1
	// SendQueue is what the peer has not acknowledged.
	SendQueue Queue = 2
)

// String returns "recv" or "send".
func (q Queue) String() string {
	switch q {
	case RecvQueue:
		return "recv"
	case SendQueue:
		return "send"
	}
	return "none"
}
