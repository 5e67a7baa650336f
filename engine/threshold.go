package engine

import (
	"slices"

	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/engine/threshold"
)

// counted is a rule's threshold. It outlives reloads while its declaration
// stays, so that a reload resets no count.
type counted struct {
	*threshold.Threshold
	by []string
}

// config is the declaration as the counting takes it.
func (d *ThresholdDecl) config(maxKeys int, decides bool) (threshold.Config, error) {
	fire := threshold.Once
	if decides {
		fire = threshold.Each
	}
	if d.Fire != "" {
		var err error
		if fire, err = threshold.ParseFire(d.Fire); err != nil {
			return threshold.Config{}, err
		}
	}
	return threshold.Config{Count: d.Count, Within: d.Within, Fire: fire, MaxKeys: maxKeys}, nil
}

// adopt returns the threshold that a rule goes on with: c itself where nothing
// changed.
func (c *counted) adopt(fresh *counted) *counted {
	if c != nil && fresh != nil && c.Config() == fresh.Config() && slices.Equal(c.by, fresh.by) {
		return c
	}
	return fresh
}

// hit counts a match at time now and reports whether the rule goes on.
func (c *counted) hit(en *entry, e any, now int64) bool {
	key := store.BoolKey(true) // all together
	if en.by != nil {
		k, ok := en.by.Key(e)
		if !ok || !k.IsValid() {
			return false
		}
		key = k
	}
	fire, _ := c.Event(key, now)
	return fire
}
