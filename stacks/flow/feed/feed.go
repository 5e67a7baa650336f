package feed

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/capture/live"
)

const (
	// EntryFrames is how many frames are handled in one entry of a shard, where a
	// Config says nothing else.
	EntryFrames = 64
	// entryTime is how long an entry lasts at most where handlers take their time; it is
	// looked at after every few frames.
	entryTime  = 200 * time.Microsecond
	timeFrames = 8
	// tickEvery is how often event time moves where no frame comes, and so how
	// late a timer may be then.
	tickEvery = 10 * time.Millisecond
	// tickSeldom is how often it does where others move it.
	tickSeldom = 100 * time.Millisecond
)

// ErrIdle is returned by a source that has no frame for now.
var ErrIdle = live.ErrIdle

// ErrPass is returned by a source where one pass over its frames ended and another
// follows.
var ErrPass = errors.New("the pass ended")

// Source is where frames come from: an interface ([live.Source]) or a [Loop].
type Source interface {
	// Next lends the next frame until the next call; [ErrIdle] where none comes
	// within wait or Wake was called, [ErrPass], and io.EOF behind the last.
	Next(f *capture.Frame, wait time.Duration) error
	// Wake ends a Next that waits, from any goroutine.
	Wake()
}

// Config says what is fed with what.
type Config struct {
	// Shards are those of Front. Where they are driven together, to enter one is to
	// enter all.
	Shards *event.Shards
	Front  *flow.Front
	// Sources may be none: then only time goes on. Where the shards are driven apart,
	// the goroutine of source i is that of shard i modulo their number.
	Sources []Source
	// Entry is how many frames are handled in one entry of a shard; 0 is EntryFrames.
	Entry int
	// Clocked: event time follows the wall clock where no frame comes, Lag behind
	// it, because a frame may wait so long in its ring. Else only frames move it.
	Clocked bool
	Lag     time.Duration
	// Stay: when all sources ended, time goes on until the context of Run ends.
	Stay bool
	// Begin is called once, before the first frame, with its time or, where the
	// clock is followed, the present.
	Begin func(ts int64)
	// Between, if not nil, is called by the goroutine of a source after each entry
	// of the shard, and where no frame is there. It may wait, where the source can.
	Between func()
	// Passed, if not nil, is called after each pass over a source, when all
	// connections are ended. No other frame comes meanwhile from that source.
	Passed func()
	// Now is the wall clock in nanoseconds; nil is that of the system.
	Now func() int64
}

// Feed drives the stacks behind a front.
type Feed struct {
	cfg   Config
	begun sync.Once
	// ahead is how much event time is ahead of the wall clock once the clock is
	// followed.
	ahead   atomic.Int64
	clocked atomic.Bool
	lanes   []*lane      // of the shards, or one for all that are driven together
	left    atomic.Int32 // sources that have not ended
}

// lane is what moves the time of a shard, or of all.
type lane struct {
	*Feed
	shard *event.Shard
	// busy counts the sources that had a frame when they were asked last: what they
	// have behind it may be older than the clock.
	busy atomic.Int32
	// moved is event time after the last tick.
	moved int64
}

// New returns a feed that does nothing yet.
func New(cfg Config) *Feed {
	if cfg.Entry == 0 {
		cfg.Entry = EntryFrames
	}
	if cfg.Now == nil {
		cfg.Now = func() int64 { return time.Now().UnixNano() }
	}
	f := &Feed{cfg: cfg}
	f.clocked.Store(cfg.Clocked)
	n := 1
	if cfg.Shards.Drive() == event.Apart {
		n = cfg.Shards.Len()
	}
	for i := range n {
		f.lanes = append(f.lanes, &lane{Feed: f, shard: cfg.Shards.At(i)})
	}
	return f
}

// Run hands over frames until all sources ended or ctx did, then ends the
// connections that are left. The error joins those of the sources, of which one
// ends all.
func (f *Feed) Run(ctx context.Context) error {
	if f.cfg.Clocked {
		f.begin(f.cfg.Now())
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	if n := len(f.cfg.Sources); n > 0 {
		for _, l := range f.lanes[min(n, len(f.lanes)):] { // those that no source's goroutine runs
			running.Go(func() { l.goOn(inner) })
		}
	}
	f.left.Store(int32(len(f.cfg.Sources)))
	var pumps sync.WaitGroup
	errs := make([]error, len(f.cfg.Sources))
	for i, src := range f.cfg.Sources {
		stop := context.AfterFunc(inner, src.Wake)
		defer stop()
		p := newPump(f.lanes[i%len(f.lanes)], src)
		pumps.Go(func() {
			if errs[i] = p.run(inner); errs[i] != nil {
				cancel()
			}
		})
	}
	pumps.Wait()
	if f.cfg.Stay || len(f.cfg.Sources) == 0 {
		f.stay(inner)
	}
	cancel()
	running.Wait()
	f.begin(f.cfg.Now()) // where there was no frame at all
	f.cfg.Front.Close()
	return errors.Join(errs...)
}

func (f *Feed) begin(ts int64) { f.begun.Do(func() { f.cfg.Begin(ts) }) }

// tick moves event time to where the clock is, running the timers that are due. It
// reports whether others moved it meanwhile.
func (l *lane) tick() (moved bool) {
	if !l.clocked.Load() || l.busy.Load() > 0 {
		return false
	}
	now := l.Now()
	if !l.shard.TryEnter() {
		return false // who is there may be one that does not move it
	}
	defer l.shard.Leave()
	moved = l.shard.Now() > l.moved
	l.shard.Advance(now)
	l.moved = l.shard.Now()
	return moved
}

// goOn lets time go on where the clock is followed, until ctx ends. It looks seldom
// where others do that too: sockets' loops, at each of their turns.
func (l *lane) goOn(ctx context.Context) {
	next := time.NewTimer(tickEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			if l.tick() {
				next.Reset(tickSeldom)
			} else {
				next.Reset(tickEvery)
			}
		}
	}
}

// Now returns what event time has to be by the clock. It means something only
// where the clock is followed.
func (f *Feed) Now() int64 { return f.cfg.Now() + f.ahead.Load() - int64(f.cfg.Lag) }

// stay lets time go on from where it is.
func (f *Feed) stay(ctx context.Context) {
	if !f.clocked.Load() {
		f.begin(f.cfg.Now())
		f.ahead.Store(f.cfg.Shards.Clock().Now() - f.cfg.Now() + int64(f.cfg.Lag))
		f.clocked.Store(true)
	}
	var rest sync.WaitGroup
	for _, l := range f.lanes[1:] {
		rest.Go(func() { l.goOn(ctx) })
	}
	f.lanes[0].goOn(ctx)
	rest.Wait()
}

// pass ends a pass: what it left open ends with it, so that the next one finds
// what this one found.
func (f *Feed) pass() {
	f.cfg.Front.Close()
	if f.cfg.Passed != nil {
		f.cfg.Passed()
	}
}

// Stats returns what the stacks counted so far, over all passes.
func (f *Feed) Stats() flow.Stats { return f.cfg.Front.Stats() }
