package main

import (
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// lane is a rule set with an engine and a stack of its own.
type lane struct {
	engine *engine.Engine
	fns    *flow.Functions
	stack  *flow.Stack
}

// newLane loads the scripts below paths; diagnostics go to w, what they say to
// sink.
func newLane(w io.Writer, o *houseOptions, paths []string, sink engine.Sink) (*lane, error) {
	opts, err := o.engineOptions(w, paths)
	if err != nil {
		return nil, err
	}
	l := &lane{fns: flow.NewFunctions()}
	l.engine = newEngine(opts, sink, l.fns)
	if err := applyScripts(l.engine, w, paths); err != nil {
		l.engine.Close()
		return nil, err
	}
	opts.flow.Overlaps = overlaps(l.engine)
	l.stack = flow.New(l.engine.Shard(0), opts.flow)
	l.stack.WantStreams(l.engine.Reads(flow.StreamFields()...))
	l.fns.Install(l.stack)
	return l, nil
}

// frame runs one packet through the lane.
func (l *lane) frame(f *capture.Frame) {
	shard := l.engine.Shard(0)
	shard.Enter()
	l.stack.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	shard.Leave()
}

// end ends the lane's connections and tells its rules.
func (l *lane) end(reason hookdev.StopReason) {
	shard := l.engine.Shard(0)
	shard.Enter()
	l.stack.Close()
	shard.Leave()
	l.engine.Stop(reason)
	l.fns.Remove(l.stack)
}
