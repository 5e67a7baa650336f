package console

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/runtime/lua"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a session in an engine of its own.
type desk struct {
	*Session
	engine *engine.Engine
	mu     sync.Mutex
	noted  []string
}

func (d *desk) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noted = append(d.noted, line)
}

// notes returns what was noted since it was asked last.
func (d *desk) notes() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := strings.Join(d.noted, "\n")
	d.noted = nil
	return text
}

func newEngine(tb testing.TB) *engine.Engine {
	tb.Helper()
	cat := catalogue.New(catalogue.All()...)
	e := engine.New(engine.Config{Catalogue: cat})
	e.Use(lua.New(lua.Config{Catalogue: cat, Functions: e.Functions(), Limits: e.Limits()}))
	tb.Cleanup(e.Close)
	return e
}

// sit makes an engine with scripts, name and text in turn, and a session in it.
func sit(tb testing.TB, scripts ...string) *desk {
	tb.Helper()
	d := &desk{engine: newEngine(tb)}
	load(tb, d.engine, scripts...)
	d.engine.Start(1000e9)
	s, err := New(Config{Engine: d.engine, Notes: d.note})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	d.Session = s
	return d
}

func load(tb testing.TB, e *engine.Engine, scripts ...string) {
	tb.Helper()
	var sources []engine.Source
	for i := 0; i < len(scripts); i += 2 {
		sources = append(sources, engine.Source{Path: scripts[i], Text: []byte(scripts[i+1])})
	}
	if _, diags := e.Apply(sources); diags.HasErrors() {
		tb.Fatal(diags)
	}
}

func (d *desk) do(tb testing.TB, input string) string {
	tb.Helper()
	r := d.Do(context.Background(), input)
	return r.Text
}

// advance moves event time.
func (d *desk) advance(by time.Duration) {
	s := d.engine.Shard(0)
	s.Enter()
	s.Advance(s.Now() + int64(by))
	s.Leave()
}

const premium = `
local limit, seen = 3, 0
local names = { "a", "b" }
function check(n) return n > limit end
state { calls = 7 }
timer "count" { every = "1s", run = function()
  seen = seen + 1
  if check(seen) then print("over " .. seen) end
end }
`

// TestInputs compares what inputs give, one after the other in one session.
func TestInputs(t *testing.T) {
	d := sit(t, "premium.lua", premium)
	for _, tt := range []struct{ in, want string }{
		{"1 + 1", "2"},
		{"1, nil, 'x'", "1\nnil\n\"x\""},
		{"", ""},
		{"x = 5", ""},
		{"local y = x + 1", ""},
		{"y", "6"},
		{"local function double(n) return 2 * n end", ""},
		{"double(y)", "12"},
		{"return x, y", "5\n6"},
		{"x = nil", ""},
		{"x", "nil"},
		{"2^53", "9007199254740992"},
		{"1/3", "0.33333333333333"},
		{"'\\0\\1ab\\n\\255'", `"\000\001ab\n\255"`},
		{"{ 3, 2, 1, b = 1, a = { c = {} } }", "{ 3, 2, 1, a = { c = {} }, b = 1 }"},
		{"t = {} t.t = t return t", "{ t = <the table around it> }"},
		{"double", "<function (console:6)>"},
		{"print('one', 2)", ""},
		{"unknown", "console:18:1: error: unknown name unknown\n  unknown\n  ^~~~~~~"},
		{"1 +", "console:19:1: error: unexpected end of the file"},
		{"x.y", "console:18: error: attempt to index global 'x' (a nil value)\n  x.y"},
		{"error 'no'", "console:19: error: no\n  error 'no'"},
		{"hookd.start", "<hookd.start>"},
		{":nothing", "there is no command :nothing; :help lists them"},
		{":doc", ":doc takes NAME"},
		{":in nowhere.lua", "no script nowhere.lua is live"},
		{":stores", "none"},
		{"function later() return 1 end", ""},
		{"z = later()\nfunction later() return 2 end", ""},
		{"z, later()", "1\n2"},
	} {
		got := d.do(t, tt.in)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
	if got := d.notes(); got != "one\t2" {
		t.Errorf("printed %q", got)
	}
}

// TestInScript looks into a script, changes it, and sees it reloaded.
func TestInScript(t *testing.T) {
	d := sit(t, "premium.lua", premium)
	for _, tt := range []struct{ in, want string }{
		{":in premium", "premium.lua has check, limit, names, seen"},
		{"limit, seen", "3\n0"},
		{"names", `{ "a", "b" }`},
		{"state", "{ calls = 7 }"},
		{"state.calls = 8", ""},
		{"check(4), check(3)", "true\nfalse"},
		{"mine = 1", ""},
		{"limit = 0", "changed until premium.lua is reloaded: limit"},
		{"check(1)", "true"},
	} {
		if diff := cmp.Diff(tt.want, d.do(t, tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
	if got := d.do(t, `rule "x" { on = hookd.start, run = function() end }`); !strings.Contains(got, "rule inside of premium.lua") {
		t.Error(got)
	}
	d.advance(time.Second)
	if got := d.do(t, "seen"); got != "1" {
		t.Errorf("seen: %s", got)
	}
	load(t, d.engine, "premium.lua", premium+"-- changed")
	if got := d.do(t, "limit, seen, state.calls"); got != "3\n0\n8" {
		t.Errorf("after the reload: %s", got)
	}
	if got := d.notes(); !strings.Contains(got, "premium.lua was reloaded") {
		t.Errorf("noted %q", got)
	}
	load(t, d.engine)
	if got := d.do(t, "limit"); got != "no script premium.lua is live" {
		t.Error(got)
	}
	if got := d.Prompt(); got != "hookd 1> " {
		t.Errorf("prompt %q", got)
	}
}

// TestDeclare declares rules and timers, changes them, keeps them over a reload
// and leaves.
func TestDeclare(t *testing.T) {
	d := sit(t, "premium.lua", premium)
	before := machines(d.engine)
	for _, tt := range []struct{ in, want string }{
		{"n = 0", ""},
		{`timer "tick" { every = "1s", run = function() n = n + 1 end }`, "timer \"tick\" is live until this console is left, or `:save FILE`"},
		{`rule "seen" { on = hookd.reloaded, run = function(ev) print("reloaded") end }`, "rule \"seen\" is live until this console is left, or `:save FILE`"},
		{`event "ping" {}`, "event \"ping\" is live until this console is left, or `:save FILE`"},
		{`rule "pong" { on = event.ping, run = function() print("pong", this.rule) end }`, "rule \"pong\" is live until this console is left, or `:save FILE`"},
		{`raise(event.ping)`, "true"},
		{`store "bad" { kind = "set", key = "string" }`, "<store \"bad\" (a set of 0)>"},
		{`local b = store "bad" b:add("x") return b:size(), store("bad"):has "x"`, "1\ntrue"},
	} {
		if diff := cmp.Diff(tt.want, d.do(t, tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
	d.advance(3 * time.Second)
	if got := d.do(t, "n"); got != "3" {
		t.Errorf("the timer counted to %s", got)
	}
	load(t, d.engine, "premium.lua", premium+"-- changed")
	d.advance(time.Second)
	if got := d.do(t, "n"); got != "4" {
		t.Errorf("over the reload the timer counted to %s", got)
	}
	if got := d.do(t, `timer "tick" { every = "1s", run = function() n = n + 10 end }`); !strings.Contains(got, "is live") {
		t.Error(got)
	}
	d.advance(time.Second)
	if got := d.do(t, "n"); got != "14" {
		t.Errorf("the changed timer counted to %s", got)
	}
	if got, want := d.notes(), "pong\tpong\nreloaded"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	if got := d.do(t, `rule "bad" { on = hookd.start, match = { nothing = 1 }, run = function() end }`); !strings.Contains(got, "nothing") {
		t.Error(got)
	}
	if r := d.Do(t.Context(), ":save x.lua"); r.Save != "x.lua" {
		t.Errorf("%+v", r)
	} else if _, diags := newEngine(t).Stage([]engine.Source{{Path: "x.lua", Text: []byte(r.Content)}}); diags.HasErrors() {
		t.Errorf("what was saved does not load: %v\n%s", diags, r.Content)
	}
	if got := d.do(t, ":drop pong"); got != "pong is gone" {
		t.Error(got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if rules := d.engine.Rules(); len(rules) != 0 {
		t.Errorf("rules are left: %v", rules)
	}
	if after := machines(d.engine); after != before-1 {
		t.Errorf("%d machines, then %d", before, after)
	}
	if list := d.engine.Stores().Stores(); len(list) != 0 {
		t.Errorf("stores are left: %v", list)
	}
	d.advance(10 * time.Second)
}

// machines counts the scripts that are live, consoles among them.
func machines(e *engine.Engine) int { return len(e.Live().Scripts()) }

// TestDropped checks that rules which do not fit a new generation go, and say so.
func TestDropped(t *testing.T) {
	d := sit(t, "base.lua", `event "base" {}`)
	if got := d.do(t, `rule "on-base" { on = event.base, run = function() end }`); !strings.Contains(got, "is live") {
		t.Fatal(got)
	}
	load(t, d.engine, "other.lua", "x = 1")
	if got := d.notes(); !strings.Contains(got, "do not fit") {
		t.Errorf("noted %q", got)
	}
	if rules := d.engine.Rules(); len(rules) != 0 {
		t.Errorf("rules %v", rules)
	}
	if got := d.do(t, "1"); got != "1" {
		t.Error(got)
	}
}

// TestSlices checks that events are served while an evaluation runs, that it ends
// by interruption and by its budget, and that a session can vanish meanwhile.
func TestSlices(t *testing.T) {
	d := sit(t, "premium.lua", premium)
	for _, where := range []string{":in", ":in premium.lua"} {
		d.do(t, where)
		ended := make(chan Reply)
		go func() {
			ended <- d.Do(context.Background(), "while true do pcall(function() while true do end end) end")
		}()
		served := 0
		for wait := true; wait; {
			select {
			case r := <-ended:
				if !strings.Contains(r.Text, "5000000 instructions") {
					t.Errorf("%s: %s", where, r.Text)
				}
				wait = false
			default:
				d.advance(time.Second)
				served++
				runtime.Gosched()
			}
		}
		if served < 20 {
			t.Errorf("%s: %d events were served", where, served)
		}
		go func() { ended <- d.Do(context.Background(), "while true do end") }()
		begins := func() bool {
			d.Session.mu.Lock()
			defer d.Session.mu.Unlock()
			return d.cancel != nil
		}
		for end := time.Now().Add(time.Minute); !begins(); time.Sleep(100 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: it does not begin", where)
			}
		}
		time.Sleep(5 * time.Millisecond) // it is in the loop
		d.Interrupt()
		if r := <-ended; r.Text != "interrupted" {
			t.Errorf("%s: %s", where, r.Text)
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() { ended <- d.Do(ctx, "sleep(1000)") }()
		time.Sleep(5 * time.Millisecond)
		cancel()
		if r := <-ended; r.Text != "context canceled" {
			t.Errorf("%s: %s", where, r.Text)
		}
	}
	if got := d.do(t, "sleep"); !strings.Contains(got, "function") {
		t.Error(got)
	}
}

// TestReloadMeanwhile reloads a script that an evaluation runs in.
func TestReloadMeanwhile(t *testing.T) {
	d := sit(t, "premium.lua", premium)
	d.do(t, ":in premium.lua")
	ended := make(chan Reply)
	go func() {
		ended <- d.Do(context.Background(), "local n = 0 for i = 1, 1000000 do n = n + 1 end return n, limit")
	}()
	for i := range 5 {
		load(t, d.engine, "premium.lua", fmt.Sprintf("%s-- %d", premium, i))
	}
	if r := <-ended; r.Text != "1000000\n3" && !strings.Contains(r.Text, "reloaded") && r.Text != "the handler's generation is gone" {
		t.Errorf("%+v", r)
	}
	if got := d.do(t, "limit"); got != "3" {
		t.Error(got)
	}
}

// TestWatch shows events as they come, until it is ended.
func TestWatch(t *testing.T) {
	d := sit(t)
	if got := d.do(t, ":watch hookd.reloaded"); got != "watching hookd.reloaded" {
		t.Error(got)
	}
	load(t, d.engine, "a.lua", "x = 1")
	if got := d.notes(); !strings.Contains(got, `"event":"hookd.reloaded"`) {
		t.Errorf("noted %q", got)
	}
	if got := d.do(t, ":unwatch"); got != "1 ended" {
		t.Error(got)
	}
	load(t, d.engine, "a.lua", "x = 2")
	if got := d.notes(); got != "" {
		t.Errorf("noted %q", got)
	}
	if got := d.do(t, ":watch flow.rexmitt"); !strings.Contains(got, "flow.rexmit") {
		t.Error(got)
	}
	if got := d.do(t, ":watch hookd.reloaded where this.generation > x"); !strings.Contains(got, "hookd.reloaded has no x") {
		t.Error(got)
	}
}

// TestWatchUserEvents shows events that a script defines, while it does.
func TestWatchUserEvents(t *testing.T) {
	const script = `event "told" {} event "old" { on = hookd.reloaded, when = function() return this.generation > 2 end }
		rule "tells" { on = hookd.reloaded, run = function() raise(event.told, { gen = this.generation }) end } -- %d`
	d := sit(t, "a.lua", fmt.Sprintf(script, 1))
	if got := d.do(t, ":watch event.*"); got != "watching event.*" {
		t.Error(got)
	}
	load(t, d.engine, "a.lua", fmt.Sprintf(script, 2))
	load(t, d.engine, "a.lua", fmt.Sprintf(script, 3))
	got := d.notes()
	if n := strings.Count(got, "\n"); n != 2 || !strings.Contains(got, `"event":"event.told","gen":2,"payload":{"gen":2}}`) ||
		!strings.Contains(got, `"event":"event.old","gen":3,"generation":3`) {
		t.Errorf("%s", got)
	}
	load(t, d.engine, "a.lua", "x = 1")
	for end := time.Now().Add(time.Minute); !strings.Contains(got, "is not declared any more"); got = d.notes() {
		if time.Now().After(end) {
			t.Fatal("nobody says that the events are gone")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := d.do(t, ":unwatch"); got != "1 ended" {
		t.Error(got)
	}
	if left := d.engine.Rules(); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

// TestManySessions opens and leaves sessions, and wants the engine as it was.
func TestManySessions(t *testing.T) {
	e := newEngine(t)
	load(t, e, "premium.lua", premium)
	e.Start(1000e9)
	var sessions []*Session
	for {
		s, err := New(Config{Engine: e})
		if err != nil {
			if len(sessions) != engine.MaxGuests {
				t.Errorf("%d sessions: %v", len(sessions), err)
			}
			break
		}
		sessions = append(sessions, s)
		if r := s.Do(t.Context(), fmt.Sprintf(`rule "r" { on = hookd.stop, run = function() end } x = %d return x`, len(sessions))); r.Failed {
			t.Fatal(r.Text)
		}
	}
	if n := len(e.Rules()); n != len(sessions) {
		t.Errorf("%d rules", n)
	}
	for _, s := range sessions {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, m := len(e.Rules()), machines(e); n != 0 || m != 1 {
		t.Errorf("%d rules and %d machines are left", n, m)
	}
	e.Stop(hookdev.StopReasonDone)
}
