package netio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// Loop drives sockets in a shard.
type Loop struct {
	cfg       Config
	sh        *event.Shard
	io        backend
	slots     slots
	pool      chunks
	events    [256]ready
	read      []byte   // what connections read into
	vec       [][]byte // what they write from
	cipher    []byte   // what TLS reads into
	tlsVec    [][]byte // what it writes from
	grams     *gramBuffers
	stats     Stats
	queued    int // bytes queued by all connections
	open      int // connections and those that linger
	lingering int
	ahead     int64
	turn      uint64
	turning   bool
	clock     int64   // what it said when the last turn began
	yielded   int64   // what it said when the loop yielded last
	crowded   bool    // loops have all processors
	touched   []*Conn // whose handlers or others did something
	closing   []*Conn
	senders   []*Packets // with datagrams to send
	later     []*Conn    // that have more to write than a turn's share
	more      []*Conn    // that have decrypted bytes, or a record, without the socket being ready
	moreSpare []*Conn
	spare     [2][]*Conn
	logged    int64

	debts   debts
	lookups int
	shakers int            // goroutines that run TLS handshakes
	shaking []ID           // their connections, oldest first, and some whose handshake is over
	live    sync.WaitGroup // goroutines that resolve or shake hands
	ctx     context.Context
	cancel  context.CancelFunc

	stopping bool
	drainBy  event.Timer
	ended    atomic.Bool
	running  atomic.Bool
}

// New returns a loop; [Loop.Run] runs it, [Loop.Close] frees one that never ran.
func New(cfg Config) (*Loop, error) {
	if cfg.Shard == nil {
		return nil, errors.New("netio: new loop: no shard")
	}
	cfg = cfg.withDefaults()
	l := &Loop{cfg: cfg, sh: cfg.Shard, read: make([]byte, turnRead), vec: make([][]byte, 0, 16)}
	var err error
	if cfg.Memory != nil {
		l.io = newMemory(cfg.Memory)
	} else if l.io, err = newBackend(cfg.Portable); err != nil {
		return nil, fmt.Errorf("netio: new loop: %w", err)
	}
	l.sh.WakeBy(l.io.wake)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Shard returns the shard that the loop runs in.
func (l *Loop) Shard() *event.Shard { return l.sh }

// Len returns how many connections, listeners and datagram sockets there are.
func (l *Loop) Len() int { return l.slots.used }

// Stats returns the counters so far.
func (l *Loop) Stats() Stats {
	s := l.stats
	s.PostsRefused = l.sh.PostsRefused()
	return s
}

// Conn returns the connection of that name, or nil if it ended.
func (l *Loop) Conn(id ID) *Conn {
	c, _ := l.slots.get(id).(*Conn)
	return c
}

// Conns calls f for each connection and UDP peer, newest slots first, until it
// returns false. f may do anything to them.
func (l *Loop) Conns(f func(*Conn) bool) {
	for i := len(l.slots.list) - 1; i >= 0; i-- {
		if c, ok := l.slots.list[i].g.(*Conn); ok && c.isThere() && !f(c) {
			return
		}
	}
}

// isThere reports whether c was told to its handler, or will be for sure.
func (c *Conn) isThere() bool {
	return c.flags&inbound == 0 || c.flags&(isShaking|isPrelude) == 0
}

// Run drives the loop until ctx ends or [Loop.Drain] is done, and then closes
// everything that is left. It returns an error only if the system lets it wait no more.
func (l *Loop) Run(ctx context.Context) error {
	if l.running.Swap(true) {
		return errors.New("netio: run: the loop runs or ran already")
	}
	stop := context.AfterFunc(ctx, l.Wake)
	defer stop()
	l.cfg.Budget.loops.Add(1)
	defer l.cfg.Budget.loops.Add(-1)
	var err error
	timeout := time.Duration(0)
	for err == nil && ctx.Err() == nil && !l.ended.Load() {
		timeout, err = l.once(timeout)
	}
	l.finish()
	if err != nil {
		return fmt.Errorf("netio: wait: %w", err)
	}
	return nil
}

// Close frees a loop that was never run.
func (l *Loop) Close() {
	if !l.running.Swap(true) {
		l.finish()
	}
}

// finish closes everything.
func (l *Loop) finish() {
	l.cancel()
	l.sh.WakeBy(nil)
	l.sh.Enter()
	l.turning, l.stopping = true, true
	for i := len(l.slots.list) - 1; i >= 0; i-- {
		switch g := l.slots.list[i].g.(type) {
		case *Conn:
			g.fail(Reason{Why: Stopped})
		case *Packets:
			g.shutdown(Reason{Why: Stopped})
		}
	}
	l.settleAll()
	for i := len(l.slots.list) - 1; i >= 0; i-- {
		switch g := l.slots.list[i].g.(type) {
		case *Listener:
			g.Close()
		case *lingerer:
			g.end()
		}
	}
	l.sh.Timers().Stop(&l.drainBy)
	l.turning = false
	l.sh.Leave()
	l.live.Wait()
	// The backend's goroutines have sockets that are closed: they end.
	_ = l.io.close()
}

// Turn is one turn that waits for nothing, for who turns a loop by hand that is not
// run, and reports whether there was anything to do. The caller has not entered the shard.
func (l *Loop) Turn() (worked bool, err error) {
	n, woken, err := l.io.wait(l.events[:], 0)
	if err != nil || n == 0 && !woken && !l.due() {
		return false, err
	}
	l.serve(n)
	return true, nil
}

// due reports whether something is to be done although no socket is ready.
func (l *Loop) due() bool {
	l.sh.Enter()
	defer l.sh.Leave()
	return l.sleep() == 0
}

// once is one turn: what is ready, then what is due. It returns for how long the
// next may wait.
func (l *Loop) once(timeout time.Duration) (time.Duration, error) {
	n, err := l.wait(timeout)
	if err != nil {
		return 0, err
	}
	return l.serve(n), nil
}

// serve is a turn in which n sockets are ready.
func (l *Loop) serve(n int) (timeout time.Duration) {
	for i := 0; ; {
		l.sh.Enter()
		l.turning = true
		if i == 0 {
			l.stats.Turns++
			l.stats.Events += uint64(n)
		}
		began := l.tick()
		l.clock = began
		l.turn++
		l.resume()
		i = l.dispatch(i, n, began)
		last := i == n
		if last {
			l.debts.run()
		}
		l.settleAll()
		if last && l.cfg.Turn != nil {
			l.cfg.Turn(l.sh.Now())
			l.settleAll()
		}
		timeout = l.sleep()
		l.turning = false
		l.sh.Leave()
		if last {
			return timeout
		}
	}
}

// yieldEvery is how often a loop that is not crowded yields, in nanoseconds; it wakes a thread. What has not for 10 ms counts
// as busy for the runtime's monitor (Go 1.26), which then takes the processor away in every wait that it
// sees, and looks each 20 microseconds: at some thousand datagrams a second that doubled what they cost.
const yieldEvery = int64(8 * time.Millisecond)

// wait waits for sockets, or for a wake.
func (l *Loop) wait(timeout time.Duration) (int, error) {
	if l.stats.Turns%crowdTurns == 0 {
		l.crowded = l.cfg.Budget.loops.Load() >= int32(runtime.GOMAXPROCS(0))
	}
	if l.crowded && timeout != 0 {
		n, woken, err := l.io.wait(l.events[:], 0)
		if n > 0 || woken || err != nil {
			return n, err
		}
		// A wait that blocks keeps the processor until the runtime's monitor takes it away
		// (golang/go #76290). Where loops have all of them, other goroutines are let on
		// first; else they have one, and to yield would wake a thread that finds nothing
		// but this loop.
		runtime.Gosched()
	}
	if since := l.clock - l.yielded; !l.crowded && (since >= yieldEvery || since < 0) { // the system's clock may step
		l.yielded = l.clock
		runtime.Gosched()
	}
	n, _, err := l.io.wait(l.events[:], timeout)
	return n, err
}

// tick moves event time to the clock's. Where others moved it further, as packets
// from a capture can after a step of the system's clock, the loop goes on from there.
func (l *Loop) tick() int64 {
	now := l.cfg.Clock()
	if d := l.sh.Now() - now; d > l.ahead {
		l.ahead = d
	}
	l.sh.Advance(now + l.ahead)
	return now
}

// time is event time for what begins now: that of the turn, or the clock's where
// someone else entered the shard and the loop may have slept for long, or where what
// was posted runs before the first turn has a time.
func (l *Loop) time() int64 {
	now := l.sh.Now()
	if l.turning && now != 0 {
		return now
	}
	return max(now, l.cfg.Clock()+l.ahead)
}

// Now returns event time for what begins now; it is that of the shard, but for
// callers from outside of a turn, for whom the loop may have slept since.
func (l *Loop) Now() int64 { return l.time() }

// resume takes up what the last turn left.
func (l *Loop) resume() {
	for i, c := range l.later {
		l.later[i] = nil
		c.flags &^= isLater
		c.touch()
	}
	l.later = l.later[:0]
	more := l.more
	l.more = l.moreSpare[:0]
	for i, c := range more {
		more[i] = nil
		if c.flags &^= isMore; c.flags&isClosed == 0 {
			c.ready(readable)
		}
	}
	l.moreSpare = more[:0]
}

// dispatch tells sockets that they are ready, from the i-th on, until the entry's
// bounds are reached, and returns where it got to.
func (l *Loop) dispatch(i, n int, began int64) int {
	end := min(n, i+turnEvents)
	for ; i < end; i++ {
		if g := l.slots.get(l.events[i].id); g != nil {
			g.ready(l.events[i].what)
		}
		if i%8 == 7 && l.cfg.Clock()-began > int64(turnTime) {
			return i + 1
		}
	}
	return i
}

// settleAll does what handlers and others left to be done: writes, closes, and
// what the handlers of those cause, for a bounded number of rounds.
func (l *Loop) settleAll() {
	for range turnPasses {
		touched, closing := l.touched, l.closing
		if len(touched)+len(closing)+len(l.senders) == 0 {
			return
		}
		l.touched, l.closing = l.spare[0][:0], l.spare[1][:0]
		for i, c := range touched {
			touched[i] = nil
			c.flags &^= isTouched
			c.settle()
		}
		l.sendGrams()
		for i, c := range closing {
			closing[i] = nil
			c.end()
		}
		l.spare[0], l.spare[1] = touched[:0], closing[:0]
	}
}

// sendGrams sends the datagrams that handlers queued.
func (l *Loop) sendGrams() {
	for i := 0; i < len(l.senders); i++ {
		s := l.senders[i]
		l.senders[i] = nil
		if s.touched = false; !s.closed {
			s.flush()
		}
	}
	l.senders = l.senders[:0]
}

// sleep returns for how long nothing is to be done.
func (l *Loop) sleep() time.Duration {
	if len(l.touched)+len(l.closing)+len(l.later)+len(l.more)+len(l.senders) > 0 || l.debts.any() {
		return 0
	}
	timeout := time.Duration(-1)
	if when, ok := l.sh.Timers().Next(); ok {
		timeout = max(0, time.Duration(when-l.cfg.Clock()-l.ahead))
	}
	if p := l.cfg.PollInterval; p > 0 && (timeout < 0 || p < timeout) {
		timeout = p
	}
	return timeout
}

// Wake makes the loop turn. Who arms timers in its shard from outside calls it;
// what this package's own methods need is done by themselves. Any goroutine.
func (l *Loop) Wake() { l.io.wake() }

// Draining reports whether [Loop.Drain] was called.
func (l *Loop) Draining() bool { return l.stopping }

// Stir makes the loop turn again if it does not turn now. Who arms timers in its
// shard calls it, having entered the shard.
func (l *Loop) Stir() { l.stir() }

// stir makes the loop turn if it does not.
func (l *Loop) stir() {
	if !l.turning {
		l.io.wake()
	}
}

// warn logs at most a line a second.
func (l *Loop) warn(msg string, args ...any) {
	if now := l.cfg.Clock(); now-l.logged >= int64(time.Second) || l.logged == 0 {
		l.logged = now
		l.cfg.Log.Warn(msg, args...)
	}
}

// Drain ends the loop gracefully: listeners close, each connection's handler is
// told Quit, and when the last connection ended, or the time is over, Run returns.
// A negative time is no time.
func (l *Loop) Drain(within time.Duration) {
	if l.stopping {
		return
	}
	l.stopping = true
	for _, s := range l.slots.list {
		switch g := s.g.(type) {
		case *Listener:
			g.Close()
		case *Conn:
			g.flags |= tellQuit
			g.touch()
		}
	}
	l.sh.Timers().Arm(&l.drainBy, l.time()+int64(max(within, 0)), func(int64) { l.ended.Store(true) })
	l.drained()
	l.stir()
}

// drained ends a loop that drains when nothing is left to wait for.
func (l *Loop) drained() {
	if l.stopping && l.open == 0 {
		l.ended.Store(true)
	}
}
