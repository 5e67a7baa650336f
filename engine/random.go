package engine

import (
	"math/rand/v2"
	"sync"

	"github.com/hookd/hookd/engine/event"
)

// randomness is where a script's random numbers come from in calls that are about
// no kept object: one sequence for all shards.
type randomness struct {
	mu   sync.Mutex // guards what follows
	next rand.PCG
	seed uint64
	set  bool
}

// randomKey is where a script's random numbers for a kept object hang on it.
type randomKey struct{ *randomness }

// randomStream separates the numbers of scripts from other uses of a seed.
const randomStream = 0x686f6f6b64

// Random implements [Services]. What a script gets for a connection depends on
// its seed, on the connection's number and on what it took before, not on other
// connections, and so not on shards.
func (s *shard) Random(call *Call, script string) *rand.PCG {
	sc := s.gen.scripts[script]
	if sc == nil {
		return rand.NewPCG(0, randomStream)
	}
	r := &sc.kept.random
	if k := subject(call.Info, call.Event); k != nil && k.Slots() != nil {
		if p, ok := k.Slots().Get(randomKey{r}).(*rand.PCG); ok {
			return p
		}
		p := rand.NewPCG(sc.plan.Seed, k.ID())
		s.Change()
		k.Slots().Set(randomKey{r}, p)
		s.Changed()
		return p
	}
	return r.take(sc.plan.Seed)
}

// take returns a source that stands where the sequence does, and moves that on by
// far: shards may take from it at the same time.
func (r *randomness) take(seed uint64) *rand.PCG {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.set || r.seed != seed {
		r.next.Seed(seed, randomStream)
		r.seed, r.set = seed, true
	}
	return rand.NewPCG(r.next.Uint64(), r.next.Uint64())
}

// subject returns the kept object that an event is about, nil for none.
func subject(info *event.Info, e any) event.Kept {
	if info == nil || e == nil {
		return nil
	}
	f := info.Subject()
	if f == nil {
		return nil
	}
	k, _ := f.Get.Object(e).(event.Kept)
	return k
}
