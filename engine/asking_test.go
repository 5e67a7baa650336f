package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// slowRuntime compiles while somebody else goes on.
type slowRuntime struct {
	fakeRuntime
	compiling, goOn chan struct{}
}

func (rt slowRuntime) Compile(src engine.Source) (engine.Program, diag.List) {
	if string(src.Text) == "slow" {
		rt.compiling <- struct{}{}
		<-rt.goOn
	}
	return rt.fakeRuntime.Compile(src)
}

// TestAskingWhileStaging checks that who asks what is live does not wait for who
// prepares what is to be, and that two who prepare do.
func TestAskingWhileStaging(t *testing.T) {
	rt := slowRuntime{
		fakeRuntime: fakeRuntime{"a.lua": func(vm *fakeVM) { vm.rule("a", startSnd, func(*engine.RuleDecl) {}) }},
		compiling:   make(chan struct{}), goOn: make(chan struct{}),
	}
	r := newRig(t, engine.Limits{}, rt.fakeRuntime)
	r.Use(rt)
	r.up()
	staged := make(chan diag.List)
	go func() {
		_, diags := r.Apply(r.sources("slow"))
		staged <- diags
	}()
	<-rt.compiling
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		r.Stats()
		r.Live().Plan()
		r.Reads("flow.peer.sent")
		r.State("a.lua")
		r.Scripts()
		if _, err := r.SwitchRule("a.lua", "a", false); err != nil {
			t.Error(err)
		}
		if rules := r.Rules(); len(rules) != 1 || !rules[0].Halted {
			t.Errorf("%+v", rules)
		}
	}()
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Error("who asks waits for a compiler")
	}
	second := make(chan diag.List)
	go func() {
		_, diags := r.Apply(r.sources("other"))
		second <- diags
	}()
	select {
	case <-second:
		t.Error("two generations are prepared at a time")
	case <-time.After(20 * time.Millisecond):
	}
	rt.goOn <- struct{}{}
	if diags := <-staged; diags.HasErrors() {
		// The other may have been staged between: then this one is not published.
		t.Log(diags)
	}
	<-second
	if n := r.Generation(); n < 2 {
		t.Errorf("generation %d", n)
	}
}

// TestReadingBeforeLive checks that stacks hear what a generation reads before any
// shard has it.
func TestReadingBeforeLive(t *testing.T) {
	var e *engine.Engine
	var heard []string
	rt := fakeRuntime{"a.lua": func(vm *fakeVM) { vm.rule("a", startSnd, func(*engine.RuleDecl) {}) }}
	e = engine.New(engine.Config{
		Catalogue: catalogue.New(catalogue.All()...), Shards: 2, Drive: event.Apart,
		Reading: func(may func(...string) bool) {
			heard = append(heard, fmt.Sprint(e.Generation(), may("flow.peer.sent"))) // what is no Reader may read all
			for i := range 2 {
				e.Shard(i).Enter() // as stacks do
				e.Shard(i).Leave()
			}
		},
	})
	defer e.Close()
	e.Use(rt)
	for _, text := range []string{"1", "2"} {
		if _, diags := e.Apply([]engine.Source{{Path: "a.lua", Text: []byte(text)}}); diags.HasErrors() {
			t.Fatal(diags)
		}
	}
	if diff := cmp.Diff([]string{"0 true", "1 true"}, heard); diff != "" {
		t.Error(diff)
	}
}
