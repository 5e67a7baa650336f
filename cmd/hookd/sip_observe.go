package main

import (
	"fmt"
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/sniff"
)

// sipObserver is SIP in the packets that a flow stack reads: what is found there raises
// the events of SIP, for rules that look on.
type sipObserver struct {
	shard    *event.Shard
	finder   *sniff.Finder
	observer *sip.Observer
}

// observeSIP has the stacks that are made with cfg look for SIP. What rules change of
// messages goes to sink as a decision.
func observeSIP(e *engine.Engine, sink engine.Sink, transactions sip.Config, look sniff.Config, cfg *flow.Config) *sipObserver {
	set := e.Shards()
	transactions.Watcher = nil // what passes is not this server's
	o := &sipObserver{shard: set.At(0), observer: sip.NewObserver(set.At(0), transactions)}
	o.observer.Changed = func(c *event.Caller, what string) {
		r := engine.DecisionRecord{
			Origin: engine.Origin{TS: c.Shard.Now(), Gen: c.Gen, Script: c.Script, Rule: c.Rule, Line: c.At()},
			Point:  c.Point, Verdict: "sip.edit", Change: true, Args: edited(what),
		}
		if info, _, err := e.Catalogue().Find(c.Point); err == nil && info.Subject() != nil {
			if r.Subject, _ = info.Subject().Get.Object(c.Event).(event.Kept); r.Subject != nil {
				r.Conn = r.Subject.ID()
			}
		}
		sink.Decision(&r)
	}
	apart := set.Drive() == event.Apart
	look.Elsewhere = look.Elsewhere && !apart // what is elsewhere may be in any shard
	o.finder = sniff.New(look, sip.Wanted, func(_ *event.Shard, m *sniff.Message) {
		o.observer.Pass(sip.Hop{Proto: m.Proto, Local: m.To, Remote: m.From, Conn: m.Conn}, m.Raw)
	})
	cfg.Reader = o.finder
	if apart {
		cfg.First = o.finder.Port
	}
	return o
}

// edited is what a rule changed, as the argument of a decision.
type edited string

// String implements [fmt.Stringer].
func (e edited) String() string { return string(e) }

// close ends the transactions that are left. Nobody has entered a shard.
func (o *sipObserver) close() {
	o.shard.Enter()
	o.observer.Close()
	o.shard.Leave()
}

// seenStats are the counters of SIP that passes.
type seenStats struct {
	Found        sniff.Stats
	Transactions sip.Stats
}

// stats returns them. The caller has entered no shard.
func (o *sipObserver) stats() seenStats {
	o.shard.Enter()
	defer o.shard.Leave()
	return seenStats{o.finder.Stats(), o.observer.Stats()}
}

// write tells a person what was seen, if anything was.
func (o *sipObserver) write(w io.Writer) {
	seen := o.stats()
	found, st := &seen.Found, &seen.Transactions
	if found.Messages == 0 && found.Other == 0 {
		return
	}
	fmt.Fprintf(w, "%d SIP requests, %d replies, %d transactions\n", st.Requests, st.Replies, st.Began)
	writeCounts(w, "of SIP", []count{
		{st.Malformed, "malformed messages"},
		{found.Cut, "cut off by the capture"},
		{found.Other, "datagrams on its ports, and messages of its WebSockets, that are none"},
		{found.Packed, "compressed messages of WebSockets, which are not read"},
		{st.Stray, "replies and ACKs of nothing that was seen"},
		{found.Lost, "gaps in its connections"},
		{found.Unframed, "places without Content-Length"},
		{st.NoRoom, "not followed for lack of room"},
		{found.Refused, "connections not read for lack of room"},
		{st.HeldOver, "dropped behind handlers that wait"},
	})
}

// messages gives each the latest messages that passed, oldest first.
func (o *sipObserver) messages(each func(m *sip.Kept)) {
	for seq := uint64(0); ; {
		o.shard.Enter()
		list, next := o.observer.Kept(seq, 64)
		o.shard.Leave()
		if len(list) == 0 {
			return
		}
		for i := range list {
			each(&list[i])
		}
		seq = next
	}
}
