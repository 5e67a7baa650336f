package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua"
)

// Config is what a session is about.
type Config struct {
	// Engine runs the scripts; its runtime is a [lua.Runtime].
	Engine *engine.Engine
	// Reload and Rollback change the generation that is live and say what became
	// of it; nil where that is not to be had.
	Reload, Rollback func(context.Context) (string, error)
	// Doc explains a name; nil explains nothing.
	Doc func(w io.Writer, name string) error
	// Changed is called when what the live generation reads may have changed, and
	// stacks should ask [engine.Engine.Reads] again; it may be nil.
	Changed func()
	// Notes takes lines that nobody asked for at the moment: what is printed, what
	// is watched. It is called with a shard entered and must not block.
	Notes func(line string)
	// Width is how many columns there are; 0 means 100.
	Width int
	// Color says that diagnostics are coloured.
	Color bool
	// Looks are further commands, such as stacks have.
	Looks []Look
}

// Look is a command that shows something.
type Look struct {
	Name, Args string // Args names the one that it takes
	Does       string
	Text       func(arg string) (string, error)
}

// Session is one console in an engine.
type Session struct {
	conf  Config
	rt    *lua.Runtime
	guest *engine.Guest
	seats []*seat // by shard; nil where nothing was evaluated
	at    int     // the shard where inputs are evaluated that do not say another
	in    string  // path of the script that is looked into
	// defined are the inputs that names of the session come from.
	defined []definition

	watches []func() // what ends each thing that the session hears as it happens

	mu     sync.Mutex
	cancel context.CancelCauseFunc // of what runs, nil where nothing does
	closed bool

	// lost: what the seats list is not declared any more.
	lost atomic.Bool
}

// ErrInterrupted is why an evaluation ended that somebody interrupted.
var ErrInterrupted = errors.New("interrupted")

// errNoLua is returned by New where the engine's scripts are not Lua.
var errNoLua = errors.New("console: the engine runs no Lua")

// New begins a session. The engine's controlling goroutine may be another.
func New(conf Config) (*Session, error) {
	rt, ok := conf.Engine.Runtime().(*lua.Runtime)
	if !ok {
		return nil, errNoLua
	}
	if conf.Notes == nil {
		conf.Notes = func(string) {}
	}
	n := conf.Engine.Shards().Len()
	s := &Session{conf: conf, rt: rt, seats: make([]*seat, n)}
	guest, err := conf.Engine.Invite("console", s.open(0), s.dropped)
	if err != nil {
		return nil, err
	}
	s.guest = guest
	if n > 1 {
		conf.Notes(fmt.Sprintf("this console is in shard 0 of %d: @1 before an input is in shard 1, @all in all", n))
	}
	return s, nil
}

// Close ends the session: what it declared, bound and watches is gone.
func (s *Session) Close() error {
	s.Interrupt()
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	s.unwatch()
	return s.guest.Leave()
}

// Interrupt ends what runs. Any goroutine may call it.
func (s *Session) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(ErrInterrupted)
	}
}

// dropped says that what the session declared does not fit a new generation.
// It comes from whoever reloads; the seats are the session's own, which hears of it
// before its next input.
func (s *Session) dropped(diags diag.List) {
	s.lost.Store(true)
	for _, d := range diags {
		s.conf.Notes("this console's rules are gone, they do not fit the new generation: " + d.Error())
	}
}

func (s *Session) store(name string) *store.Store {
	st, _ := s.conf.Engine.Stores().Lookup(name)
	return st
}

// Reply is what became of an input.
type Reply struct {
	// Text is what to show.
	Text string
	// Failed says that it did not succeed.
	Failed bool
	// Save is a file to be written with Content, by whom the session is for.
	Save, Content string
	// Quit ends the session.
	Quit bool
}

// Do runs an input: a command that begins with a colon, or Lua. It ends early when
// ctx does, or by Interrupt.
func (s *Session) Do(ctx context.Context, input string) Reply {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Reply{Text: "the session has ended", Failed: true, Quit: true}
	}
	s.cancel = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.cancel = nil
		s.mu.Unlock()
	}()
	if s.lost.Swap(false) {
		s.taken((*seat).forget)
	}
	where, input := cutPlace(input)
	switch text := strings.TrimSpace(input); {
	case where != "":
		return s.evaluateAt(ctx, where, input)
	case text == "":
		return Reply{}
	case text[0] == ':':
		return s.command(ctx, text[1:])
	}
	r := s.evaluate(ctx, s.at, input)
	if hint := s.meant(input); r.Failed && hint != "" {
		r.Text = hint
	}
	return r
}

// Prompt is what a terminal shows before an input.
func (s *Session) Prompt() string {
	name, place := "hookd", ""
	if s.in != "" {
		name = s.in
	}
	if s.at != 0 {
		place = fmt.Sprintf("@%d", s.at)
	}
	line := 1
	if st := s.seats[s.at]; st != nil {
		line = st.desk.Line()
	}
	return fmt.Sprintf("%s%s %d> ", name, place, line)
}

// failure renders an error, with its line and caret where it has one.
func (s *Session) failure(err error) Reply {
	var b strings.Builder
	var list diag.List
	var d *diag.Diagnostic
	switch {
	case errors.As(err, &list):
	case errors.As(err, &d):
		list = diag.List{d}
	default:
		return Reply{Text: err.Error(), Failed: true}
	}
	for _, d := range list {
		_ = d.Render(&b, s.conf.Color) // a Builder takes everything
	}
	return Reply{Text: strings.TrimRight(b.String(), "\n"), Failed: true}
}
