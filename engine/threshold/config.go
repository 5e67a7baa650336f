package threshold

import (
	"fmt"
	"time"
)

// Fire says which events of a crowded window a threshold lets through.
type Fire uint8

// The ways to fire.
const (
	// Once fires when the window comes to hold Count events, and again only
	// after it no longer held them.
	Once Fire = iota
	// Each fires for every event that finds itself the last of Count events in
	// the window.
	Each
)

// String returns the name as scripts write it.
func (f Fire) String() string {
	if f == Each {
		return "each"
	}
	return "once"
}

// ParseFire returns the way that a script names.
func ParseFire(name string) (Fire, error) {
	switch name {
	case "once":
		return Once, nil
	case "each":
		return Each, nil
	}
	return Once, fmt.Errorf("unknown way to fire %q: once or each", name)
}

// Limits and defaults of a Config.
const (
	MaxCount        = 10_000
	DefaultMaxKeys  = 100_000
	DefaultMaxTimes = 4_000_000 // 32 MB
	MaxLate         = 1024      // events of a key that are kept beyond Count for shards that are behind
)

// Config is a rule's threshold.
type Config struct {
	Count    int           // events, 1 to MaxCount
	Within   time.Duration // length of the window, more than 0
	Fire     Fire
	MaxKeys  int // keys that are counted at a time; 0: DefaultMaxKeys
	MaxTimes int // events that are remembered in all; 0: DefaultMaxTimes
}

// normal checks a config and fills in what it left out.
func (c Config) normal() (Config, error) {
	if c.MaxKeys == 0 {
		c.MaxKeys = DefaultMaxKeys
	}
	if c.MaxTimes == 0 {
		c.MaxTimes = DefaultMaxTimes
	}
	switch {
	case c.Count < 1 || c.Count > MaxCount:
		return c, fmt.Errorf("threshold: count = %d is not in 1 to %d", c.Count, MaxCount)
	case c.Within <= 0:
		return c, fmt.Errorf("threshold: within = %v is not positive", c.Within)
	case c.Fire > Each:
		return c, fmt.Errorf("threshold: unknown way to fire %d", c.Fire)
	case c.MaxKeys < 1:
		return c, fmt.Errorf("threshold: max keys = %d is not positive", c.MaxKeys)
	case c.MaxTimes < c.Count:
		return c, fmt.Errorf("threshold: max times = %d is below count = %d", c.MaxTimes, c.Count)
	}
	return c, nil
}
