package engine_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// fakeRuntime runs scripts that are Go: by path, what a script declares.
type fakeRuntime map[string]func(*fakeVM)

// fakeVM is a script's declarations in the making, then its functions.
type fakeVM struct {
	env   *engine.Env
	plan  engine.Plan
	funcs []func(*engine.Call) (engine.Decision, error)
	// decided is what the function that returned last decided.
	decided engine.Decision
	close   int
	waits   []*fakeWait

	released []engine.FuncID
}

// fakeWait is a handler of a fakeVM that waits, because it returned errWait.
type fakeWait struct {
	vm    *fakeVM
	call  *engine.Call
	ended func(engine.Decision, error)
}

var errWait = errors.New("this handler waits")

func (rt fakeRuntime) Compile(src engine.Source) (engine.Program, diag.List) {
	if string(src.Text) == "broken" {
		return nil, diag.List{{File: src.Path, Line: 1, Msg: "it is broken"}}
	}
	return fakeProgram{rt[src.Path]}, nil
}

func (rt fakeRuntime) CompileModule(src engine.Source) (any, diag.List) {
	if string(src.Text) == "broken" {
		return nil, diag.List{{File: src.Path, Line: 1, Msg: "it is broken"}}
	}
	return string(src.Text), nil
}

type fakeProgram struct{ declare func(*fakeVM) }

func (p fakeProgram) Stage(env *engine.Env) (engine.Instance, *engine.Plan, diag.List) {
	vm := &fakeVM{env: env}
	p.declare(vm)
	return vm, &vm.plan, nil
}

func (vm *fakeVM) fn(f func(*engine.Call) (engine.Decision, error)) engine.FuncID {
	vm.funcs = append(vm.funcs, f)
	return engine.FuncID(len(vm.funcs))
}

// note returns a handler that appends word to log.
func (vm *fakeVM) note(log *[]string, word string) engine.FuncID {
	return vm.fn(func(*engine.Call) (engine.Decision, error) {
		*log = append(*log, word)
		return engine.Decision{}, nil
	})
}

// when returns a filter that answers ok.
func (vm *fakeVM) when(ok bool) engine.FuncID {
	return vm.fn(func(*engine.Call) (engine.Decision, error) {
		if ok {
			return engine.Decision{Verdict: event.Verdict{Kind: 1}}, nil
		}
		return engine.Decision{}, nil
	})
}

func (vm *fakeVM) rule(name string, on []string, edit func(*engine.RuleDecl)) {
	d := &engine.RuleDecl{Name: name, Line: len(vm.plan.Rules) + 1}
	for _, o := range on {
		d.On = append(d.On, engine.PointRef{Name: o, Line: d.Line})
	}
	edit(d)
	vm.plan.Rules = append(vm.plan.Rules, d)
}

func (vm *fakeVM) event(name, on string, when engine.FuncID) {
	d := &engine.EventDecl{Name: name, Line: len(vm.plan.Events) + 1, When: when}
	if on != "" {
		d.On = &engine.PointRef{Name: on, Line: d.Line}
	}
	vm.plan.Events = append(vm.plan.Events, d)
}

func (vm *fakeVM) Filter(fn engine.FuncID, call *engine.Call) (bool, error) {
	d, err := vm.funcs[fn-1](call)
	return d.Decided(), err
}

func (vm *fakeVM) Run(fn engine.FuncID, call *engine.Call) (*engine.Decision, error) {
	d, err := vm.funcs[fn-1](call)
	if err == nil && d == (engine.Decision{}) {
		return nil, nil
	}
	vm.decided = d
	return &vm.decided, err
}

func (vm *fakeVM) MayWait(engine.FuncID) bool { return true }

func (vm *fakeVM) Start(fn engine.FuncID, call *engine.Call, ended func(engine.Decision, error)) engine.Suspended {
	d, err := vm.funcs[fn-1](call)
	if !errors.Is(err, errWait) {
		ended(d, err)
		return nil
	}
	w := &fakeWait{vm, call, ended}
	vm.waits = append(vm.waits, w)
	return w
}

// end ends the wait as if the handler had returned.
func (w *fakeWait) end(d engine.Decision, err error) {
	w.vm.env.Services.Later(func() { w.over(d, err) })
}

func (w *fakeWait) over(d engine.Decision, err error) {
	if i := slices.Index(w.vm.waits, w); i >= 0 {
		w.vm.waits = slices.Delete(w.vm.waits, i, i+1)
		w.ended(d, err)
	}
}

func (w *fakeWait) Cancel(cause error) { w.over(engine.Decision{}, cause) }

func (vm *fakeVM) Waiting() int { return len(vm.waits) }

func (vm *fakeVM) CancelWaits(cause error) {
	for _, w := range slices.Clone(vm.waits) {
		w.Cancel(cause)
	}
}
func (vm *fakeVM) Release(fn engine.FuncID) { vm.released = append(vm.released, fn) }

func (vm *fakeVM) Close() { vm.close++ }

// sink keeps what the engine reports.
type sink struct {
	logs      []engine.LogRecord
	alerts    []engine.AlertRecord
	decisions []engine.DecisionRecord
	errors    []engine.ErrorRecord
}

func (s *sink) Log(r *engine.LogRecord)           { s.logs = append(s.logs, *r) }
func (s *sink) Alert(r *engine.AlertRecord)       { s.alerts = append(s.alerts, *r) }
func (s *sink) Decision(r *engine.DecisionRecord) { s.decisions = append(s.decisions, *r) }
func (s *sink) ScriptError(r *engine.ErrorRecord) { s.errors = append(s.errors, *r) }

// rig is an engine over fake scripts.
type rig struct {
	*engine.Engine
	t    *testing.T
	sink *sink
	rt   fakeRuntime
}

func newRig(t *testing.T, limits engine.Limits, scripts fakeRuntime) *rig {
	t.Helper()
	s := &sink{}
	r := newRigTo(t, s, limits, scripts)
	r.sink = s
	return r
}

// newRigTo is newRig with a sink of its own.
func newRigTo(t *testing.T, s engine.Sink, limits engine.Limits, scripts fakeRuntime) *rig {
	t.Helper()
	e := engine.New(engine.Config{
		Catalogue: catalogue.New(catalogue.All()...),
		Scopes: map[string]engine.Scope{"flow": func(expr string) (func(any) bool, error) {
			return func(c any) bool { return c.(flowev.Conn).Server().Endpoint().String() == expr }, nil
		}},
		Sink:   s,
		Limits: limits,
	})
	e.Use(scripts)
	t.Cleanup(e.Close)
	return &rig{Engine: e, t: t, rt: scripts}
}

// sources lists the rig's scripts; text tells versions apart.
func (r *rig) sources(text string) []engine.Source {
	var list []engine.Source
	for path := range r.rt {
		list = append(list, engine.Source{Path: path, Text: []byte(text)})
	}
	return list
}

// up publishes the scripts and starts time at second 1000.
func (r *rig) up() *rig {
	r.t.Helper()
	if _, diags := r.Apply(r.sources("1")); diags.HasErrors() {
		r.t.Fatal(diags)
	}
	r.Start(1000e9)
	return r
}

// in runs fn with the shard entered.
func (r *rig) in(fn func(s *event.Shard)) {
	s := r.Shard(0)
	s.Enter()
	defer s.Leave()
	fn(s)
}

// start emits flow.conn_start.snd about c and returns the verdict.
func (r *rig) start(c flowev.Conn) (v event.Verdict) {
	r.in(func(s *event.Shard) {
		v = flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c, Side: flowev.SideClient})
	})
	return v
}

func (r *rig) advance(d time.Duration) {
	r.in(func(s *event.Shard) { s.Advance(s.Now() + int64(d)) })
}

// conn is a connection as far as rules here look at it.
type conn struct {
	flowev.Conn
	id     uint64
	client *peer
	server *peer
	slots  event.Slots
	ended  bool
}

func newConn(id uint64, client, server string) *conn {
	return &conn{id: id, client: &peer{at: netip.MustParseAddrPort(client)}, server: &peer{at: netip.MustParseAddrPort(server)}}
}

func (c *conn) ID() uint64          { return c.id }
func (c *conn) Label() string       { return "connection" }
func (c *conn) Ended() bool         { return c.ended }
func (c *conn) Slots() *event.Slots { return &c.slots }
func (c *conn) Client() flowev.Peer { return c.client }
func (c *conn) Server() flowev.Peer { return c.server }

type peer struct {
	flowev.Peer
	at netip.AddrPort
}

func (p *peer) IP() netip.Addr           { return p.at.Addr() }
func (p *peer) Port() uint16             { return p.at.Port() }
func (p *peer) Endpoint() netip.AddrPort { return p.at }
