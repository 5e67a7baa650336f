package event

// Waiter is a script that waits for an operation. Who carries the operation out
// finds it in the [Caller] and asks to be told when nobody waits any more. It
// belongs to the shard of its caller.
type Waiter struct {
	stop func()
	over bool
}

// OnCancel sets what ends the operation early: it is called at most once, with the
// shard entered, when the script is unloaded, what the script handled ended, or
// the engine stops. The operation's done does nothing afterwards. Where that
// happened already, stop is called at once; once done was called, never.
func (w *Waiter) OnCancel(stop func()) {
	if w.over {
		stop()
		return
	}
	w.stop = stop
}

// Cancel tells the operation that nobody waits for it. The runtime calls it.
func (w *Waiter) Cancel() {
	stop := w.stop
	w.End()
	if stop != nil {
		stop()
	}
}

// End notes that the operation is done. The runtime calls it.
func (w *Waiter) End() { w.stop, w.over = nil, true }

// Over reports whether nobody waits any more.
func (w *Waiter) Over() bool { return w.over }
