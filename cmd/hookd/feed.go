package main

import (
	"cmp"
	"errors"
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// entryFrames bounds how many packets are handled in one entry of the shard.
const entryFrames = 64

// shardsUsage describes --shards.
const shardsUsage = "spread connections over so many shards; 1 by default, or as many as --jobs"

// spread returns how many shards there are and how they are driven.
func (o *houseOptions) spread() (int, event.Drive, error) {
	switch {
	case o.shards < 0 || o.shards > engine.MaxShards:
		return 0, 0, usagef("--shards %d: 1 to %d", o.shards, engine.MaxShards)
	case o.jobs < 0 || o.jobs > engine.MaxShards:
		return 0, 0, usagef("--jobs %d: 1 to %d", o.jobs, engine.MaxShards)
	case o.jobs <= 1:
		return max(o.shards, 1), event.Together, nil
	case o.shards != 0 && o.shards < o.jobs:
		return 0, 0, usagef("--jobs %d: there are only %d shards", o.jobs, o.shards)
	}
	return max(o.shards, o.jobs), event.Apart, nil
}

// frameSource is where packets come from: captures, merged.
type frameSource interface {
	// Next gives the next packet, lent until the call after; io.EOF behind the
	// last one.
	Next(f *capture.Frame) error
	// waits reports whether Next may have to wait for a program that is writing.
	waits() bool
	// progress returns how much was read of how much; 0 where that is not known.
	progress() (read, size int64)
}

// feed runs every packet of src through the flow stacks. What was read before an
// error counts: connections end, and the stop is announced, all the same. Before
// it waits for packets it writes the records out.
func (h *house) feed(src frameSource, stop *interrupt) (flow.Stats, error) {
	front := flow.NewFront(h.engine.Shards(), h.stack)
	front.WantStreams(h.engine.Reads(flow.StreamFields()...) || h.whereReads(flow.StreamFields()))
	front.Install(h.flow)
	defer front.Remove(h.flow)
	var f capture.Frame
	err := src.Next(&f)
	h.engine.Start(f.TS)
	switch {
	case err != nil:
	case h.jobs > 1:
		err = h.feedJobs(front, src, &f, stop)
	default:
		err = h.feedInTurn(front, src, &f, stop)
	}
	h.progress.clear()
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

// feedInTurn handles the packet in f and those behind it, in order.
func (h *house) feedInTurn(front *flow.Front, src frameSource, f *capture.Frame, stop *interrupt) (err error) {
	shard := h.engine.Shard(0) // to enter one is to enter all
	for {
		shard.Enter()
		for n := 1; ; n++ {
			front.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
			if n >= h.entry() || src.waits() {
				break
			}
			if err = src.Next(f); err != nil {
				break
			}
		}
		shard.Leave()
		if err != nil || !h.goesOn(src, front.Frames(), stop) {
			return err
		}
		if err = src.Next(f); err != nil {
			return err
		}
	}
}

// entry is how many packets are handled in one entry of a shard.
func (h *house) entry() int { return cmp.Or(h.batch, entryFrames) }

// goesOn does what is due between two entries of the shard, after so many frames,
// and reports whether anybody wants more.
func (h *house) goesOn(src frameSource, frames uint64, stop *interrupt) bool {
	if src.waits() {
		h.out.Push()
	}
	if h.out.Err() != nil || h.packets != nil && h.packets.err != nil {
		return false // a closed pipe: nobody reads on
	}
	h.progress.tell(src, frames)
	return !stop.happened()
}
