package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// slot is where a script has something bound: a connection's hook point, or a
// timer of it where there is none.
type slot struct {
	conn   uint64
	script string
	point  string
}

// held is what is there: a function of a machine, or the named handler.
type held struct{ vm *fakeVM }

// world is what should be bound, kept beside the engine.
type world struct {
	t        *testing.T
	r        *rig
	rnd      *rand.Rand
	conns    map[uint64]*conn
	last     uint64
	version  map[string]int
	scripts  map[string]*binder
	machines []*fakeVM
	bound    map[slot]held
	draining map[string][]*fakeVM
	log      []string
}

const mostDraining = 2

// functionsOf counts what is bound to functions of a machine.
func (w *world) functionsOf(vm *fakeVM) (n int) {
	for _, h := range w.bound {
		if h.vm == vm {
			n++
		}
	}
	return n
}

// settle lets go of draining machines without functions.
func (w *world) settle() {
	for script := range w.draining {
		w.draining[script] = slices.DeleteFunc(w.draining[script], func(vm *fakeVM) bool { return w.functionsOf(vm) == 0 })
	}
}

// in calls fn in a handler of a script.
func (w *world) in(script string, fn func(c *engine.Call)) {
	b := w.scripts[script]
	b.act = fn
	w.r.in(func(s *event.Shard) {
		flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: newConn(1, "10.0.0.1:1", "10.0.0.2:80")})
	})
	b.act = func(*engine.Call) {}
}

func (w *world) pick() (*conn, string) {
	ids := make([]uint64, 0, len(w.conns))
	for id := range w.conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return w.conns[ids[w.rnd.IntN(len(ids))]], []string{"a.lua", "b.lua"}[w.rnd.IntN(2)]
}

func (w *world) handler(script string, named bool) (*engine.Handler, held) {
	b := w.scripts[script]
	if named {
		return &engine.Handler{Name: "named"}, held{}
	}
	vm := b.vm
	h := &engine.Handler{Instance: vm, Line: 5}
	h.Func = vm.fn(func(*engine.Call) (engine.Decision, error) {
		w.log = append(w.log, fmt.Sprintf("%s function %p", script, vm))
		return engine.Decision{}, nil
	})
	return h, held{vm}
}

// step does one thing at random, to the engine and to the model.
func (w *world) step() {
	c, script := w.pick()
	at := &engine.Attachment{Object: c, Type: "flow.conn"}
	point := []string{"flow.new_data", "flow.conn_end"}[w.rnd.IntN(2)]
	here := slot{c.id, script, point}
	switch w.rnd.IntN(12) {
	case 0, 1, 2, 3:
		h, is := w.handler(script, w.rnd.IntN(2) == 0)
		w.in(script, func(call *engine.Call) {
			if err := w.scripts[script].vm.env.Services.Bind(call, at, point, h); err != nil {
				w.t.Error(err)
			}
		})
		w.bound[here] = is
	case 4, 5:
		_, there := w.bound[here]
		w.in(script, func(call *engine.Call) {
			if err := w.scripts[script].vm.env.Services.Unbind(call, at, point); err == nil != there {
				w.t.Errorf("unbound: %v, there was one: %t", err, there)
			}
		})
		delete(w.bound, here)
	case 6:
		h, is := w.handler(script, false)
		w.in(script, func(call *engine.Call) {
			if err := w.scripts[script].vm.env.Services.Delay(call, at, time.Hour, w.rnd.IntN(2) == 0, h); err != nil {
				w.t.Error(err)
			}
		})
		w.bound[slot{c.id, script, fmt.Sprint("timer ", h.Func, is.vm.env.Gen)}] = is
	case 7:
		w.r.end(c)
		delete(w.conns, c.id)
		for at := range w.bound {
			if at.conn == c.id {
				delete(w.bound, at)
			}
		}
		w.open()
	case 8:
		w.reload(script)
	default:
		w.emit(c)
	}
	w.settle()
}

func (w *world) open() {
	w.last++
	w.conns[w.last] = newConn(w.last, "10.0.0.1:1000", "10.0.0.2:80")
}

// reload changes a script; its functions go on, at most so many machines.
func (w *world) reload(script string) {
	old := w.scripts[script].vm
	w.version[script]++
	if _, diags := w.r.Apply(w.sources()); diags.HasErrors() {
		w.t.Fatal(diags)
	}
	if w.functionsOf(old) == 0 {
		return
	}
	w.draining[script] = append(w.draining[script], old)
	if len(w.draining[script]) > mostDraining {
		for at, h := range w.bound {
			if h.vm == w.draining[script][0] {
				delete(w.bound, at)
			}
		}
	}
}

func (w *world) sources() (list []engine.Source) {
	for _, path := range []string{"a.lua", "b.lua"} {
		list = append(list, engine.Source{Path: path, Text: []byte(fmt.Sprint(w.version[path]))})
	}
	return list
}

// emit raises new_data and compares what ran.
func (w *world) emit(c *conn) {
	w.log = nil
	var want []string
	for _, script := range []string{"a.lua", "b.lua"} {
		if h, ok := w.bound[slot{c.id, script, "flow.new_data"}]; ok {
			word := fmt.Sprintf("%s function %p", script, h.vm)
			if h.vm == nil {
				word = script + " named " + fmt.Sprint(w.version[script])
			}
			want = append(want, word)
		}
	}
	w.r.data(c)
	if diff := cmp.Diff(want, w.log); diff != "" {
		w.t.Errorf("what ran (-want +got):\n%s", diff)
	}
}

// check compares counts, what is wanted and which machines are open.
func (w *world) check() {
	var bindings, delays, draining int
	wanted := false
	for at := range w.bound {
		switch at.point {
		case "flow.new_data":
			wanted = true
			bindings++
		case "flow.conn_end":
			bindings++
		default:
			delays++
		}
	}
	for _, list := range w.draining {
		draining += len(list)
	}
	open := 0
	for _, vm := range w.machines {
		open += 1 - vm.close
	}
	st := w.r.Stats()
	if st.Bindings != bindings || st.Delays != delays || st.Draining != draining || open != 2+draining || w.r.wanted() != wanted {
		w.t.Fatalf("%d machines open, wanted %t, %+v; want %d bindings, %d timers, %d draining, wanted %t",
			open, w.r.wanted(), st.DynamicStats, bindings, delays, draining, wanted)
	}
}

// TestBindingsAtRandom binds, unbinds, starts timers, ends connections and
// reloads at random, and compares with a model after each step.
func TestBindingsAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		w := &world{
			t: t, rnd: rand.New(rand.NewPCG(seed, 7)), conns: map[uint64]*conn{}, version: map[string]int{},
			scripts: map[string]*binder{}, bound: map[slot]held{}, draining: map[string][]*fakeVM{},
		}
		rt := fakeRuntime{}
		for _, path := range []string{"a.lua", "b.lua"} {
			b := &binder{act: func(*engine.Call) {}}
			w.scripts[path] = b
			rt[path] = func(vm *fakeVM) {
				b.script()(vm)
				w.machines = append(w.machines, vm)
				vm.rule("named", []string{"flow.new_data", "flow.conn_end"}, func(d *engine.RuleDecl) {
					d.Handler = true
					version := w.version[path]
					d.Run = vm.fn(func(*engine.Call) (engine.Decision, error) {
						w.log = append(w.log, fmt.Sprintf("%s named %d", path, version))
						return engine.Decision{}, nil
					})
				})
			}
		}
		w.r = newRig(t, engine.Limits{Draining: mostDraining}, rt)
		if _, diags := w.r.Apply(w.sources()); diags.HasErrors() {
			t.Fatal(diags)
		}
		w.r.Start(1000e9)
		for range 4 {
			w.open()
		}
		for i := range 400 {
			w.step()
			w.check()
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, i)
			}
		}
	}
}
