package scripted

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/survey"
)

// Budget is how long all handlers of one blackout may take together, by default.
const Budget = 2 * time.Millisecond

// Config are a stack's settings. Zero fields are the defaults.
type Config struct {
	// Blackout is the budget of the handlers of one blackout, [Budget] by default.
	Blackout time.Duration
}

func (c *Config) settings() setting.Table {
	return setting.Table{
		{Name: "blackout_budget", Doc: "for all handlers of one blackout together; later hook points of it are not raised", Limit: true, Value: setting.Time(&c.Blackout, 100*time.Microsecond, time.Second)},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Config) Settings() []setting.Doc {
	c.Blackout = cmp.Or(c.Blackout, Budget)
	return c.settings().Docs()
}

// Names lists the names that [Config.Set] knows.
func (c Config) Names() []string { return c.settings().Names() }

// Set changes the setting of that name; [setting.ErrNone] where there is none.
func (c *Config) Set(name string, value any) error { return c.settings().Set(name, value) }

// MaxFound is the most connections that one call finds.
const MaxFound = 1000

// MaxKept is the most connections that are remembered; the first found are forgotten
// first, and ended.
const MaxKept = 10_000

// Stack is the connections of scripts. Where it was not started, nothing is touched:
// in checks and replays.
type Stack struct {
	mover   sock.Mover
	log     *slog.Logger
	budget  time.Duration
	started atomic.Bool
	listen  func(path string) (net.Listener, error)
	guarded func() // starts the mover's keeper
	counts
	ids  atomic.Uint64
	work sync.WaitGroup

	mu    sync.Mutex // guards what follows
	known map[key]*Conn
	order []key
	down  chan struct{}
}

// key names a socket of a process, as one shard knows it.
type key struct {
	sh            *event.Shard
	pid, fd       int
	local, remote netip.AddrPort
}

var _ sockev.Functions = (*Stack)(nil)

// New returns a stack that touches nothing.
func New(cfg Config, log *slog.Logger) *Stack {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Stack{log: log, budget: cmp.Or(cfg.Blackout, Budget), known: map[key]*Conn{}, down: make(chan struct{})}
}

// Start lets scripts take connections. listen makes a Unix socket that only this user
// may connect to; keeper starts what sees to connections should this process be killed,
// when the first is taken. It is called once, before any script runs.
func (s *Stack) Start(listen func(path string) (net.Listener, error), keeper func() (*sock.Keeper, error)) {
	s.listen = listen
	s.guarded = sync.OnceFunc(func() {
		k, err := keeper()
		if err != nil {
			s.log.Warn("connections are taken without a second process that sees to them if this one is killed", "err", err)
			return
		}
		s.mover.Keeper = k
	})
	s.started.Store(true)
}

// steal takes a descriptor from a process, which stands still until it is closed.
func (s *Stack) steal(pid, fd int) (*sock.Stolen, error) {
	s.guarded()
	return s.mover.Steal(pid, fd)
}

// Close waits for moves that are under way and lets paused connections go on.
func (s *Stack) Close() error {
	if !s.started.Swap(false) {
		return nil
	}
	close(s.down)
	s.work.Wait()
	s.mu.Lock()
	list := make([]*Conn, 0, len(s.known))
	for _, c := range s.known {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		c.sh.Enter()
		c.letGo()
		c.sh.Leave()
	}
	err := s.mover.Close()
	if s.mover.Keeper != nil {
		err = errors.Join(err, s.mover.Keeper.Close())
	}
	return err
}

// errIdle is what calls are told where nothing is touched.
var errIdle = errors.New("connections of this host are not touched here")

// conn returns the object of a socket, the same for the same. The shard is entered.
func (s *Stack) conn(sh *event.Shard, f *survey.Socket) *Conn {
	o := survey.Owner{}
	if len(f.Owners) > 0 {
		o = f.Owners[0]
	}
	k := key{sh, o.PID, o.FD, f.Local, f.Remote}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.known[k]
	if c == nil || c.ended {
		c = &Conn{stack: s, sh: sh, id: s.ids.Add(1), local: f.Local, remote: f.Remote, pid: o.PID, fd: o.FD, owner: o.Name}
		s.known[k] = c
		s.order = append(s.order, k)
		if len(s.order) > MaxKept {
			delete(s.known, s.order[0])
			s.order = slices.Delete(s.order, 0, 1)
		}
	}
	c.state, c.recv, c.send = stateOf(f.State), int64(f.Recv), int64(f.Send)
	return c
}

func stateOf(n uint8) sockev.State {
	if n > uint8(sockev.StateClosing) {
		return sockev.StateUnknown
	}
	return sockev.State(n)
}

// Find implements [sockev.Functions].
func (s *Stack) Find(by *event.Caller, filter any) (any, string, bool) {
	if !s.started.Load() {
		return []any{}, "sock.find: " + errIdle.Error(), true
	}
	keep, err := readFilter(filter)
	if err != nil {
		return nil, "sock.find: " + err.Error(), true
	}
	list, err := survey.List("", true, func(k *survey.Socket) bool { return sock.State(k.State) != sock.Listen })
	if err != nil {
		return nil, "sock.find: " + err.Error(), true
	}
	slices.SortFunc(list, func(a, b survey.Socket) int {
		if c := a.Local.Compare(b.Local); c != 0 {
			return c
		}
		return a.Remote.Compare(b.Remote)
	})
	found := []any{}
	for i := range list {
		if len(list[i].Owners) == 0 || !keep(&list[i]) {
			continue
		}
		if len(found) == MaxFound {
			return found, fmt.Sprintf("sock.find: there are more than %d", MaxFound), true
		}
		found = append(found, s.conn(by.Shard, &list[i]))
	}
	return found, "", false
}

// readFilter reads what sock.find takes.
func readFilter(v any) (func(*survey.Socket) bool, error) {
	if v == nil {
		return func(*survey.Socket) bool { return true }, nil
	}
	list, ok := v.([]event.KV)
	if !ok {
		return nil, errors.New("a table of names expected")
	}
	var all []func(*survey.Socket) bool
	for _, e := range list {
		f, err := condition(e.Key, e.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return func(k *survey.Socket) bool {
		return !slices.ContainsFunc(all, func(f func(*survey.Socket) bool) bool { return !f(k) })
	}, nil
}

// condition reads one field of a filter.
func condition(name string, v any) (func(*survey.Socket) bool, error) {
	n, isNumber := v.(float64)
	text, isText := v.(string)
	switch name {
	case "port", "pid":
		if !isNumber {
			return nil, fmt.Errorf("%s: a number expected", name)
		}
		if name == "port" {
			return func(k *survey.Socket) bool { return float64(k.Local.Port()) == n }, nil
		}
		return func(k *survey.Socket) bool {
			return slices.ContainsFunc(k.Owners, func(o survey.Owner) bool { return float64(o.PID) == n })
		}, nil
	case "owner", "state", "address", "peer", "peer_ip":
		if !isText {
			return nil, fmt.Errorf("%s: a text expected", name)
		}
	default:
		return nil, fmt.Errorf("%q is no field: port, pid, owner, state, address, peer, peer_ip", name)
	}
	return func(k *survey.Socket) bool {
		switch name {
		case "owner":
			return slices.ContainsFunc(k.Owners, func(o survey.Owner) bool { return o.Name == text })
		case "state":
			return sock.State(k.State).String() == text
		case "address":
			return k.Local.String() == text
		case "peer":
			return k.Remote.String() == text
		}
		return strings.TrimPrefix(k.Remote.Addr().String(), "::ffff:") == text
	}, nil
}
