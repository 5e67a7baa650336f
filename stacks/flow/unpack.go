package flow

import (
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/ipcomp"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// unpacker makes datagrams of what carries them in other forms than a tunnel does: fragments, and
// compressed payloads. It stands before the shards, since neither has ports to choose one by.
type unpacker struct {
	frags   *fragment.Table
	inflate ipcomp.Inflater
	inside  packet.Inside // where one goroutine unpacks
}

func newUnpacker(cfg *Config) *unpacker {
	return &unpacker{frags: fragment.New(cfg.Fragments)}
}

// concerns reports whether add may do something to p. What was unpacked is not unpacked again, for what it
// lies in is lent; and what is sampled elsewhere does not meet what passes here.
func (u *unpacker) concerns(p *packet.Packet) bool {
	return (p.Class == packet.Fragment || ipcomp.Compressed(p)) && !p.Reassembled && !p.Sampled
}

// add makes of p what comes out of it, and reports whether that is other than p was: then its Data is lent
// until the next call. What was compressed may be a fragment, or have come in fragments.
func (u *unpacker) add(p *packet.Packet) (other bool) {
	other = u.frags.Add(p) == fragment.Whole
	if u.inflate.Add(p) {
		other = true
		u.frags.Add(p)
	}
	return other
}

// count fills in what was counted.
func (u *unpacker) count(st *Stats) {
	st.Fragments, st.Compressed = u.frags.Stats(), u.inflate.Stats()
}
