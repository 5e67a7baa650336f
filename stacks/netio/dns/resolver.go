package dns

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

// Errors of an [Answer].
var (
	// ErrNoName says that the name does not exist (NXDOMAIN).
	ErrNoName = errors.New("dns: no such name")
	// ErrNoRecords says that the name has no record of that type.
	ErrNoRecords = errors.New("dns: no such record")
	// ErrTimeout says that no server answered in time.
	ErrTimeout = errors.New("dns: no answer")
	// ErrServers says that servers answered, and none with an answer.
	ErrServers = errors.New("dns: servers fail")
	// ErrLimit says that too much is asked for at once.
	ErrLimit = errors.New("dns: too many questions at once")
	// ErrName says that the name cannot be asked for.
	ErrName = errors.New("dns: not a name")
	// ErrClosed says that the resolver is closed.
	ErrClosed = errors.New("dns: closed")
)

// Answer is what was found out about a name.
type Answer struct {
	// Name is the one that has the records: behind search list and aliases.
	Name string
	// Records are those of the type that was asked for; none where Err is set.
	Records []Record
	// TTL is for how long it holds.
	TTL time.Duration
	// Cached says that it was remembered.
	Cached bool
	Err    error
}

// Config is a resolver's. A zero field means its default.
type Config struct {
	// Loop drives it; required.
	Loop *netio.Loop
	// Settings are used until Files are read, and without Files always.
	Settings Settings
	// Files are read at New and again when they changed, which is looked at every 5 s
	// while there are questions; by default none.
	Files Files
	// CacheSize is how many answers are remembered; 10,000 by default, less than 0 none.
	CacheSize int
	// MinTTL and MaxTTL bound for how long; 0 and an hour by default. NegativeTTL bounds it
	// for what there is not; 5 min by default. FailureTTL is how long a failure of all
	// servers is remembered (RFC 9520); 1 s by default, less than 0 not at all.
	MinTTL, MaxTTL, NegativeTTL, FailureTTL time.Duration
	// Questions is how many are with servers at once, each with a socket of its own; 256
	// by default. Waiting is how many more wait for their turn; 4096 by default. More fail.
	Questions, Waiting int
	// Rand makes choices by weight; by default seeded by chance.
	Rand *rand.Rand
}

func (c Config) withDefaults() Config {
	size := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	span := func(p *time.Duration, def time.Duration) {
		if *p == 0 {
			*p = def
		}
	}
	size(&c.CacheSize, 10_000)
	size(&c.Questions, 256)
	size(&c.Waiting, 4096)
	span(&c.MaxTTL, time.Hour)
	span(&c.NegativeTTL, 5*time.Minute)
	span(&c.FailureTTL, time.Second)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	c.Settings = c.Settings.withDefaults()
	return c
}

// Stats count what a resolver did.
type Stats struct {
	Lookups   uint64 // names asked for
	CacheHits uint64
	Questions uint64 // questions that went to servers, each however often
	Sent      uint64 // messages to servers
	TCP       uint64 // of them over TCP, because the answer did not fit
	Timeouts  uint64 // servers that did not answer in time
	Failures  uint64 // questions that no server answered
	Refused   uint64 // lookups that exceeded a limit
	Strange   uint64 // answers with another identifier, or to another question
	Malformed uint64
}

// Resolver finds out about names.
type Resolver struct {
	cfg     Config
	set     Settings
	loop    *netio.Loop
	sh      *event.Shard
	cache   cache
	flights map[key]*flight
	relays  map[*flight]bool
	busy    int       // of them, those with a server
	queue   []*flight // the others, in order
	plain   map[netip.AddrPort]bool
	turn    int // of rotating
	stats   Stats
	closed  bool

	refresh refresh
	reading sync.WaitGroup
}

// New returns a resolver. It reads cfg.Files, so it is called outside of the shard.
func New(cfg Config) (*Resolver, error) {
	if cfg.Loop == nil {
		return nil, errors.New("dns: new resolver: no loop")
	}
	cfg = cfg.withDefaults()
	r := &Resolver{
		cfg: cfg, set: cfg.Settings, loop: cfg.Loop, sh: cfg.Loop.Shard(),
		flights: map[key]*flight{}, relays: map[*flight]bool{}, plain: map[netip.AddrPort]bool{}, cache: cache{max: cfg.CacheSize},
	}
	if cfg.Files != (Files{}) {
		s, err := r.refresh.read(cfg.Files)
		if err != nil {
			return nil, err
		}
		r.set = s.withDefaults()
	}
	return r, nil
}

// Use replaces the settings, and forgets what was remembered by the old ones.
func (r *Resolver) Use(s Settings) {
	r.set = s.withDefaults()
	r.cache.clear()
	clear(r.plain)
}

// Settings returns those in use.
func (r *Resolver) Settings() Settings { return r.set }

// Stats returns the counters so far.
func (r *Resolver) Stats() Stats { return r.stats }

// Close ends all questions with [ErrClosed], and waits for the goroutine that reads
// files, which waits for nobody.
func (r *Resolver) Close() {
	if r.closed {
		return
	}
	r.closed = true
	for _, f := range r.flights {
		f.finish(Answer{Name: f.key.name, Err: ErrClosed})
	}
	for f := range r.relays {
		f.finish(Answer{Err: ErrClosed})
	}
	r.reading.Wait()
}

// ask finds out about one name exactly. done is called later in the shard, unless
// the returned function was called before.
func (r *Resolver) ask(k key, done func(Answer)) (cancel func()) {
	return r.askFrom(0, k, done)
}

// askFrom is ask for a name that so many aliases led to.
func (r *Resolver) askFrom(depth int, k key, done func(Answer)) (cancel func()) {
	w := &waiter{done: done}
	switch ans, ok := r.cache.get(k, r.loop.Now()); {
	case r.closed:
		w.soon(r, Answer{Name: k.name, Err: ErrClosed})
	case ok:
		r.stats.CacheHits++
		w.soon(r, ans)
	case !ValidName(k.name):
		w.soon(r, Answer{Name: k.name, Err: ErrName})
	case depth > maxAliases:
		w.soon(r, Answer{Name: k.name, Err: ErrServers})
	default:
		f := r.flights[k]
		if f == nil {
			if f = r.launch(k, depth); f == nil {
				r.stats.Refused++
				w.soon(r, Answer{Name: k.name, Err: ErrLimit})
				break
			}
		}
		f.waiters = append(f.waiters, w)
	}
	return w.cancel
}

// waiter is who waits for an answer.
type waiter struct {
	done  func(Answer)
	timer event.Timer
	timed *event.Timers
}

// soon has done called in the next turn, so that nobody is called back from inside
// his call.
func (w *waiter) soon(r *Resolver, ans Answer) {
	w.timed = r.sh.Timers()
	w.timed.Arm(&w.timer, r.loop.Now(), func(int64) { w.tell(ans) })
	r.loop.Stir()
}

func (w *waiter) tell(ans Answer) {
	if done := w.done; done != nil {
		w.done = nil
		done(ans)
	}
}

func (w *waiter) cancel() {
	w.done = nil
	if w.timed != nil {
		w.timed.Stop(&w.timer)
	}
}
