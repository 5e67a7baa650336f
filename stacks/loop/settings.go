package loop

import (
	"cmp"
	"time"

	"github.com/hookd/hookd/engine/event/setting"
)

// defaultPoll is how often at least connections are polled.
const defaultPoll = time.Second

// Tuning is what users set of the loops.
type Tuning struct {
	// PollInterval is how long at most the loop sleeps while something is bound to
	// loop.poll; a second by default.
	PollInterval time.Duration
}

func (c *Tuning) settings() setting.Table {
	return setting.Table{
		{Name: "poll_interval", Doc: "for how long at most the loop sleeps while something is bound to loop.poll", Value: setting.Time(&c.PollInterval, time.Millisecond, time.Hour)},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Tuning) Settings() []setting.Doc {
	c.PollInterval = cmp.Or(c.PollInterval, defaultPoll)
	return c.settings().Docs()
}

// Names lists the names that [Tuning.Set] knows.
func (c Tuning) Names() []string { return c.settings().Names() }

// Set changes the setting of that name; [setting.ErrNone] where there is none.
func (c *Tuning) Set(name string, value any) error { return c.settings().Set(name, value) }
