package main

import (
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// lane is a rule set with an engine and stacks of its own, whose records are for
// something else than the output. Its shards are driven together.
type lane struct {
	engine *engine.Engine
	fns    *flow.Functions
	front  *flow.Front
	seen   *sipObserver
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
	opts.flow.Blocks = flow.NewBlocks(opts.flow.MaxBlocks, opts.flow.NeverBlock...)
	l.seen = observeSIP(l.engine, sink, opts.sip, opts.sniff, &opts.flow)
	l.front = flow.NewFront(l.engine.Shards(), opts.flow)
	l.front.WantStreams(l.engine.Reads(flow.StreamFields()...))
	l.front.Install(l.fns)
	return l, nil
}

// frame runs one packet through the lane.
func (l *lane) frame(f *capture.Frame) {
	shard := l.engine.Shard(0) // to enter one is to enter all
	shard.Enter()
	l.front.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	shard.Leave()
}

// end ends the lane's connections and tells its rules.
func (l *lane) end(reason hookdev.StopReason) {
	l.front.Close()
	l.seen.close()
	l.engine.Stop(reason)
	l.front.Remove(l.fns)
}
