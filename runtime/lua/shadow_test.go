package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/shadow"
)

// trialOf loads other scripts into an engine for a trial beside h.
func trialOf(t *testing.T, live *engine.Engine, tally *shadow.Tally, src string) *engine.Engine {
	t.Helper()
	cat := catalogue.New(catalogue.All()...)
	e := engine.New(engine.Config{Catalogue: cat, Inherit: live, Shards: live.Shards().Len(), Drive: live.Shards().Drive()})
	e.Use(New(Config{Catalogue: cat, Functions: e.Functions(), Limits: e.Limits(), Trial: 1, Undone: func(_ *event.Shard, what string) { tally.Add(what) }}))
	t.Cleanup(e.Close)
	if _, diags := e.Apply([]engine.Source{{Path: "t.lua", Text: []byte(src)}}); diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	return e
}

const liveRules = `
state { seen = 0 }
local hot = store "hot" { kind = "set", key = "string" }
handler "bytes" { on = flow.new_data, run = function(c, d) c.data.bytes = (c.data.bytes or 0) + d.len alert("bytes", { n = c.data.bytes }) end }
rule "begin" { on = flow.conn_start, run = function(c)
  state.seen = state.seen + 1
  hot:add("c" .. c.id)
  c.data.first = state.seen
  c:tag "live"
  c:on(flow.new_data, "bytes")
  if c.id % 2 == 0 then return flow.cut end
end }
rule "crowd" { on = flow.conn_start, threshold = { count = 4, within = "60s" }, run = function(c) alert "crowd" end }
timer "minute" { every = "60s", run = function() alert("minute", { seen = state.seen }) end }
`

// signs are what two sides said differently, without where.
func signs(lines []string) string {
	var list []string
	for _, line := range lines {
		if what, _, found := strings.Cut(strings.TrimSpace(line), "  "); found && strings.HasPrefix(line, "  ") {
			list = append(list, what)
		}
	}
	return strings.Join(list, " ")
}

// TestShadow tries a change beside what is live: the trial begins with what the
// live scripts have, sees the same, changes nothing, and leaves nothing.
func TestShadow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what, from, to string // of the live rules
		want           string
	}{
		{"the same", "", "", ""},
		{"another verdict", "return flow.cut", "return flow.reset", "- flow.cut + flow.reset"},
		{"a record", "+ d.len", "+ 2 * d.len", `- bytes {"n":10} + bytes {"n":15} - bytes {"n":2} + bytes {"n":4}`},
		{"a count, which begins anew", "count = 4", "count = 5", "- crowd"},
		{"a timer, whose phase is lost", `every = "60s"`, `every = "50s"`, `- minute {"seen":5}`},
		{"a handler that is gone", `c:on(flow.new_data, "bytes")`, "", `- bytes {"n":2}`},
	} {
		h := up(t, liveRules)
		early, late := newConn(1), newConn(3)
		h.start(early)
		h.data(early, "hello")
		h.start(newConn(5))
		h.advance(30 * time.Second)
		h.take()
		var tally shadow.Tally
		trial := trialOf(t, h.Engine, &tally, strings.Replace(liveRules, test.from, test.to, 1))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan *shadow.Report)
		go func() {
			r, err := shadow.Run(ctx, shadow.Config{Live: h.Engine, Trial: trial, For: time.Minute})
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		for !h.Shadowed() {
			time.Sleep(time.Millisecond)
		}
		h.data(early, "hello")
		h.start(late)
		h.start(newConn(2))
		h.data(late, "hi")
		h.start(newConn(7))
		h.advance(40 * time.Second)
		if _, err := h.Shadow(trial, nil); !errors.Is(err, engine.ErrShadowed) {
			t.Errorf("%s: a second trial: %v", test.what, err)
		}
		cancel()
		r := <-done
		want := `alert bytes {"n":10}
begin: flow.cut at flow.conn_start.snd
alert crowd
alert bytes {"n":2}
alert minute {"seen":5}
`
		if diff := cmp.Diff(want, h.take()); diff != "" {
			t.Errorf("%s: the live rules were disturbed:\n%s", test.what, diff)
		}
		if diff := cmp.Diff(test.want, signs(r.Differences)); diff != "" || r.Different() != (test.want != "") || r.Errors != 0 {
			t.Errorf("%s: %+v\n%s", test.what, r, diff)
		}
		if diff := cmp.Diff(map[string]uint64{"flow.conn:tag": 3}, tally.Counts()); diff != "" {
			t.Error(test.what, diff)
		}
		if got := fmt.Sprint(early.tags, late.tags); got != "[live] [live]" {
			t.Errorf("%s: tags %s", test.what, got)
		}
		// Nothing of the trial is left on the connections: what the live scripts have.
		for _, c := range []*conn{early, late} {
			n := 0
			c.slots.Drop(func(key, value any) bool { n++; return false })
			if n > 3 {
				t.Errorf("%s: %d things hang on %s", test.what, n, c.Label())
			}
		}
		if flowev.OnGap.Wanted(h.Shard(0)) {
			t.Error("the trial's points are still wanted")
		}
	}
}

// TestShadowUnderLoad runs a trial of the same scripts beside the live ones, on two
// shards that are driven by goroutines of their own: nothing differs, and nothing
// of the trial goes on behind its end.
func TestShadowUnderLoad(t *testing.T) {
	t.Parallel()
	const src = `state { n = 0 }
		handler "later" { on = flow.new_data, run = function(c, d) c.data.n = c.data.n + d.len if c.data.n ~= 6 then alert "lost" end end }
		rule "cut" { on = flow.conn_start, run = function(c)
			state:incr("n")
			c.data.n = 1
			c:tag "x"
			c:on(flow.new_data, "later")
			if c.id % 3 == 0 then return flow.reset end
			return flow.cut
		end }
		timer "t" { every = "10s", run = function() state.ticks = 1 end }`
	l := newLoaded(t, engine.Config{Shards: 2})
	if _, diags := l.Apply([]engine.Source{{Path: "t.lua", Text: []byte(src)}}); diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	l.Start(1000e9)
	stop := make(chan struct{})
	ran, began, wait := l.traffic(stop)
	var tally shadow.Tally
	for range 3 {
		trial := trialOf(t, l.Engine, &tally, src)
		r, err := shadow.Run(context.Background(), shadow.Config{Live: l.Engine, Trial: trial, For: 150 * time.Millisecond})
		switch {
		case err != nil:
			t.Fatal(err)
		case r.Different() || r.Total.Same == 0 || r.Unseen != 0:
			t.Errorf("%+v", r)
		}
		if st := trial.Stats(); st.Data != 0 || st.Bindings != 0 || st.Errors != 0 {
			t.Errorf("of the trial is left: %+v", st)
		}
	}
	close(stop)
	wait()
	if ran.Load() != began.Load() || tally.Counts()["flow.conn:tag"] == 0 {
		t.Errorf("%d of %d connections had their rule; %v", ran.Load(), began.Load(), tally.Counts())
	}
	if st := l.Stats(); st.Errors != 0 || st.Data != 0 {
		t.Errorf("%+v", st)
	}
}
