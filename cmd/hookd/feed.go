package main

import (
	"errors"
	"io"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// entryFrames bounds how many packets are handled in one entry of the shard.
const entryFrames = 64

// maxShards bounds --shards and --jobs: each shard has a machine for each script.
const maxShards = 256

// shardsUsage describes --shards.
const shardsUsage = "spread connections over so many shards; 1 by default, or as many as --jobs"

// spread returns how many shards there are and how they are driven.
func (o *houseOptions) spread() (int, event.Drive, error) {
	switch {
	case o.shards < 0 || o.shards > maxShards:
		return 0, 0, usagef("--shards %d: 1 to %d", o.shards, maxShards)
	case o.jobs < 0 || o.jobs > maxShards:
		return 0, 0, usagef("--jobs %d: 1 to %d", o.jobs, maxShards)
	case o.jobs <= 1:
		return max(o.shards, 1), event.Together, nil
	case o.shards != 0 && o.shards < o.jobs:
		return 0, 0, usagef("--jobs %d: there are only %d shards", o.jobs, o.shards)
	}
	return max(o.shards, o.jobs), event.Apart, nil
}

// feed runs every packet of src through the flow stacks. What was read before an
// error counts: connections end, and the stop is announced, all the same.
func (h *house) feed(src *merged, stop *interrupt, jobs, batch int) (flow.Stats, error) {
	front := flow.NewFront(h.engine.Shards(), h.stack)
	front.WantStreams(h.engine.Reads(flow.StreamFields()...))
	front.Install(h.flow)
	defer front.Remove(h.flow)
	var f capture.Frame
	err := src.Next(&f)
	h.engine.Start(f.TS)
	if err == nil {
		if jobs > 1 {
			err = h.feedJobs(front, src, &f, stop, jobs, batch)
		} else {
			err = h.feedInTurn(front, src, &f, stop, batch)
		}
	}
	front.Close()
	reason := hookdev.StopReasonDone
	switch {
	case stop.happened():
		reason, err = hookdev.StopReasonSignal, errInterrupted
	case errors.Is(err, io.EOF):
		err = nil
	default:
		reason = hookdev.StopReasonError
	}
	h.engine.Stop(reason)
	return front.Stats(), err
}

// over reports whether no further packets are wanted.
func (h *house) over(stop *interrupt) bool {
	// A closed pipe: nobody reads on.
	return h.out.Err() != nil || h.packets != nil && h.packets.err != nil || stop.happened()
}

// feedInTurn handles the packet in f and those behind it, in order.
func (h *house) feedInTurn(front *flow.Front, src *merged, f *capture.Frame, stop *interrupt, batch int) (err error) {
	shard := h.engine.Shard(0) // to enter one is to enter all
	for err == nil && !h.over(stop) {
		shard.Enter()
		for n := 0; err == nil && n < batch; n++ {
			front.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
			err = src.Next(f)
		}
		shard.Leave()
	}
	return err
}
