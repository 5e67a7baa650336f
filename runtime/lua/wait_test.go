package lua

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/source"
)

// pond is a house whose hook flow.conn_start lets handlers wait, with a function
// probe.ask(text) whose answers come from goroutines.
type pond struct {
	*house
	asked chan question
	wg    sync.WaitGroup
}

// question is an operation under way.
type question struct {
	text   string
	answer chan<- string // "!" in front makes it an error
}

func newPond(t *testing.T, limits engine.Limits) *pond {
	p := &pond{house: &house{t: t}, asked: make(chan question, 10)}
	flow := *flowev.Family
	flow.Events = append([]*event.Info(nil), flow.Events...)
	var patient *event.Info
	for i, info := range flow.Events {
		if info.Name == "flow.conn_start" {
			own := *info
			own.Waits, patient = event.WaitsSuspend, &own
			flow.Events[i] = patient
		}
	}
	var families []*event.Family
	for _, f := range catalogue.All() {
		if f.Name == "flow" {
			f = &flow
		}
		families = append(families, f)
	}
	cat := catalogue.New(families...)
	p.Engine = engine.New(engine.Config{Catalogue: cat, Sink: p, Limits: limits})
	rt := New(Config{
		Catalogue: cat, Functions: p.Functions(), Limits: p.Limits(),
		Check: func(*source.Chunk) diag.List { return nil },
	})
	for _, et := range bind.Events() {
		if et.Info.Name == "flow.conn_start" {
			rt.events[patient] = et
		}
	}
	rt.functions = append(rt.functions, bind.Function{Info: &event.Function{Name: "ask", Waits: true}, Call: p.ask})
	p.Use(rt)
	t.Cleanup(func() { p.Close(); p.wg.Wait() })
	return p
}

// ask is what a stack would do: it starts a goroutine that enters the shard with
// the result.
func (p *pond) ask(h bind.Host, L *glua.LState) int {
	text := L.CheckString(1)
	return h.Wait(L, "ask", func(done func(...glua.LValue)) {
		c := h.Caller(L)
		if text == "now" {
			done(glua.LString("at once"))
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		c.Waiter.OnCancel(cancel)
		shard, answer := c.Shard, make(chan string, 1)
		p.wg.Go(func() {
			select {
			case a := <-answer:
				shard.Enter()
				defer shard.Leave()
				if err, failed := strings.CutPrefix(a, "!"); failed {
					done(glua.LNil, glua.LString(err))
				} else {
					done(glua.LString(a), glua.LNumber(len(a)))
				}
			case <-ctx.Done():
				shard.Enter()
				defer shard.Leave()
				fmt.Fprintf(&p.out, "nobody asks %s\n", text)
				done(glua.LString("too late"))
			}
		})
		p.asked <- question{text, answer}
	})
}

func (p *pond) up(src string) *pond {
	p.t.Helper()
	if diags := p.load(src); len(diags) > 0 {
		p.t.Fatal(rendered(diags))
	}
	p.Start(1000e9)
	return p
}

// await raises flow.conn_start about c and notes the answer.
func (p *pond) await(c *conn) {
	p.in(func(s *event.Shard) {
		flowev.OnConnStartSnd.Await(s, &flowev.ConnStart{C: c, Pkt: &packet{len: 60}, Side: flowev.SideClient}, func(v event.Verdict, err error) {
			fmt.Fprintf(&p.out, "%s: kind %d, %v\n", c.Label(), v.Kind, err)
		})
	})
}

// settled waits until fn reports true with the shard entered.
func (p *pond) settled(fn func() bool) {
	p.t.Helper()
	for range 60_000 {
		ok := false
		p.in(func(*event.Shard) { ok = fn() })
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
	p.t.Fatalf("it does not happen; so far:\n%s", p.out.String())
}

func (p *pond) want(want string) {
	p.t.Helper()
	var got string
	p.in(func(*event.Shard) { got = p.take() })
	if got != want {
		p.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSleepAndSpawn(t *testing.T) {
	t.Parallel()
	h := up(t, `
rule "a" { on = flow.conn_start, run = function(c)
  print("before", spawn(function(id, extra)
    print("spawned", id, extra, this.rule, this.ts, c.client.ip)
    print(sleep "2s", this.ts)
    print(sleep(-1))
    sleep(0.5)
    print("end", this.ts)
  end, c.id, nil))
  spawn(sleep, "1s")
  print "after"
end }
timer "t" { every = "1s", run = function() print("timer", this.ts) end }`)
	h.start(newConn(7))
	h.advance(1500 * time.Millisecond)
	h.advance(1500 * time.Millisecond)
	want := `before	true
after
spawned	7	nil	a	1000	10.0.0.7
timer	1001
true	1002
nil	sleep: a time is not negative
timer	1002
end	1002.5
timer	1003
`
	if got := h.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if st := h.Stats(); st.Waiting != 0 || st.Errors != 0 {
		t.Errorf("counted: %+v", st)
	}
}

// TestWaitWhereItCannotBe is what check says where it is plain, and what running
// says elsewhere, with the line.
func TestWaitWhereItCannotBe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, want string }{
		{`rule "a" { on = flow.conn_start, run = function(c)
  sleep "1s" end }`, "t.lua:2:3: error: sleep waits: handlers of flow.conn_start cannot"},
		{`rule "a" { on = flow.conn_start, when = function(c)
  return sleep(1) end, run = function() end }`, "t.lua:2:10: error: sleep waits: a filter only looks"},
		{`timer "a" { every = "1s", run = function()
  if true then for i = 1, 2 do sleep(1) end end end }`, "t.lua:2:32: error: sleep waits: a timer cannot"},
		{`sleep(1)`, "t.lua:1:1: error: sleep: not while loading"},
		{`spawn(function() end)`, "t.lua:1:1: error: spawn: not while loading"},
		{`event "e" { on = flow.conn_start, when = function(c) spawn(print) end }`, "spawn changes something: a filter only looks"},
		{`local function f() sleep(1) end
rule "a" { on = flow.conn_start, run = function() f() end }`, "error t.lua:1: sleep: handlers of flow.conn_start cannot wait; put it in spawn(function() … end)\n"},
		{`rule "a" { on = flow.conn_start, run = function() print(pcall(function()
  sleep(1) end)) spawn(5) end }`, "false\tt.lua:2: sleep: handlers of flow.conn_start cannot wait; put it in spawn(function() … end)\nerror t.lua:2: spawn takes a function, not a number"},
	} {
		h := newHouse(t, engine.Limits{})
		diags := h.load(tt.src)
		got := rendered(diags)
		if !diags.HasErrors() {
			h.Start(1000e9)
			h.start(newConn(7))
			got += h.take()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s:\ngot %s\nwant %s", tt.src, got, tt.want)
		}
	}
}

func TestErrorsAfterWaiting(t *testing.T) {
	t.Parallel()
	h := up(t, `
rule "a" { on = flow.conn_start, run = function(c)
  local function deep(x)
    sleep(1)
    return x.y.z
  end
  spawn(function()
    deep {}
  end)
  spawn(function() sleep(1) while true do end end)
end }`)
	h.start(newConn(7))
	h.advance(2 * time.Second)
	got := h.take()
	for _, want := range []string{"error t.lua:5: ", "went over its budget of 200000 instructions (overrun)"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	for _, r := range h.Rules() {
		if r.Errors != 2 || r.Overruns != 1 {
			t.Errorf("counted %d errors and %d overruns", r.Errors, r.Overruns)
		}
	}
}

const patient = `
rule "first" { on = flow.conn_start, run = function(c)
  print("first", c.id, this.rule)
  local text, n = ask("who is " .. c.id)
  print("first again", c.id, this.rule, text, n)
  if text == "cut" then return flow.cut end
  if not text then error(n) end
end }
rule "second" { on = flow.conn_start, run = function(c) print("second", c.id, ask "now") end }`

func TestHandlersWait(t *testing.T) {
	t.Parallel()
	p := newPond(t, engine.Limits{}).up(patient)
	p.await(newConn(1))
	one := <-p.asked
	p.await(newConn(2))
	two := <-p.asked
	p.want("first\t1\tfirst\nfirst\t2\tfirst\n")
	two.answer <- "cut"
	p.settled(func() bool { return strings.Contains(p.out.String(), "kind") })
	p.want("first again\t2\tfirst\tcut\t3\nfirst: flow.cut at flow.conn_start.snd\nsecond\t2\tat once\nconnection 2: kind 3, <nil>\n")
	one.answer <- "!gone"
	p.settled(func() bool { return strings.Contains(p.out.String(), "kind") })
	p.want("first again\t1\tfirst\tnil\tgone\nerror t.lua:7: gone\nsecond\t1\tat once\nconnection 1: kind 0, <nil>\n")
}

// TestEventsQueueBehindAHandlerThatWaits: those of the same connection.
func TestEventsQueueBehindAHandlerThatWaits(t *testing.T) {
	t.Parallel()
	p := newPond(t, engine.Limits{SubjectQueue: 2}).up(patient)
	c := newConn(1)
	for range 4 {
		p.await(c)
	}
	p.want("first\t1\tfirst\nconnection 1: kind 0, event: too many events of its subject wait\n")
	for i := range 3 {
		(<-p.asked).answer <- "x"
		p.settled(func() bool { return strings.Contains(p.out.String(), "kind") })
		want := "first again\t1\tfirst\tx\t1\nsecond\t1\tat once\nconnection 1: kind 0, <nil>\n"
		if i < 2 {
			want += "first\t1\tfirst\n"
		}
		p.want(want)
	}
	if st := p.Stats(); st.QueueRefused != 1 || st.Waiting != 0 {
		t.Errorf("counted: %+v", st.WaitStats)
	}
}

// TestTheEndOfTheSubjectEndsTheWaiting, and the operation hears of it.
func TestTheEndOfTheSubjectEndsTheWaiting(t *testing.T) {
	t.Parallel()
	p := newPond(t, engine.Limits{}).up(patient)
	c := newConn(1)
	p.await(c)
	<-p.asked
	p.in(func(s *event.Shard) { s.CancelWaits(c) })
	p.settled(func() bool { return strings.Contains(p.out.String(), "nobody asks") })
	p.want("first\t1\tfirst\nconnection 1: kind 0, event: nobody decides: its subject ended while a handler waited\nnobody asks who is 1\n")
	if st := p.Stats(); st.Canceled != 1 || st.Errors != 0 {
		t.Errorf("counted: %+v", st)
	}
}

func TestTheEndOfTheInputEndsTheWaiting(t *testing.T) {
	t.Parallel()
	h := up(t, `
rule "a" { on = flow.conn_start, run = function(c) spawn(function() while true do pcall(sleep, "1h") print "goes on" end end) end }
rule "b" { on = hookd.stop, run = function(c) spawn(function() print "stopping" sleep(1) print "never" end) end }`)
	h.start(newConn(1))
	h.Stop(0)
	if got, want := h.take(), "stopping\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if st := h.Stats(); st.Canceled != 2 || st.Errors != 0 || st.Waiting != 0 {
		t.Errorf("counted: %+v", st)
	}
}

// TestWaitsOutliveAReload in the machine that they began in; beyond three, the
// oldest is cut.
func TestWaitsOutliveAReload(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	version := func(n int) {
		if diags := h.load(fmt.Sprintf(`local n = %d
rule "cut" { on = hookd.handler_dropped, run = function() print(this.script, this.name, this.generation, this.bindings, this.reason) end }
rule "a" { on = flow.conn_start, run = function(c) spawn(function() sleep "10s" print("begun by", n) end) end }`, n)); len(diags) > 0 {
			t.Fatal(rendered(diags))
		}
	}
	version(1)
	h.Start(1000e9)
	for n := 2; n <= 5; n++ {
		h.start(newConn(1))
		version(n)
	}
	if got, want := h.take(), "t.lua\t*\t1\t1\t3 later generations of the script drain too\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if st := h.Stats(); st.Waiting != 3 || st.Draining != 3 || st.HandlersDropped != 1 {
		t.Errorf("counted: %+v", st)
	}
	h.advance(10 * time.Second)
	if got, want := h.take(), "begun by\t2\nbegun by\t3\nbegun by\t4\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if st := h.Stats(); st.Waiting != 0 || st.Draining != 0 {
		t.Errorf("counted: %+v", st.WaitStats)
	}
}

func TestLentObjectsEndWithTheWait(t *testing.T) {
	t.Parallel()
	p := newPond(t, engine.Limits{}).up(`
rule "a" { on = flow.conn_start, run = function(c, pkt)
  print(pkt.len) ask "x" print(c.client.ip) print(pkt.len) end }`)
	p.await(newConn(1))
	(<-p.asked).answer <- "y"
	p.settled(func() bool { return strings.Contains(p.out.String(), "kind") })
	p.want("60\n10.0.0.1\nerror t.lua:3: len: lent: its handler waited; copy what you need before\nconnection 1: kind 0, <nil>\n")
}

func TestTooManyCoroutines(t *testing.T) {
	t.Parallel()
	h := up(t, `
rule "a" { on = flow.conn_start, run = function(c)
  local n = 0
  while spawn(sleep, "10s") do n = n + 1 end
  print(n, spawn(sleep, "10s"))
end }`)
	h.start(newConn(1))
	if got, want := h.take(), "10000\tnil\tspawn: too many coroutines: 10000 of this script are not finished\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h.advance(11 * time.Second)
	if st := h.Stats(); st.Waiting != 0 {
		t.Errorf("%d wait", st.Waiting)
	}
}

// TestARebuiltScriptEndsItsWaits: the machine failed in another call, or in a
// coroutine.
func TestARebuiltScriptEndsItsWaits(t *testing.T) {
	t.Parallel()
	for _, poison := range []string{"f()", "spawn(function() sleep(0.5) f() end)"} {
		h := poisonable(t)
		h.started(`local function f(...) return f(1, ...) end
rule "a" { on = flow.conn_start, run = function(c)
  spawn(function() sleep(1) print "never" end)
  if c.id == 1 then ` + poison + ` end
end }
rule "b" { on = flow.conn_start, run = function(c) spawn(function() sleep(2) print("well", c.id) end) end }`)
		h.start(newConn(1))
		h.advance(500 * time.Millisecond)
		h.start(newConn(2))
		h.advance(2 * time.Second)
		got := h.take()
		for _, want := range []string{
			"error t.lua:1: stack overflow: a call holds at most 2048 values (poisoned)\n",
			"error t.lua: ended: the script's machine failed and was made anew\n", "well\t2\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s\nwant %s", poison, got, want)
			}
		}
		if st := h.Stats(); strings.Count(got, "never") != 1 || st.Waiting != 0 {
			t.Errorf("%s: got\n%s and %d wait", poison, got, st.Waiting)
		}
	}
}

// TestScriptsThatStartThemselvesAgain neither stop time nor each other.
func TestScriptsThatStartThemselvesAgain(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`local function f() spawn(f) end f()`,
		`spawn(function() while true do sleep(0) end end)`,
		`local function f() spawn(f) sleep(0) end spawn(f)`,
	} {
		h := newHouse(t, engine.Limits{SleepCatchUp: 20})
		if diags := h.load(`rule "a" { on = flow.conn_start, match = { id = 1 }, run = function() ` + body + ` end }
rule "b" { on = flow.conn_start, match = { id = 2 }, run = function() spawn(print, "its turn") end }`); len(diags) > 0 {
			t.Fatal(rendered(diags))
		}
		h.Start(1000e9)
		h.start(newConn(1))
		h.advance(time.Hour)
		h.start(newConn(2))
		h.advance(time.Minute)
		if got := h.take(); !strings.Contains(got, "its turn") {
			t.Errorf("%s: got %q", body, got)
		}
		if st := h.Stats(); st.TimerSkips == 0 {
			t.Errorf("%s: nothing was skipped", body)
		}
	}
}

// TestTheEndComesInTheMiddleOfABeginning: more was spawned than runs at once.
func TestTheEndComesInTheMiddleOfABeginning(t *testing.T) {
	t.Parallel()
	h := up(t, `rule "a" { on = hookd.stop, run = function() for i = 1, 5000 do spawn(sleep, 1) end end }`)
	h.Stop(0)
	if st := h.Stats(); st.Waiting != 0 || st.Canceled != 5000 || st.Errors != 0 {
		t.Errorf("counted: %+v", st)
	}
}
