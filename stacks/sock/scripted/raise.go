package scripted

import (
	"errors"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock"
)

// raise raises a hook point of a connection and returns whether a rule wants no more of
// it. The shard is entered.
func raise[E any](c *Conn, p event.Point[E], e *E) (abort bool) {
	return p.Emit(c.sh, e).Kind == sockev.VerdictAbort
}

// step raises the hook point of a step of a move: how long packets are blocked by then,
// and how many are held.
func (c *Conn) step(s sock.Step, took time.Duration, held uint32) (abort bool) {
	switch s {
	case sock.StepBefore, sock.StepRestoreBefore:
		return raise(c, sockev.OnBefore, &sockev.Before{S: c, Took: took, Held: held, Restoring: s == sock.StepRestoreBefore})
	case sock.StepLocked:
		return raise(c, sockev.OnLocked, &sockev.Locked{S: c, Took: took, Held: held})
	case sock.StepPaused:
		return raise(c, sockev.OnPause, &sockev.Pause{S: c, Took: took, Held: held})
	case sock.StepDumped:
		return raise(c, sockev.OnDump, &sockev.Dump{S: c, Took: took, Held: held})
	case sock.StepImageWritten:
		return raise(c, sockev.OnImageWritten, &sockev.ImageWritten{S: c, Took: took, Held: held})
	case sock.StepClosing:
		return raise(c, sockev.OnClosing, &sockev.Closing{S: c, Took: took, Held: held})
	case sock.StepClosed:
		return raise(c, sockev.OnClosed, &sockev.Closed{S: c, Took: took, Held: held})
	case sock.StepResumed:
		return raise(c, sockev.OnResume, &sockev.Resume{S: c, Took: took, Held: held})
	case sock.StepUnbound:
		return raise(c, sockev.OnRestoreUnbound, &sockev.RestoreUnbound{S: c, Took: took, Held: held})
	case sock.StepBound:
		return raise(c, sockev.OnRestoreBound, &sockev.RestoreBound{S: c, Took: took, Held: held})
	case sock.StepNoQ:
		return raise(c, sockev.OnRestoreNoq, &sockev.RestoreNoq{S: c, Took: took, Held: held})
	case sock.StepQueues:
		return raise(c, sockev.OnRestoreQueue, &sockev.RestoreQueue{S: c, Took: took, Held: held})
	case sock.StepRestored:
		return raise(c, sockev.OnRestored, &sockev.Restored{S: c, Took: took, Held: held})
	case sock.StepUnlocked:
		return raise(c, sockev.OnUnlocked, &sockev.Unlocked{S: c, Took: took, Held: held})
	case sock.StepUp:
		return raise(c, sockev.OnUp, &sockev.Up{S: c, Took: took, Held: held})
	}
	return false
}

// queues raises the hook point of queues that were read and are not empty.
func (c *Conn) queues(took time.Duration, held uint32) (abort bool) {
	if c.recv > 0 {
		abort = raise(c, sockev.OnQueue, &sockev.Queue{S: c, Took: took, Held: held, Side: sockev.SideRecv, Bytes: c.recv})
	}
	if c.send > 0 && !abort {
		abort = raise(c, sockev.OnQueue, &sockev.Queue{S: c, Took: took, Held: held, Side: sockev.SideSend, Bytes: c.send})
	}
	return abort
}

// failed raises the hook points of a move that failed.
func (c *Conn) failed(k *sock.Progress) {
	took, held := k.Blackout, uint32(k.Held)
	if errors.Is(k.Err, netfilter.ErrLeaseExpired) {
		raise(c, sockev.OnLeaseExpired, &sockev.LeaseExpired{S: c, Took: took, Held: held})
	}
	raise(c, sockev.OnError, &sockev.Error{S: c, Took: took, Held: held, Message: k.Err.Error(), At: k.At.String()})
}
