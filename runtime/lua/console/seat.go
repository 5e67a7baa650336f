package console

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/runtime/lua"
)

// seat is where a session evaluates in one shard.
type seat struct {
	index int
	env   *engine.Env // of the session's own machine
	home  *lua.Desk
	desk  *lua.Desk // home, or that in the script that is looked into
	rules []declared
}

// enter calls f with the seat's shard entered.
func (st *seat) enter(f func()) {
	st.env.Shard.Enter()
	defer st.env.Shard.Leave()
	f()
}

// open returns what makes the session's machine on a shard.
func (s *Session) open(shard int) func(*engine.Env) engine.Instance {
	return func(env *engine.Env) engine.Instance {
		home := s.rt.OpenDesk(env, lua.DeskConfig{Name: env.Path, Print: s.conf.Notes, Store: s.store})
		s.seats[shard] = &seat{index: shard, env: env, home: home, desk: home}
		return home.Instance()
	}
}

// seatAt returns the seat on a shard, and takes it where nobody sat yet.
func (s *Session) seatAt(shard int) *seat {
	if s.seats[shard] == nil {
		s.guest.Join(shard, s.open(shard))
	}
	return s.seats[shard]
}

// taken calls f for the seats on which something was evaluated.
func (s *Session) taken(f func(*seat)) {
	for _, st := range s.seats {
		if st != nil {
			f(st)
		}
	}
}

// forget lets go of what was declared there, which the engine did already.
func (x *seat) forget() {
	gone := x.rules
	x.rules = nil
	x.enter(func() {
		for i := range gone {
			x.home.DropRule(gone[i].functions()...)
		}
	})
}

// rules lists what the session declared, on all shards.
func (s *Session) rules() (list []declared) {
	s.taken(func(st *seat) { list = append(list, st.rules...) })
	return list
}

var placeBefore = regexp.MustCompile(`^\s*@(\w*)`)

// cutPlace takes off what says where an input is evaluated: "@2", "@all".
func cutPlace(input string) (where, rest string) {
	m := placeBefore.FindStringSubmatchIndex(input)
	if m == nil {
		return "", input
	}
	return input[m[2]-1 : m[3]], input[m[1]:]
}

// Lua returns an input without what says where it is evaluated.
func Lua(input string) string {
	_, rest := cutPlace(input)
	return rest
}

// evaluateAt evaluates in the shard that where names, or in all of them one after
// the other; without an input it is where those behind it go.
func (s *Session) evaluateAt(ctx context.Context, where, input string) Reply {
	n := s.conf.Engine.Shards().Len()
	if where != "@all" {
		at, err := strconv.Atoi(where[1:])
		switch {
		case err != nil || at < 0 || at >= n:
			return refused(fmt.Errorf("%s: @0 to @%d or @all expected", where, n-1))
		case strings.TrimSpace(input) == "":
			s.at = at
			return Reply{}
		}
		return s.evaluate(ctx, at, input)
	}
	if text := strings.TrimSpace(input); text == "" || text[0] == ':' {
		return refused(fmt.Errorf("@all stands before Lua"))
	}
	var all Reply
	var lines []string
	for i := range n {
		r := s.evaluate(ctx, i, input)
		all.Failed = all.Failed || r.Failed
		if r.Text != "" {
			lines = append(lines, fmt.Sprintf("@%d  %s", i, strings.ReplaceAll(r.Text, "\n", "\n    ")))
		}
		if ctx.Err() != nil {
			break
		}
	}
	all.Text = strings.Join(lines, "\n")
	return all
}

// drop takes away what was declared under a name on a shard, and reports whether
// there was anything.
func (s *Session) drop(st *seat, name string) (bool, error) {
	next := slices.DeleteFunc(slices.Clone(st.rules), func(d declared) bool { return d.name == name })
	if len(next) == len(st.rules) {
		return false, nil
	}
	var text []byte
	st.enter(func() { text = st.home.Text() })
	if diags := s.guest.Declare(st.index, planOf(next), text, false); diags.HasErrors() {
		return true, diags
	}
	gone := st.rules
	st.rules = next
	st.enter(func() {
		for _, d := range gone {
			if d.name == name {
				st.home.DropRule(d.functions()...)
			}
		}
	})
	return true, nil
}
