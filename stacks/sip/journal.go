package sip

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event/sipev"
)

// keptBytes is how much of a message is kept: all of most, and of others what shows whose
// they are.
const keptBytes = 4096

// Kept is a message that a stack got or sent some time ago.
type Kept struct {
	TS       int64 // nanoseconds since the epoch
	From, To netip.AddrPort
	Proto    sipev.Transport
	Raw      []byte // its first bytes, at most 4 KiB
}

// journal keeps the latest messages, for people who look at a call. What it holds of a
// message is used again for another, so keeping costs a copy and no allocation.
type journal struct {
	list []journalEntry
	all  uint64 // messages that there were
}

type journalEntry struct {
	ts  int64
	hop Hop
	out bool
	raw []byte
}

// entries of a journal are made several at once, each with room for most messages.
const (
	entriesAtOnce = 64
	entryBytes    = 1024
)

// grow makes room for further entries, up to so many in all.
func (j *journal) grow(most int) {
	n := min(entriesAtOnce, most-len(j.list))
	room := make([]byte, n*entryBytes)
	for i := range n {
		j.list = append(j.list, journalEntry{raw: room[i*entryBytes : i*entryBytes : (i+1)*entryBytes]})
	}
}

// note keeps a message of a hop.
func (s *Stack) note(hop *Hop, raw []byte, out bool) {
	j := &s.journal
	if len(j.list) < s.cfg.MaxKept && j.all == uint64(len(j.list)) {
		j.grow(s.cfg.MaxKept)
	}
	e := &j.list[j.all%uint64(len(j.list))]
	e.ts, e.hop, e.out, e.raw = s.shard.Now(), *hop, out, append(e.raw[:0], raw[:min(len(raw), keptBytes)]...)
	j.all++
}

// Kept copies kept messages, at most so many, from number seq on; 0 is the oldest. It
// returns the number to go on with.
func (s *Stack) Kept(seq uint64, most int) (list []Kept, next uint64) {
	j := &s.journal
	if n := uint64(len(j.list)); j.all > n {
		seq = max(seq, j.all-n)
	}
	for ; seq < j.all && len(list) < most; seq++ {
		e := &j.list[seq%uint64(len(j.list))]
		k := Kept{TS: e.ts, From: e.hop.Remote, To: e.hop.Local, Proto: e.hop.Proto, Raw: append([]byte(nil), e.raw...)}
		if !k.To.IsValid() || k.To.Addr().IsUnspecified() {
			if own, err := netip.ParseAddrPort(string(s.out.SentBy(nil, e.hop))); err == nil {
				k.To = own
			}
		}
		if e.out {
			k.From, k.To = k.To, k.From
		}
		list = append(list, k)
	}
	return list, seq
}

// Kept is [Stack.Kept] of what passed.
func (o *Observer) Kept(seq uint64, most int) ([]Kept, uint64) { return o.s.Kept(seq, most) }
