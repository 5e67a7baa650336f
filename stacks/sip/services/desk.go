package services

import (
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/dialog"
	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/location"
)

// Config are a desk's settings. Zero fields stand for the defaults of
// [DefaultConfig].
type Config struct {
	// NonceLife is how long a nonce is good.
	NonceLife time.Duration
	// MaxNonces bounds how many nonces in use are remembered, so that none is played
	// back.
	MaxNonces int
	// Locations bound who is registered.
	Locations location.Limits
	// Dialogs bound the calls that are followed.
	Dialogs dialog.Limits
	// Repeatable: nonces and temporary URIs are the same in every process. It is for captures, of which the same is to
	// come each time, and where they keep nobody out.
	Repeatable bool
}

// DefaultConfig returns what holds where nothing else is said.
func DefaultConfig() Config {
	return Config{NonceLife: 5 * time.Minute, MaxNonces: 100_000, Locations: location.DefaultLimits(), Dialogs: dialog.DefaultLimits()}
}

func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.NonceLife == 0 {
		c.NonceLife = d.NonceLife
	}
	for _, f := range []struct{ have, def *int }{
		{&c.MaxNonces, &d.MaxNonces},
		{&c.Locations.Contacts, &d.Locations.Contacts},
		{&c.Locations.Total, &d.Locations.Total},
		{&c.Locations.Paths, &d.Locations.Paths},
		{&c.Dialogs.Calls, &d.Dialogs.Calls},
		{&c.Dialogs.Profiles, &d.Dialogs.Profiles},
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
		{Name: "max_contacts", Doc: "contacts of one address of record; a REGISTER for more is answered with 403", Limit: true, Value: setting.Count(&c.Locations.Contacts)},
		{Name: "max_registered", Doc: "contacts in all; a REGISTER for more is answered with 503", Limit: true, Value: setting.Count(&c.Locations.Total)},
		{Name: "max_path", Doc: "bytes of the Path of a REGISTER; one with more is answered with 403", Limit: true, Value: setting.Count(&c.Locations.Paths)},
		{Name: "max_dialogs", Doc: "calls that dialog.track follows at once; more are not followed", Limit: true, Value: setting.Count(&c.Dialogs.Calls)},
		{Name: "max_profiles", Doc: "profiles of one of them", Limit: true, Value: setting.Count(&c.Dialogs.Profiles)},
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

	AORs, Contacts   int    // who is registered, and by how many contacts
	Registers        uint64 // that were answered with 200
	RegistersRefused uint64 // that were not
	ContactsExpired  uint64 // that nobody registered again
	ContactsTooMany  uint64 // refused for max_contacts
	ContactsNoRoom   uint64 // refused for max_registered

	Probes          uint64 // destinations that were asked
	ProbesSkipped   uint64 // that were not, since too many questions were open
	Dialogs         int    // calls that are followed
	DialogsTracked  uint64 // that were
	DialogsAnswered uint64
	DialogsLapsed   uint64 // of which nobody was heard for their timeout
	DialogsRefused  uint64 // that were not followed, for max_dialogs

	Untold uint64 // changes of destinations that no rule heard of, since too much waited
}

// Desk is what scripts call.
type Desk struct {
	mu     sync.Mutex // of what follows
	nonces *digest.Nonces
	places *location.Table
	calls  *dialog.Table
	stats  Stats
	at     int64 // the time of the change that is being made
	news   []contactChange
	sets   map[string]*prober
	stack  *sip.Stack // nil where SIP is not served

	repeatable bool
	waking     int64 // when the timer is due, 0: it is not set

	timer event.Timer // of the first shard, which is entered
	lapse event.Timer // of the stack's shard: calls that lapse
}

// New returns a desk that knows nothing yet.
func New(cfg Config) *Desk {
	cfg = cfg.orDefaults()
	s := &Desk{nonces: digest.NewNonces(cfg.NonceLife, cfg.MaxNonces)}
	s.calls = dialog.New(cfg.Dialogs)
	s.places = location.New(cfg.Locations, s.noted)
	if cfg.Repeatable {
		s.repeatable = true
		s.nonces.Repeat()
		s.places.Repeat()
	}
	return s
}

// Stats returns what was counted so far. Any goroutine.
func (s *Desk) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	n := s.nonces.Stats()
	st.NoncesKnown, st.NoncesStale, st.NoncesReplayed, st.NoncesCrowded = n.Known, n.Stale, n.Replayed, n.Crowded
	p := s.places.Stats()
	st.AORs, st.Contacts, st.Registers, st.RegistersRefused = p.AORs, p.Contacts, p.Registers, p.Refused
	d := s.calls.Stats()
	st.Dialogs, st.DialogsTracked, st.DialogsAnswered, st.DialogsLapsed, st.DialogsRefused = d.Calls, d.Tracked, d.Answered, d.Lapsed, d.Refused
	st.ContactsExpired, st.ContactsTooMany, st.ContactsNoRoom = p.Expired, p.TooMany, p.NoRoom
	return st
}
