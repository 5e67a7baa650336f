package scripted

import (
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sockev"
)

// moment is what hook points tell beside the connection.
type moment struct {
	took      time.Duration
	held      uint32
	restoring bool
	side      sockev.Side
	bytes     int64
	after     time.Duration
	message   string
	at        string
}

// raise raises a hook point and returns whether a rule wants no more of it. The shard
// is entered.
func (c *Conn) raise(id event.PointID, m moment) (abort bool) {
	sh, took, held := c.sh, m.took, m.held
	var v event.Verdict
	switch id {
	case sockev.OnSelect.ID():
		v = sockev.OnSelect.Emit(sh, &sockev.Select{S: c, Took: took, Held: held})
	case sockev.OnBefore.ID():
		v = sockev.OnBefore.Emit(sh, &sockev.Before{S: c, Took: took, Held: held, Restoring: m.restoring})
	case sockev.OnDrain.ID():
		v = sockev.OnDrain.Emit(sh, &sockev.Drain{S: c, Took: took, Held: held})
	case sockev.OnLocked.ID():
		v = sockev.OnLocked.Emit(sh, &sockev.Locked{S: c, Took: took, Held: held})
	case sockev.OnPause.ID():
		v = sockev.OnPause.Emit(sh, &sockev.Pause{S: c, Took: took, Held: held})
	case sockev.OnDump.ID():
		v = sockev.OnDump.Emit(sh, &sockev.Dump{S: c, Took: took, Held: held})
	case sockev.OnQueue.ID():
		v = sockev.OnQueue.Emit(sh, &sockev.Queue{S: c, Took: took, Held: held, Side: m.side, Bytes: m.bytes})
	case sockev.OnImageWritten.ID():
		v = sockev.OnImageWritten.Emit(sh, &sockev.ImageWritten{S: c, Took: took, Held: held})
	case sockev.OnClosing.ID():
		v = sockev.OnClosing.Emit(sh, &sockev.Closing{S: c, Took: took, Held: held})
	case sockev.OnClosed.ID():
		v = sockev.OnClosed.Emit(sh, &sockev.Closed{S: c, Took: took, Held: held})
	case sockev.OnResume.ID():
		v = sockev.OnResume.Emit(sh, &sockev.Resume{S: c, Took: took, Held: held})
	default:
		v = c.raiseRestore(id, m)
	}
	return v.Kind == sockev.VerdictAbort
}

func (c *Conn) raiseRestore(id event.PointID, m moment) event.Verdict {
	sh, took, held := c.sh, m.took, m.held
	switch id {
	case sockev.OnRestoreUnbound.ID():
		return sockev.OnRestoreUnbound.Emit(sh, &sockev.RestoreUnbound{S: c, Took: took, Held: held})
	case sockev.OnRestoreBound.ID():
		return sockev.OnRestoreBound.Emit(sh, &sockev.RestoreBound{S: c, Took: took, Held: held})
	case sockev.OnRestoreNoq.ID():
		return sockev.OnRestoreNoq.Emit(sh, &sockev.RestoreNoq{S: c, Took: took, Held: held})
	case sockev.OnRestoreQueue.ID():
		return sockev.OnRestoreQueue.Emit(sh, &sockev.RestoreQueue{S: c, Took: took, Held: held})
	case sockev.OnRestored.ID():
		return sockev.OnRestored.Emit(sh, &sockev.Restored{S: c, Took: took, Held: held})
	case sockev.OnUnlocked.ID():
		return sockev.OnUnlocked.Emit(sh, &sockev.Unlocked{S: c, Took: took, Held: held})
	case sockev.OnUp.ID():
		return sockev.OnUp.Emit(sh, &sockev.Up{S: c, Took: took, Held: held})
	case sockev.OnFirstAck.ID():
		return sockev.OnFirstAck.Emit(sh, &sockev.FirstAck{S: c, Took: took, Held: held, After: m.after})
	case sockev.OnFirstData.ID():
		return sockev.OnFirstData.Emit(sh, &sockev.FirstData{S: c, Took: took, Held: held, After: m.after})
	case sockev.OnStalled.ID():
		return sockev.OnStalled.Emit(sh, &sockev.Stalled{S: c, Took: took, Held: held, After: m.after})
	case sockev.OnLeaseExpired.ID():
		return sockev.OnLeaseExpired.Emit(sh, &sockev.LeaseExpired{S: c, Took: took, Held: held})
	case sockev.OnError.ID():
		return sockev.OnError.Emit(sh, &sockev.Error{S: c, Took: took, Held: held, Message: m.message, At: m.at})
	}
	return event.Verdict{}
}
