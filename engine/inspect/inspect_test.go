package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/inspect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// language has three expressions: "signal" is true of stops by a signal, "fails"
// and "slow" do what they say.
type language struct{ open atomic.Int64 }

func (l *language) Compile(engine.Source) (engine.Program, diag.List) { return nil, nil }
func (l *language) CompileModule(engine.Source) (any, diag.List)      { return nil, nil }
func (l *language) Reads() *engine.Reads                              { return &engine.Reads{} }
func (l *language) choose(expr string) (engine.Selection, diag.List)  { return selection{l, expr}, nil }

func (l *language) wrong(expr string) (engine.Selection, diag.List) {
	return nil, diag.List{{File: "--where", Line: 1, Col: 1, Msg: "unknown name " + expr, Source: expr}}
}

func (l *language) Select(expr string, _ []*event.Info) (engine.Selection, diag.List) {
	if expr != "signal" && expr != "fails" && expr != "slow" {
		return l.wrong(expr)
	}
	return l.choose(expr)
}

type selection struct {
	*language
	expr string
}

func (s selection) Reads() *engine.Reads {
	return &engine.Reads{Fields: map[string]bool{"flow.peer.sent": true}}
}

func (s selection) Takes(info *event.Info) bool { return info.Name == "hookd.stop" }
func (s selection) On(*event.Shard) (engine.Selector, error) {
	s.open.Add(1)
	return s, nil
}
func (s selection) Close() { s.open.Add(-1) }

func (s selection) Selects(_ *event.Info, _ *event.PointInfo, e any) (bool, error) {
	switch s.expr {
	case "fails":
		return false, errors.New("no")
	case "slow":
		return false, &engine.ScriptError{Script: "--where", Message: "too slow", Overrun: true}
	}
	return e.(*hookdev.Stop).Reason == hookdev.StopReasonSignal, nil
}

// rig is an engine of two shards that are driven apart, looked into over a socket.
type rig struct {
	*engine.Engine
	*inspect.Inspector
	lang *language
	path string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{lang: &language{}, path: filepath.Join(t.TempDir(), "c")}
	r.Engine = engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...), Shards: 2, Drive: event.Apart})
	r.Use(r.lang)
	r.Inspector = inspect.New(r.Engine, nil)
	l, err := control.Listen(r.path)
	if err != nil {
		t.Fatal(err)
	}
	s := control.NewServer(nil)
	r.Serve(s)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
		for i := range 2 {
			s := r.Shard(i)
			s.Enter()
			if hookdev.OnStop.Wanted(s) {
				t.Error("something is left at a hook point")
			}
			s.Leave()
		}
		if n := r.lang.open.Load(); n != 0 {
			t.Errorf("%d selectors are left", n)
		}
		r.Engine.Close()
	})
	return r
}

// raise raises stops in a shard.
func (r *rig) raise(shard, n int, why hookdev.StopReason) {
	s := r.Shard(shard)
	for range n {
		s.Enter()
		if hookdev.OnStop.Wanted(s) {
			hookdev.OnStop.Emit(s, &hookdev.Stop{Reason: why})
		}
		s.Leave()
	}
}

// lines collects what a trace sends.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) send(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, string(line))
	return true
}

// TestTrace checks what is traced, selected and sampled, on both shards.
func TestTrace(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		q    inspect.Query
		head string
		want int
	}{
		{inspect.Query{Patterns: []string{"hookd.stop"}}, `{"v":1,"tracing":["hookd.stop"]}`, 40},
		{inspect.Query{Patterns: []string{"hookd.st*", "stop"}, Where: "signal"}, `{"v":1,"tracing":["hookd.stop"],"left_out":["hookd.start"]}`, 20},
		{inspect.Query{Patterns: []string{"hookd.stop"}, Where: "signal", Sample: 5}, `{"v":1,"tracing":["hookd.stop"]}`, 4},
	} {
		var got lines
		tr, err := r.Trace(tt.q, got.send)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			r.raise(i, 10, hookdev.StopReasonSignal)
			r.raise(i, 10, hookdev.StopReasonDone)
		}
		tr.End()
		r.raise(0, 1, hookdev.StopReasonSignal)
		if len(got.list) != tt.want+1 || got.list[0] != tt.head {
			t.Errorf("%+v: %d lines, the first is %s", tt.q, len(got.list), got.list[0])
		}
		if last := got.list[len(got.list)-1]; !strings.HasPrefix(last, `{"v":1,"ts":0.000000000,"event":"hookd.stop","gen":0,"reason":"`) {
			t.Errorf("%s", last)
		}
	}
}

// TestTraceReads checks that what an expression reads is known while the trace runs,
// and that stacks are asked to look.
func TestTraceReads(t *testing.T) {
	r := newRig(t)
	var told []bool
	r.Changed = func() { told = append(told, r.Reads("flow.peer.sent")) }
	var got lines
	for _, where := range []string{"signal", ""} {
		told = nil
		tr, err := r.Trace(inspect.Query{Patterns: []string{"hookd.stop", "flow.rexmit"}, Where: where}, got.send)
		if err != nil {
			t.Fatal(err)
		}
		if want := where != ""; r.Reads("flow.peer.sent") != want || r.Reads("flow.rexmit.old") == want {
			t.Errorf("%q: reads what connections sent: %t, and the first copies: %t", where, r.Reads("flow.peer.sent"), r.Reads("flow.rexmit.old"))
		}
		tr.End()
		want := []bool{true, true, false}
		if where == "" {
			want = []bool{false, false}
		}
		if !slices.Equal(told, want) {
			t.Errorf("%q: told of %t, want %t", where, told, want)
		}
		if r.Reads("flow.peer.sent", "flow.rexmit.old") {
			t.Errorf("%q: read when it has ended", where)
		}
	}
	if _, err := r.Trace(inspect.Query{Patterns: []string{"hookd.stop"}, Where: "unknown"}, got.send); err == nil || r.Reads("flow.peer.sent") {
		t.Errorf("an expression that is wrong: %v", err)
	}
}

// TestTraceErrors checks what is refused, and what an expression that fails comes
// to.
func TestTraceErrors(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		q      inspect.Query
		status int
		want   string
	}{
		{inspect.Query{}, 400, "a pattern is needed"},
		{inspect.Query{Patterns: []string{"hookd.x"}}, 400, "no such hook point"},
		{inspect.Query{Patterns: []string{"["}}, 400, "a pattern over"},
		{inspect.Query{Patterns: []string{"hookd.stop"}, Where: "y"}, 422, "--where:1:1: unknown name y"},
	} {
		_, err := r.Trace(tt.q, nil)
		var e *control.Error
		if !errors.As(err, &e) || e.Status != tt.status || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%+v: %v", tt.q, err)
		}
	}
	for _, tt := range []struct {
		where   string
		errors  uint64
		stopped bool
	}{{"fails", 10, false}, {"slow", 3, true}} {
		notes := make(chan inspect.Note, 10)
		tr, err := r.Trace(inspect.Query{Patterns: []string{"hookd.stop"}, Where: tt.where}, func(line []byte) bool {
			var n inspect.Note
			if err := json.Unmarshal(line, &n); err != nil {
				t.Error(err)
			}
			if n.Errors > 0 {
				notes <- n
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		r.raise(1, 10, hookdev.StopReasonSignal)
		n := <-notes
		for n.Errors < tt.errors && !n.Stopped {
			more := <-notes
			n.Errors, n.Stopped = n.Errors+more.Errors, more.Stopped
		}
		if n.Errors != tt.errors || n.Stopped != tt.stopped || n.Error == "" {
			t.Errorf("%s: %+v", tt.where, n)
		}
		tr.End()
	}
}

// TestTraceNobodyReads checks that a client that does not read, and clients that
// come and go, cost lines and nothing else: traffic on both shards goes on, and
// what is dropped is told.
func TestTraceNobodyReads(t *testing.T) {
	r := newRig(t)
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	var raised [2]atomic.Uint64
	for i := range 2 {
		traffic.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.raise(i, 100, hookdev.StopReasonSignal)
					raised[i].Add(100)
				}
			}
		})
	}
	c := control.NewClient(r.path)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reading := make(chan bool)
	dropped := make(chan uint64, 1)
	done := make(chan error)
	go func() {
		first, sum := true, uint64(0)
		done <- c.Lines(ctx, "/trace?pattern=hookd.stop", func(line []byte) bool {
			if first {
				first = false
				reading <- true
				<-reading // sits there
			}
			var n inspect.Note
			if err := json.Unmarshal(line, &n); err != nil {
				t.Error(err)
				return false
			}
			if sum += n.Dropped; sum < 1000 { // the first note may be from before it sat there
				return true
			}
			dropped <- sum
			return false
		})
	}()
	<-reading
	for range 5 {
		n := 0
		if err := c.Lines(ctx, "/trace?pattern=hookd.stop&where=signal", func([]byte) bool { n++; return n < 20 }); err != nil || n != 20 {
			t.Errorf("%d lines, %v", n, err)
		}
	}
	before := [2]uint64{raised[0].Load(), raised[1].Load()}
	waitUntil(t, func() bool {
		return raised[0].Load()-before[0] >= 3*inspect.MaxTraceRate && raised[1].Load()-before[1] >= 3*inspect.MaxTraceRate
	})
	reading <- true
	select {
	case <-dropped:
	case <-time.After(30 * time.Second):
		t.Error("what is dropped is not told")
		cancel()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(stop)
	traffic.Wait()
	c.Close()
	waitUntil(t, func() bool { return r.lang.open.Load() == 0 && !r.wanted() })
}

func (r *rig) wanted() bool {
	s := r.Shard(0)
	s.Enter()
	defer s.Leave()
	return hookdev.OnStop.Wanted(s)
}

// waitUntil waits for what a server does when it finds a client gone.
func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it does not come to that")
}

// TestAnswers checks what is answered where nothing is loaded, and what is
// refused.
func TestAnswers(t *testing.T) {
	r := newRig(t)
	c := control.NewClient(r.path)
	defer c.Close()
	for _, tt := range []struct{ path, want string }{
		{"/rules", `{"v":1,"generation":0,"rules":[]}`},
		{"/rules/plan", `{"v":1,"generation":0,"plan":[]}`},
		{"/stores", `{"v":1,"stores":[]}`},
	} {
		got, err := c.Get(t.Context(), tt.path)
		if diff := cmp.Diff(tt.want+"\n", string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tt.path, err, diff)
		}
	}
	for _, tt := range []struct {
		method, path string
		status       int
		want         string
	}{
		{http.MethodGet, "/stores/x", 404, "there is no store x"},
		{http.MethodGet, "/stores/x?limit=0", 400, "limit: a number from 1 to 10000 expected, not 0"},
		{http.MethodPost, "/rules/disable", 400, "read the request"},
		{http.MethodGet, "/top?interval=1ms", 400, "interval: a duration from 100ms"},
		{http.MethodGet, "/trace?pattern=*&sample=x", 400, "sample: a number"},
	} {
		err := c.Do(t.Context(), tt.method, tt.path, nil, nil)
		var e *control.Error
		if !errors.As(err, &e) || e.Status != tt.status || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
	if _, err := r.Inspector.SwitchRule("x", false); err == nil || err.Error() != "there is no rule x" {
		t.Errorf("%v", err)
	}
	n := 0
	if err := c.Lines(t.Context(), "/top?interval=100ms", func(line []byte) bool {
		var a inspect.TopAnswer
		if err := json.Unmarshal(line, &a); err != nil || a.V != 1 || a.Seconds < 0.05 {
			t.Errorf("%s: %v", line, err)
		}
		n++
		return n < 2
	}); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestTraceAllocatesNothing holds for events that are not selected and for those
// that are beyond the rate.
func TestTraceAllocatesNothing(t *testing.T) {
	r := newRig(t)
	tr, err := r.Trace(inspect.Query{Patterns: []string{"hookd.stop"}, Where: "signal", Sample: 1000}, func([]byte) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	defer tr.End()
	s := r.Shard(0)
	s.Enter()
	defer s.Leave()
	e := &hookdev.Stop{Reason: hookdev.StopReasonSignal}
	hookdev.OnStop.Emit(s, e)
	if n := testing.AllocsPerRun(500, func() { hookdev.OnStop.Emit(s, e) }); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}
