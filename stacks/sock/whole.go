package sock

import (
	"net/netip"
	"time"

	"github.com/hookd/hookd/stacks/sock/image"
)

// DefaultLease is how long packets stay blocked when nobody says otherwise: long
// enough for a restore by hand, short enough for a peer to wait.
const DefaultLease = 10 * time.Second

// CheckpointOptions say how a connection is taken.
type CheckpointOptions struct {
	// Sink gets the image while the socket is paused and packets are blocked: what it
	// keeps is all that is left of the connection afterwards. An error resumes the
	// connection in place.
	Sink func(*image.Image) error
	// File is a path that the image is written to as well, for one restore; there must be
	// none. Durable lets it survive a loss of power, which takes milliseconds.
	File    string
	Durable bool
	// Leave resumes the connection in place after the sink: the image is a copy, of no
	// use for a restore as soon as anything is sent.
	Leave bool
	// Meta goes into the image.
	Meta map[string]string
	// App is what the application keeps of the connection, at most 1 MiB.
	App []byte
	// Generation is how often the connection was moved before.
	Generation uint64
	// Drop drops what the peer sends meanwhile rather than to hold it.
	Drop bool
	// KeepOpen leaves the descriptor open, disconnected.
	KeepOpen bool
	// Observe is told each step. An error of it before [StepClosed] resumes the connection
	// in place.
	Observe func(*Progress) error
}

// Taken is a connection that a checkpoint took. Its packets are blocked until
// [Mover.Unlock], a restore by the same mover, or the lease's end.
type Taken struct {
	Image *image.Image
	// Blackout is how long packets had been blocked when the checkpoint returned, or when
	// the connection went on in its place.
	Blackout time.Duration

	mover *Mover
}

// Free gives the image's buffers back. The image must not be used any more.
func (t *Taken) Free() {
	if t.Image != nil {
		t.mover.pool.put(t.Image.Recv)
		t.mover.pool.put(t.Image.Send)
		t.Image.Recv, t.Image.Send = nil, nil
	}
}

// RestoreOptions say where a connection comes to life.
type RestoreOptions struct {
	// Namespace is the path of a network namespace, "" for the caller's own.
	Namespace string
	// Local and Remote replace the image's addresses where they are valid: behind
	// translation, or for a peer that follows.
	Local, Remote netip.AddrPort
	// Transparent restores although the local address is not here yet (IP_TRANSPARENT);
	// it is to be added before the connection is unlocked.
	Transparent bool
	// Drop drops what the peer sends meanwhile rather than to hold it.
	Drop bool
	// Table is the table of another process' lock in the same namespace, which stands for
	// a lock of this one and is lifted; Held says that it holds packets.
	Table string
	Held  bool
	// Adopt takes the connection over from processes that are gone and had left it
	// blocked.
	Adopt bool
	// Quick bounds the retransmission timer by a second until [Restored.Settle]: without a
	// measured round trip the kernel waits three seconds for what was lost in flight.
	Quick bool
	// Observe is told each step. An error of it before [StepUnlocked] closes the new socket
	// silently.
	Observe func(*Progress) error
	// into is a socket that was disconnected, to be used again; otherwise a new one is made.
	into *int
}

// Restored is a connection that lives again.
type Restored struct {
	// FD is its socket, not blocking. It is the caller's.
	FD            int
	Local, Remote netip.AddrPort
	State         State
	// Lost names options that could not be carried over, and why.
	Lost []string
	// Took is how long the restore took, Blackout since packets were blocked.
	Took, Blackout time.Duration

	options []image.Option
	rtoMax  uint32
	quick   bool
	outq    uint32 // bytes that were to be acknowledged
	inq     uint32 // bytes that it was restored with, which count as received
	segsIn  uint32 // segments that had come before the connection was unlocked
}
