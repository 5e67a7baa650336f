package flow

import (
	"bytes"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// replacing is what rules decided to replace in the frame at hand.
type replacing struct {
	named   bool          // there was anything
	said    packet.Change // everything; its payload is the rule's
	todo    packet.Change // of that, what is not done yet
	failed  bool          // the packet cannot be changed so
	changed bool          // the packet that the stack goes on with is another than the one that came
	came    endpoints     // of the packet as it came
	// Two frames: what is forwarded may be changed once more behind the receiver's stack, which has
	// bytes of the first one.
	frames [2][]byte
}

// endpoints are the addresses and ports of a packet.
type endpoints struct {
	src, dst         packet.Addr
	srcPort, dstPort uint16
}

func endpointsOf(p *packet.Packet) endpoints {
	return endpoints{p.Src, p.Dst, p.SrcPort, p.DstPort}
}

// joined is what several rules of one hook point replace.
type joined struct {
	args      flowev.ReplaceArgs
	conflicts uint64
}

// String says what is replaced.
func (j *joined) String() string { return j.args.String() }

// Join makes one verdict of two of the same kind at one hook point, of which kept was decided first.
// What both of two flow.replace name, kept decides.
func Join(kept, further event.Verdict) event.Verdict {
	if kept.Kind != flowev.VerdictReplace {
		return kept
	}
	both := &joined{}
	a, b := argsOf(kept, both), argsOf(further, both)
	if a != nil {
		both.args = *a
	}
	if b != nil {
		have := changeOf(&both.args)
		_, n := addChange(&have, changeOf(b))
		both.conflicts += n
		both.args = flowev.ReplaceArgs{
			Src: have.Src, Dst: have.Dst, SrcPort: have.SrcPort, HasSrcPort: have.HasSrcPort, DstPort: have.DstPort,
			HasDstPort: have.HasDstPort, TTL: have.TTL, HasTTL: have.HasTTL, Payload: have.Payload,
		}
	}
	kept.Args = both
	return kept
}

// argsOf returns what a verdict replaces, nil for nothing, and notes conflicts in it at at.
func argsOf(v event.Verdict, at *joined) *flowev.ReplaceArgs {
	switch args := v.Args.(type) {
	case *flowev.ReplaceArgs:
		return args
	case *joined:
		at.conflicts += args.conflicts
		return &args.args
	}
	return nil
}

func changeOf(a *flowev.ReplaceArgs) packet.Change {
	return packet.Change{
		Src: a.Src, Dst: a.Dst, SrcPort: a.SrcPort, HasSrcPort: a.HasSrcPort, DstPort: a.DstPort, HasDstPort: a.HasDstPort,
		TTL: a.TTL, HasTTL: a.HasTTL, Payload: a.Payload,
	}
}

// addChange adds to c what further names and c does not. It returns what it added, and how many fields both
// name with different values.
func addChange(c *packet.Change, further packet.Change) (added packet.Change, conflicts uint64) {
	name := func(has, adds, same bool) bool {
		if has && adds && !same {
			conflicts++
		}
		return adds && !has
	}
	if name(c.Src.IsValid(), further.Src.IsValid(), c.Src == further.Src) {
		c.Src, added.Src = further.Src, further.Src
	}
	if name(c.Dst.IsValid(), further.Dst.IsValid(), c.Dst == further.Dst) {
		c.Dst, added.Dst = further.Dst, further.Dst
	}
	if name(c.HasSrcPort, further.HasSrcPort, c.SrcPort == further.SrcPort) {
		c.SrcPort, c.HasSrcPort, added.SrcPort, added.HasSrcPort = further.SrcPort, true, further.SrcPort, true
	}
	if name(c.HasDstPort, further.HasDstPort, c.DstPort == further.DstPort) {
		c.DstPort, c.HasDstPort, added.DstPort, added.HasDstPort = further.DstPort, true, further.DstPort, true
	}
	if name(c.HasTTL, further.HasTTL, c.TTL == further.TTL) {
		c.TTL, c.HasTTL, added.TTL, added.HasTTL = further.TTL, true, further.TTL, true
	}
	if name(c.Payload != nil, further.Payload != nil, bytes.Equal(c.Payload, further.Payload)) {
		c.Payload, added.Payload = further.Payload, further.Payload
	}
	return added, conflicts
}

// replaces notes what a flow.replace says about the frame at hand.
func (s *Stack) replaces(v event.Verdict) {
	var told joined
	args := argsOf(v, &told)
	if args == nil {
		return
	}
	s.repl.named = true
	added, conflicts := addChange(&s.repl.said, changeOf(args))
	addChange(&s.repl.todo, added)
	s.stats.Conflicts += told.conflicts + conflicts
}

// begin forgets what was replaced in the frame before.
func (r *replacing) begin() {
	if r.named {
		*r = replacing{frames: r.frames}
	}
}

// changes reports whether there is something to replace, and that is followed.
func (s *Stack) changes() bool {
	return s.applies() && s.said == flowev.VerdictReplace && !s.repl.todo.Nothing()
}

// rewrite does to the frame at hand what rules said so far, which the receiver's stack then gets.
func (s *Stack) rewrite(st *step) {
	p := &s.pkt.p
	came := endpointsOf(p)
	frame, wire := s.changed(0)
	if frame == nil {
		return
	}
	s.repl.changed, s.repl.came = true, came
	p.Decode(s.outcome.Link, frame, wire, p.TS)
	st.data = p.Payload()[:len(st.data)]
	s.translate(st.x.conn, st.x.client, came, p)
}

// rewriteForwarded does the same to what is forwarded, once no stack gets anything of it.
func (s *Stack) rewriteForwarded(c flowev.Conn, fromClient bool) {
	if !s.changes() {
		return
	}
	p := &s.pkt.p
	came := endpointsOf(p)
	if s.repl.changed {
		came = s.repl.came
	}
	frame, wire := s.changed(1)
	if frame == nil || c == nil {
		return
	}
	var q packet.Packet
	q.Decode(s.outcome.Link, frame, wire, p.TS)
	s.translate(c, fromClient, came, &q)
}

// changed makes the frame that is forwarded in the place of the one at hand, and its length on the
// wire; nil if that is not possible.
func (s *Stack) changed(buffer int) (frame []byte, wire int) {
	p := &s.pkt.p
	frame, err := p.Rewrite(s.repl.frames[buffer][:0], &s.repl.todo)
	s.repl.todo = packet.Change{}
	if err != nil {
		s.stats.NotReplaced++
		s.repl.failed = true
		return nil, 0
	}
	s.repl.frames[buffer] = frame
	if wire = p.WireLen; len(frame) != len(p.Data) {
		wire = len(frame)
	}
	s.outcome.Data, s.outcome.WireLen = frame, wire
	s.stats.Replaced++
	return frame, wire
}
