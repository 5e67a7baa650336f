package flow

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// maxBlocksListed bounds what one call of flow.blocks lists.
const maxBlocksListed = 1000

// blockChange is a change of the table of blocks that is still to be told: handlers never nest, so what a handler did is
// raised when it has returned. How many there are is bounded by the handler's budget.
type blockChange struct {
	block Block
	why   flowev.UnblockReason // none: it was blocked
}

// blockTimers tell what happens to blocks.
type blockTimers struct {
	told, due event.Timer
	changes   []blockChange
}

// Block implements [flowev.Functions].
func (s *Stack) Block(c *event.Caller, what any, ttl time.Duration, hasTTL bool, reason string) error {
	p, err := prefixOf(what)
	if err != nil {
		return fmt.Errorf("flow.block: %w", err)
	}
	now := s.sh.Now()
	b := Block{Prefix: p, Reason: reason, Since: now, Until: never}
	if c != nil {
		b.Script, b.Rule, b.Observe = c.Script, c.Rule, c.Observe
	}
	switch {
	case !hasTTL:
	case ttl <= 0:
		return errors.New("flow.block: a time is more than 0")
	default:
		b.Until = later(now, ttl)
	}
	fresh, err := s.cfg.Blocks.Add(b)
	if err != nil {
		return fmt.Errorf("flow.block: %w", err)
	}
	s = s.teller()
	if t := &s.blocking.due; b.Until != never && (!t.Armed() || b.Until < t.When()) {
		s.sh.Timers().Arm(t, b.Until, s.expireBlocks)
	}
	if fresh && flowev.OnBlockStart.Wanted(s.sh) {
		s.tellLater(blockChange{block: b})
	}
	return nil
}

// Unblock implements [flowev.Functions].
func (s *Stack) Unblock(_ *event.Caller, what any) error {
	p, err := prefixOf(what)
	if err != nil {
		return fmt.Errorf("flow.unblock: %w", err)
	}
	b, err := s.cfg.Blocks.Remove(p)
	if err != nil {
		return fmt.Errorf("flow.unblock: %w", err)
	}
	if s = s.teller(); flowev.OnBlockEnd.Wanted(s.sh) {
		s.tellLater(blockChange{b, flowev.UnblockReasonUnblocked})
	}
	return nil
}

// Blocks implements [flowev.Functions].
func (s *Stack) Blocks(*event.Caller) (list any, total uint64) {
	blocks, n := s.cfg.Blocks.List(maxBlocksListed)
	items := make([]any, 0, len(blocks))
	for i := range blocks {
		b := &blocks[i]
		row := []event.KV{
			{Key: "prefix", Value: textOf(b.Prefix)},
			{Key: "since", Value: float64(b.Since) / 1e9},
			{Key: "pkts", Value: float64(b.Pkts)},
		}
		if b.Until != never {
			row = append(row, event.KV{Key: "expires", Value: float64(b.Until) / 1e9})
		}
		for _, kv := range []struct{ key, text string }{{"reason", b.Reason}, {"script", b.Script}, {"rule", b.Rule}} {
			if kv.text != "" {
				row = append(row, event.KV{Key: kv.key, Value: kv.text})
			}
		}
		items = append(items, row)
	}
	return items, uint64(n)
}

// prefixOf reads an address, a prefix or one end of a connection.
func prefixOf(what any) (netip.Prefix, error) {
	switch v := what.(type) {
	case string:
		return ParsePrefix(v)
	case flowev.Peer:
		a := wireForm(v.IP())
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, fmt.Errorf(`address or prefix such as "10.0.0.0/8" expected, got %s`, plain.Describe(what))
}

// later returns a time plus a duration, at most the last there is.
func later(now int64, d time.Duration) int64 {
	if t := now + int64(d); t >= now {
		return t
	}
	return never
}

// teller returns the stack that tells what happens to blocks: one for all, unless they are driven
// apart.
func (s *Stack) teller() *Stack {
	if s.common.apart {
		return s
	}
	return s.common.stacks[0]
}

// tellLater has a change raised before the next packet or timer.
func (s *Stack) tellLater(ch blockChange) {
	t := &s.blocking
	t.changes = append(t.changes, ch)
	if !t.told.Armed() {
		s.sh.Timers().Arm(&t.told, s.sh.Now(), func(int64) { s.tellBlocks() })
	}
}

// tellBlocks raises what changed. What its handlers change meanwhile is told after that.
func (s *Stack) tellBlocks() {
	t := &s.blocking
	changes := t.changes
	t.changes = nil
	for i := range changes {
		s.tellBlock(&changes[i])
	}
}

func (s *Stack) tellBlock(ch *blockChange) {
	b := &ch.block
	switch {
	case ch.why == flowev.UnblockReasonNone && flowev.OnBlockStart.Wanted(s.sh):
		e := flowev.BlockStart{Prefix: textOf(b.Prefix), TTL: b.TTL(), HasTTL: b.TTL() != 0, Reason: b.Reason, Script: b.Script, By: b.Rule, Observe: b.Observe}
		flowev.OnBlockStart.Emit(s.sh, &e)
	case ch.why != flowev.UnblockReasonNone && flowev.OnBlockEnd.Wanted(s.sh):
		e := flowev.BlockEnd{Prefix: textOf(b.Prefix), Reason: ch.why, Pkts: b.Pkts}
		flowev.OnBlockEnd.Emit(s.sh, &e)
	}
}

// expireBlocks takes out what is over, whichever shard blocked it.
func (s *Stack) expireBlocks(now int64) {
	over, next := s.cfg.Blocks.expired(now)
	if next != never {
		s.sh.Timers().Arm(&s.blocking.due, next, s.expireBlocks)
	}
	for i := range over {
		s.tellBlock(&blockChange{over[i], flowev.UnblockReasonExpired})
	}
}

// blocked looks for a block that the frame at hand meets, and reports whether the frame is done with:
// it does not pass, and no stack sees it.
func (s *Stack) blocked(p *packet.Packet) bool {
	if !p.IsIP() {
		return false
	}
	e := s.blockOf(p)
	if e == nil {
		return false
	}
	e.pkts.Add(1)
	s.stats.Blocked++
	if !e.Observe {
		s.said = max(s.said, flowev.VerdictDrop)
		s.outcome.Blocked = e.text
	}
	if flowev.OnBlocked.Wanted(s.sh) {
		s.ev.blocked = flowev.Blocked{Pkt: &s.pkt, Prefix: e.text, Reason: e.Reason}
		flowev.OnBlocked.Emit(s.sh, &s.ev.blocked)
	}
	if s.cfg.Verdicts != Apply || e.Observe {
		return false
	}
	s.report(nil, false)
	return true
}

// blockOf returns the block of any of the packet's addresses, of a tunnel's ends too; one that only
// observes where there is no other.
func (s *Stack) blockOf(p *packet.Packet) (seen *entry) {
	ends := [4]netip.Addr{p.Src.Netip(p.IPVersion), p.Dst.Netip(p.IPVersion)}
	n := 2
	if p.TunnelDepth > 0 {
		ends[2], ends[3] = p.OuterSrc.Netip(p.OuterVersion), p.OuterDst.Netip(p.OuterVersion)
		n = 4
	}
	for _, a := range ends[:n] {
		e := s.cfg.Blocks.find(a, s.sh.Now())
		if e != nil && !e.Observe {
			return e
		}
		seen = cmp.Or(seen, e)
	}
	return seen
}

// closeBlocks tells what is left to tell, and forgets timers.
func (s *Stack) closeBlocks() {
	s.sh.Timers().Stop(&s.blocking.told)
	s.sh.Timers().Stop(&s.blocking.due)
	s.tellBlocks()
	s.blocking.changes = nil
}
