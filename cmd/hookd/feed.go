package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// shardsUsage describes --shards.
const shardsUsage = "spread connections over so many shards; 1 by default, or as many as --jobs"

// spread returns how many shards there are and how they are driven.
func (o *houseOptions) spread() (int, event.Drive, error) {
	switch {
	case o.shards < 0 || o.shards > engine.MaxShards:
		return 0, 0, usagef("--shards %d: 1 to %d", o.shards, engine.MaxShards)
	case o.jobs > engine.MaxShards:
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
	// Next gives the next packet, lent until the call after; [feed.ErrIdle] where none
	// is found for now, and io.EOF behind the last one.
	Next(f *capture.Frame) error
	// waits reports whether Next may have to wait for a program that is writing.
	waits() bool
	// progress returns how much was read of how much; 0 where that is not known.
	progress() (read, size int64)
	// swap has what Next lends from then on stay as it is: Next gives f a window of a capture of which no
	// more frames come, and gets another of at least n bytes; it may get the same.
	swap(f func(window []byte, n int) []byte)
}

// feed runs every packet of src through the flow stacks. What was read before an
// error counts: connections end, and the stop is announced, all the same. Before
// it waits for packets it writes the records out.
func (h *house) feed(src frameSource, stop *interrupt) (flow.Stats, error) {
	h.seen = observeSIP(h.engine, h.sink, h.sipConfig, h.sniff, &h.stack)
	if from, ok := src.(flow.Storage); ok {
		h.stack.Storage = from
	}
	front := flow.NewFront(h.engine.Shards(), h.stack)
	front.WantStreams(readBy(h.engine.Reads))
	front.Install(h.flow)
	defer front.Remove(h.flow)
	var err error
	if h.jobs > 1 {
		err = h.feedJobs(front, src, stop)
	} else {
		err = h.feedInTurn(front, src, stop)
	}
	if stop.happened() {
		err = errInterrupted
	}
	reason, err := endedBy(err)
	h.seen.close()
	h.engine.Stop(reason)
	stats := front.Stats()
	if err == nil {
		err = goneBytes(stats.Unread)
	}
	return stats, err
}

// goneBytes is the error of a capture that n bytes of streams are no longer in.
func goneBytes(n uint64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d bytes of streams could not be read again: the capture was cut short meanwhile, or its disk fails", n)
}

// readBy says what a flow stack is to keep for who may read it.
func readBy(may func(fields ...string) bool) (streams, firsts bool) {
	return may(flow.StreamFields()...), may(flow.FirstCopyFields()...)
}

// feedInTurn handles the packets in order, as a daemon does, but that no clock is
// followed.
func (h *house) feedInTurn(front *flow.Front, src frameSource, stop *interrupt) error {
	ctx, cancel := context.WithCancel(stop.ctx)
	defer cancel()
	settle := func() {
		if h.online != nil {
			h.online.settle(ctx)
		}
	}
	defer settle() // what handlers asked when connections ended
	return feed.New(feed.Config{
		Shards: h.engine.Shards(), Front: front, Sources: []feed.Source{&replaying{src, h.progress}}, Entry: h.entry(),
		Begin: func(ts int64) { h.engine.Start(ts); settle() }, Now: func() int64 { return 0 },
		Between: func() {
			settle()
			if !h.goesOn(src, front.Frames(), stop) {
				cancel()
			}
		},
	}).Run(ctx)
}

// replaying is a [feed.Source] of captures.
type replaying struct {
	frameSource
	progress *progress
}

// Next implements [feed.Source]: what would have to wait for a program that is writing
// is not waited for in a shard.
func (r *replaying) Next(f *capture.Frame, wait time.Duration) error {
	if wait == 0 && r.waits() {
		return feed.ErrIdle
	}
	err := r.frameSource.Next(f)
	if err != nil && !errors.Is(err, feed.ErrIdle) {
		r.progress.clear() // records of what ends now may follow
	}
	return err
}

// Wake implements [feed.Source]: a read that waits ends with the context that the
// captures were opened with.
func (r *replaying) Wake() {}

// entry is how many packets are handled in one entry of a shard.
func (h *house) entry() int { return cmp.Or(h.batch, feed.EntryFrames) }

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
