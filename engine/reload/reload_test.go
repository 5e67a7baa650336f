package reload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/watch"
)

// runtime takes any script but those that hold the word broken; one that holds
// the word data reads list.txt.
type runtime struct{}

type program string

type instance struct{}

func (runtime) Compile(src engine.Source) (engine.Program, diag.List) {
	if strings.Contains(string(src.Text), "broken") {
		return nil, diag.List{{File: src.Path, Line: 1, Msg: "it is broken"}}
	}
	return program(src.Text), nil
}

func (runtime) CompileModule(engine.Source) (any, diag.List) { return nil, nil }

func (p program) Stage(env *engine.Env) (engine.Instance, *engine.Plan, diag.List) {
	if strings.Contains(string(p), "data") {
		if _, err := env.Data(env.Path, "list.txt"); err != nil {
			return nil, nil, diag.List{{File: env.Path, Msg: err.Error()}}
		}
	}
	return instance{}, &engine.Plan{}, nil
}

func (instance) Filter(engine.FuncID, *engine.Call) (bool, error) { return false, nil }

func (instance) Run(engine.FuncID, *engine.Call) (*engine.Decision, error) {
	return nil, nil
}

func (instance) MayWait(engine.FuncID) bool { return true }

func (instance) Start(_ engine.FuncID, _ *engine.Call, ended func(engine.Decision, error)) engine.Suspended {
	ended(engine.Decision{}, nil)
	return nil
}

func (instance) Waiting() int          { return 0 }
func (instance) CancelWaits(error)     {}
func (instance) Close()                {}
func (instance) Release(engine.FuncID) {}

// rig is a reloader on an engine whose error count the test sets.
type rig struct {
	*reload.Reloader
	engine *engine.Engine
	errors uint64
	now    time.Time
}

// Stage implements reload.Engine.
func (r *rig) Stage(sources []engine.Source) (*engine.Staged, diag.List) {
	return r.engine.Stage(sources)
}

// Refuse implements reload.Engine.
func (r *rig) Refuse(diags diag.List) { r.engine.Refuse(diags) }

// Stats implements reload.Engine.
func (r *rig) Stats() engine.Stats {
	st := r.engine.Stats()
	st.Errors = r.errors
	return st
}

func newRig(t *testing.T, cfg reload.Config) *rig {
	t.Helper()
	r := &rig{now: time.Unix(1000, 0)}
	r.engine = engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...), ReadFile: watch.ReadData})
	t.Cleanup(r.engine.Close)
	r.engine.Use(runtime{})
	cfg.Engine, cfg.Now = r, func() time.Time { return r.now }
	r.Reloader = reload.New(cfg)
	return r
}

func change(text string) watch.Change {
	return watch.Change{Sources: []engine.Source{{Path: "a.lua", Text: []byte(text)}}}
}

// TestApply checks what is live after each change, and what is told of it.
func TestApply(t *testing.T) {
	t.Parallel()
	var published []uint64
	r := newRig(t, reload.Config{
		Published: func(g *engine.Generation) { published = append(published, g.Number) },
		Verify: func(sources []engine.Source, changed []string) diag.List {
			if string(sources[0].Text) == "unsound" && slices.Equal(changed, []string{"a.lua"}) {
				return diag.List{{File: "a_spec.lua", Line: 3, Msg: "expected 1"}}
			}
			return nil
		},
	})
	steps := []struct {
		change watch.Change
		gen    uint64
		err    string
	}{
		{change("one"), 1, ""},
		{change("broken"), 1, "a.lua:1: it is broken"},
		{change("unsound"), 1, "a_spec.lua:3: expected 1"},
		{watch.Change{Err: os.ErrPermission}, 1, "permission denied"},
		{change("two"), 2, ""},
	}
	failures := uint64(0)
	for _, s := range steps {
		out := r.Apply(s.change)
		if s.err != "" {
			failures++
		}
		st := r.Status()
		if out.Generation != s.gen || out.Published != (s.err == "") || (out.Err == nil) != (s.err == "") {
			t.Errorf("%s: %+v", s.change.Sources, out)
		}
		if st.Generation != s.gen || st.LastError != s.err || st.Stale != (s.err != "") || st.Failures != failures {
			t.Errorf("%s: %+v", s.change.Sources, st)
		}
	}
	if diff := cmp.Diff([]uint64{1, 2}, published); diff != "" {
		t.Error(diff)
	}
}

// TestRollback checks that one goes back step by step, and on from there.
func TestRollback(t *testing.T) {
	t.Parallel()
	r := newRig(t, reload.Config{})
	if _, err := r.Rollback(); !errors.Is(err, reload.ErrNothingBefore) {
		t.Errorf("%v", err)
	}
	hash := map[string]string{}
	for _, text := range []string{"one", "two", "three"} {
		hash[text] = r.Apply(change(text)).Hash
	}
	for _, text := range []string{"two", "one"} {
		out, err := r.Rollback()
		if err != nil || out.Hash != hash[text] || !r.Status().Stale {
			t.Errorf("back to %s: %+v, %v", text, out, err)
		}
	}
	if _, err := r.Rollback(); !errors.Is(err, reload.ErrNothingBefore) {
		t.Errorf("%v", err)
	}
	r.Apply(change("four"))
	if out, err := r.Rollback(); err != nil || out.Hash != hash["one"] || r.Status().Generation != 7 {
		t.Errorf("%+v, %v", out, err)
	}
	for range 3 * reload.MaxHistory {
		r.now = r.now.Add(time.Second)
		r.Apply(change(r.now.String()))
	}
	if n := r.Status().History; n != reload.MaxHistory-1 {
		t.Errorf("%d sets to go back to", n)
	}
}

// TestProbation checks that a generation whose scripts fail too often is taken
// back, once, and that one which was live before is not.
func TestProbation(t *testing.T) {
	t.Parallel()
	r := newRig(t, reload.Config{MaxErrors: 5, Probation: 10 * time.Second})
	good := r.Apply(change("good")).Hash
	r.errors = 100
	r.Check()
	if st := r.Status(); st.Generation != 1 {
		t.Errorf("the first was taken back: %+v", st)
	}
	r.Apply(change("bad"))
	r.errors += 5
	r.Check()
	if st := r.Status(); st.Generation != 2 {
		t.Errorf("taken back for 5 errors: %+v", st)
	}
	r.errors++
	r.Check()
	st := r.Status()
	if st.Hash != good || st.Rollbacks != 1 || st.LastError != "generation 2 raised 6 errors and was taken back" {
		t.Errorf("%+v", st)
	}
	r.errors += 100
	r.Check()
	if r.Status().Generation != st.Generation {
		t.Error("what was good was taken back too")
	}
	r.Apply(change("better"))
	r.now = r.now.Add(11 * time.Second)
	r.Check()
	r.errors += 100
	r.Check()
	if st := r.Status(); st.Rollbacks != 1 {
		t.Errorf("taken back after its probation: %+v", st)
	}
}

// TestLastGood checks that the set which was live last is there at the next
// start, and what is said where it is damaged.
func TestLastGood(t *testing.T) {
	t.Parallel()
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reload.LastGood(dir); !errors.Is(err, reload.ErrNoLastGood) {
		t.Errorf("%v", err)
	}
	r := newRig(t, reload.Config{State: dir})
	want := watch.Change{Sources: []engine.Source{
		{Path: "rules/a.lua", Root: "rules", Text: []byte("one\x00\xff")},
		{Path: "rules/lib/m.lua", Root: "rules", Base: "rules", Module: "m", Text: []byte("return 1")},
	}}
	r.Apply(want)
	r.Apply(change("broken"))
	got, err := reload.LastGood(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Sources, got); diff != "" {
		t.Error(diff)
	}
	r.Apply(change("two"))
	if _, err := r.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got, _ = reload.LastGood(dir); len(got) != 2 {
		t.Errorf("after a rollback: %v", got)
	}
	for _, damage := range []string{"", "{}", `{"kind":"last-good","version":2}`, `{"kind":"last-good","version":1,"sources":2}` + "\n{}", `{"kind":"last-good","version":1,"sources":99999999}`} {
		if err := os.WriteFile(dir.Path("last-good"), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reload.LastGood(dir); err == nil || !strings.Contains(err.Error(), "last-good") {
			t.Errorf("%q: %v", damage, err)
		}
	}
}

// TestRun checks a whole session with files: a change, a broken one, a missing
// data file that comes, a rollback that stays until files change.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("rules", 0o755); err != nil {
		t.Fatal(err)
	}
	write("rules/a.lua", "one")
	w := watch.New(watch.Config{Paths: []string{"rules"}, SettleOne: 10 * time.Millisecond, SettleMany: 30 * time.Millisecond})
	live := make(chan *engine.Generation, 10)
	r := newRig(t, reload.Config{Published: func(g *engine.Generation) {
		w.SetData(g.Files)
		live <- g
	}})
	next := func() *engine.Generation {
		t.Helper()
		select {
		case g := <-live:
			return g
		case <-time.After(time.Minute):
			t.Fatalf("nothing was published: %+v", r.Status())
			return nil
		}
	}
	r.Apply(w.Read())
	one := next()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx, w) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	refused := func(n uint64) {
		t.Helper()
		for begin := time.Now(); r.Status().Failures < n; time.Sleep(time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				t.Fatalf("%+v", r.Status())
			}
		}
	}
	time.Sleep(30 * time.Millisecond) // the watches are set
	write("rules/a.lua", "broken")
	refused(1)
	write("rules/a.lua", "data")
	refused(2)
	write("rules/list.txt", "x")
	if g := next(); len(g.Files) != 1 || g.Files[0] != "rules/list.txt" {
		t.Errorf("%v", g.Files)
	}
	write("rules/list.txt", "y and more")
	next()
	if _, err := r.Rollback(); err != nil {
		t.Fatal(err)
	}
	next()
	if _, err := r.Rollback(); err != nil || next().Hash != one.Hash {
		t.Errorf("%v, %+v", err, r.Status())
	}
	time.Sleep(100 * time.Millisecond)
	if len(live) != 0 {
		t.Error("the watcher undid a rollback")
	}
	write("rules/a.lua", "four")
	next()
}
