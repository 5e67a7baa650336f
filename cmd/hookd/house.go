package main

import (
	"errors"
	"io"
	"log/slog"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/inspect"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/trace"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/runtime/lua"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/edge"
	"github.com/hookd/hookd/stacks/sip/services"
	"github.com/hookd/hookd/stacks/sip/sniff"
	"github.com/hookd/hookd/stacks/sock/scripted"
)

// house is the engine with its runtime, and where its records go.
type house struct {
	engine *engine.Engine
	flow   *flow.Functions
	out    *trace.Writer
	// stack are the settings of the flow stack.
	stack flow.Config
	// sipConfig and sniff are the settings of SIP in packets, seen what finds it; nil: nobody
	// looks.
	sipConfig sip.Config
	sniff     sniff.Config
	seen      *sipObserver
	sink      engine.Sink
	// notes and packets are there where packets are written.
	notes   *trace.Notes
	packets *packetWriter
	// jobs is how many goroutines run shards, batch how many packets they handle in
	// one entry; 0 means 1 and [feed.EntryFrames].
	jobs, batch int
	// online asks the network for what scripts wait for; nil: nobody does.
	online *online
	// where selects what is printed; nil: all that is asked for.
	where *inspect.Filter
	// progress is shown while captures are read; nil shows nothing.
	progress *progress
}

// houseOptions are the flags that every subcommand which runs scripts has.
type houseOptions struct {
	observe bool
	debug   bool
	// checkNative compares native forms of functions with the functions.
	checkNative bool
	limit       []string // NAME=VALUE
	flow        []string // NAME=VALUE, or NAME for what is true
	state       string   // directory; empty: nothing persists
	shards      int      // 0: as many as jobs, else one
	jobs        int      // more than one: shards run at the same time
	daemon      bool     // what settings say of daemons holds
}

// flowUsage describes --flow.
const flowUsage = "NAME=VALUE: a setting of the flow stack; 'hookd doc settings' lists them (repeatable)"

// engineOptions are what an engine is made with beside its surroundings.
type engineOptions struct {
	observe bool
	// checkNative compares native forms of functions with the functions.
	checkNative bool
	limits      engine.Limits
	flow        flow.Config
	// loop are the settings of the event loops.
	loop loop.Tuning
	// loops are the event loops; nil: no sockets are opened.
	loops *loop.Group
	// asks are what scripts call of the loops; nil: the loops' own.
	asks loopev.Functions
	// socks are the connections of this host; nil: none is touched.
	socks *scripted.Stack
	// sip are the SIP stack's settings, sips its listeners; nil: none is opened.
	sip   sip.Config
	sniff sniff.Config
	sock  scripted.Config
	sips  *edge.Group
	// services are the settings of what SIP policies call, desk who has it; nil: one of
	// the engine's own.
	services services.Config
	desk     *services.Desk
	state    *statedir.Dir
	notes    bool // what rules decide is noted for each packet
	shards   int
	drive    event.Drive
	metrics  string // where settings say that metrics are served
	// trial, if not 0, numbers a trial beside the engine inherit; undone is told what its
	// scripts do not do.
	trial   uint64
	inherit *engine.Engine
	undone  func(*event.Shard, string)
	// threadCPU measures what rules cost; nil: nobody asks.
	threadCPU func() int64
	// reading is told what a generation reads before it is live; nil: nobody asks.
	reading func(may func(fields ...string) bool)
}

// engineOptions reads the settings of the scripts below paths and opens the
// state directory.
func (o *houseOptions) engineOptions(w io.Writer, paths []string) (engineOptions, error) {
	set, err := readSettings(w, paths, o)
	if err != nil {
		return engineOptions{}, err
	}
	opts := engineOptions{observe: set.observe, sniff: set.sniff, checkNative: o.checkNative, limits: set.limits, flow: set.flow, loop: set.loop, sip: set.sip, services: set.services, sock: set.sock}
	if o.daemon && o.shards == 0 {
		o.shards = set.shards
	}
	if opts.shards, opts.drive, err = o.spread(); err != nil {
		return engineOptions{}, err
	}
	opts.metrics = set.metrics
	if o.state != "" {
		if opts.state, err = statedir.Open(o.state); err != nil {
			return opts, fail(exitIO, err)
		}
	}
	return opts, nil
}

// newHouse wires engine, runtime and stacks. Records go to records, log lines to
// logs.
func newHouse(o engineOptions, debug bool, records, logs io.Writer) *house {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	h := &house{flow: flow.NewFunctions(), stack: o.flow}
	h.stack.Blocks = flow.NewBlocks(o.flow.MaxBlocks, o.flow.NeverBlock...)
	h.out = trace.NewWriter(records, slog.NewTextHandler(logs, &slog.HandlerOptions{Level: level}), func() uint64 {
		return h.engine.Generation()
	})
	var sink engine.Sink = h.out
	if o.notes {
		h.notes = &trace.Notes{Sink: h.out}
		sink = h.notes
	}
	h.sink, h.sipConfig, h.sniff = sink, o.sip, o.sniff
	h.engine = newEngine(o, sink, h.flow)
	h.stack.Overlaps = overlaps(h.engine)
	return h
}

// newEngine wires an engine to the stacks' catalogue and to Lua. Scripts call fns,
// which knows the stacks that are installed in it later.
func newEngine(o engineOptions, sink engine.Sink, fns *flow.Functions) *engine.Engine {
	cat := catalogue.New(catalogue.All()...)
	loops := o.loops
	if loops == nil {
		loops = newLoops(loop.Config{})
	}
	var asks loopev.Functions = loops
	if o.asks != nil {
		asks = o.asks
	}
	socks := o.socks
	if socks == nil {
		socks = scripted.New(o.sock, nil)
	}
	sips := o.sips
	if sips == nil {
		sips = edge.New(edge.Config{})
	}
	desk := o.desk
	if desk == nil {
		o.services.Repeatable = o.sips == nil // a capture: nobody is served
		desk = services.New(o.services)
	}
	e := engine.New(engine.Config{
		Catalogue: cat,
		Scopes:    map[string]engine.Scope{"flow": flow.CompileScope},
		Joins:     map[string]engine.Join{"flow": flow.Join},
		Fixtures:  map[string]engine.Fixtures{"loop": listeners{loops}, "sip": sipListeners{sips}, "dispatcher": sipSets{desk, o.trial != 0}},
		Sink:      sink,
		Observe:   o.observe,

		CheckNative: o.checkNative,
		Limits:      o.limits,
		ThreadCPU:   o.threadCPU,
		Reading:     o.reading,
		ReadFile:    watch.ReadData,
		State:       o.state,
		Shards:      o.shards,
		Drive:       o.drive,
		Shipped:     shipped(),
		Inherit:     o.inherit,
	})
	loops.Keep(shelf(e.Stores()))
	e.Use(lua.New(lua.Config{Catalogue: cat, Functions: e.Functions(), Flow: fns, Loop: asks, SIP: sipFunctions{desk, sips.Requests()}, Sock: socks, Limits: e.Limits(), Trial: o.trial, Undone: o.undone}))
	return e
}

// overlaps asks the live rules which copies hold of bytes that are sent twice.
func overlaps(e *engine.Engine) func(*event.Shard, flowev.Conn, flow.Overlap, flow.Overlap) (flow.Overlap, flow.Overlap, bool) {
	read := func(word string, otherwise flow.Overlap) flow.Overlap {
		switch word {
		case "first":
			return flow.OverlapFirst
		case "last":
			return flow.OverlapLast
		}
		return otherwise
	}
	return func(sh *event.Shard, c flowev.Conn, client, server flow.Overlap) (flow.Overlap, flow.Overlap, bool) {
		ofClient, ofServer, disputed := e.Overlap(sh, c)
		return read(ofClient, client), read(ofServer, server), disputed
	}
}

// load reads the scripts below paths and makes them live; diagnostics go to w.
func (h *house) load(w io.Writer, paths []string) error { return applyScripts(h.engine, w, paths) }

// applyScripts makes the scripts below paths live in e; diagnostics go to w.
func applyScripts(e *engine.Engine, w io.Writer, paths []string) error {
	sources, err := watch.Scan(paths...)
	if err != nil {
		return fail(exitIO, err)
	}
	_, diags := e.Apply(sources)
	if err := report(w, diags); err != nil {
		return fail(exitIO, err)
	}
	if diags.HasErrors() {
		return fail(exitScripts, errors.New("scripts do not load"))
	}
	return nil
}

// report renders diagnostics for a person.
func report(w io.Writer, diags diag.List) error {
	for _, d := range diags {
		if err := d.Render(w, useColor(w)); err != nil {
			return err
		}
	}
	return nil
}
