package services

import (
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/sip/digest"
)

// Config are a desk's settings. Zero fields stand for the defaults of
// [DefaultConfig].
type Config struct {
	// NonceLife is how long a nonce is good.
	NonceLife time.Duration
	// MaxNonces bounds how many nonces in use are remembered, so that none is played
	// back.
	MaxNonces int
}

// DefaultConfig returns what holds where nothing else is said.
func DefaultConfig() Config {
	return Config{NonceLife: 5 * time.Minute, MaxNonces: 100_000}
}

func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.NonceLife == 0 {
		c.NonceLife = d.NonceLife
	}
	for _, f := range []struct{ have, def *int }{
		{&c.MaxNonces, &d.MaxNonces},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	return c
}

func (c *Config) settings() setting.Table {
	return setting.Table{
		{Name: "nonce_life", Doc: "how long a nonce of digest.challenge is good", Value: setting.Time(&c.NonceLife, time.Second, 24*time.Hour)},
		{Name: "max_nonces", Doc: "nonces in use; beyond, the oldest are used up early", Limit: true, Value: setting.Count(&c.MaxNonces)},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Config) Settings() []setting.Doc {
	c = c.orDefaults()
	return c.settings().Docs()
}

// Names lists the names that [Config.Set] knows.
func (c Config) Names() []string { return c.settings().Names() }

// Set changes the setting of that name; [setting.ErrNone] where there is none. value is a
// bool, a float64 or a string such as "30s" or "true".
func (c *Config) Set(name string, value any) error { return c.settings().Set(name, value) }

// Stats counts what a desk did and refused.
type Stats struct {
	NoncesKnown    int    // nonces in use
	NoncesStale    uint64 // right passwords with a nonce that was too old, or not ours
	NoncesReplayed uint64 // right passwords with credentials that had been used before
	NoncesCrowded  uint64 // nonces used up early, since too many were in use
	AuthRight      uint64 // credentials that were right
	AuthWrong      uint64 // and that were wrong
}

// Desk is what scripts call.
type Desk struct {
	cfg Config

	mu     sync.Mutex // of what follows
	nonces *digest.Nonces
	stats  Stats
}

// New returns a desk that knows nothing yet.
func New(cfg Config) *Desk {
	cfg = cfg.orDefaults()
	return &Desk{cfg: cfg, nonces: digest.NewNonces(cfg.NonceLife, cfg.MaxNonces)}
}

// Stats returns what was counted so far. Any goroutine.
func (s *Desk) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	n := s.nonces.Stats()
	st.NoncesKnown, st.NoncesStale, st.NoncesReplayed, st.NoncesCrowded = n.Known, n.Stale, n.Replayed, n.Crowded
	return st
}
