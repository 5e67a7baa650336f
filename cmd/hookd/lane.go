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
	opts   engineOptions
	sink   engine.Sink
	engine *engine.Engine
	fns    *flow.Functions
	front  *flow.Front
	seen   *sipObserver
}

// storedFrames are the frames of captures, whose bytes may stay where they were read.
type storedFrames interface {
	Next(f *capture.Frame) error
	// passedOver returns how many packets before that one were left out.
	passedOver() uint64
	flow.Storage
}

// newLane loads the scripts below paths; diagnostics go to w, what they say to
// sink.
func newLane(w io.Writer, o *houseOptions, paths []string, sink engine.Sink) (*lane, error) {
	opts, err := o.engineOptions(w, paths)
	if err != nil {
		return nil, err
	}
	l := &lane{opts: opts, sink: sink, fns: flow.NewFunctions()}
	l.engine = newEngine(opts, sink, l.fns)
	if err := applyScripts(l.engine, w, paths); err != nil {
		l.engine.Close()
		return nil, err
	}
	return l, nil
}

// begin sets up the lane's stacks, for frames whose bytes stay in from.
func (l *lane) begin(from flow.Storage) {
	c := l.opts.flow
	c.Overlaps, c.Storage = overlaps(l.engine), from
	c.Blocks = flow.NewBlocks(c.MaxBlocks, c.NeverBlock...)
	l.seen = observeSIP(l.engine, l.sink, l.opts.sip, l.opts.sniff, &c)
	l.front = flow.NewFront(l.engine.Shards(), c)
	l.front.WantStreams(readBy(l.engine.Reads))
	l.front.Install(l.fns)
}

// frame runs one packet through the lane.
func (l *lane) frame(f *capture.Frame) {
	shard := l.engine.Shard(0) // to enter one is to enter all
	shard.Enter()
	l.front.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	shard.Leave()
}

// end ends the lane's connections and tells its rules. An error says that bytes of
// streams were gone when they were wanted.
func (l *lane) end(reason hookdev.StopReason) error {
	l.front.Close()
	l.seen.close()
	l.engine.Stop(reason)
	l.front.Remove(l.fns)
	return goneBytes(l.front.Stats().Unread)
}
