package sip

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event/plain"
)

// Setting is one field of a [Config] as people write it.
type Setting struct {
	Name, Value, Doc string
	// Limit tells settings that bound something.
	Limit bool
}

// setting is a Setting with the way to it: exactly one of the pointers is set.
type setting struct {
	name, doc string
	limit     bool

	wait  *time.Duration
	count *int
	flag  *bool
	not   *bool // a flag whose field says the opposite
}

// settings lists what can be set, in the order in which it is documented. Names are
// those of TM where it has the setting.
func (c *Config) settings() []setting {
	return []setting{
		{name: "fr_timer", doc: "how long a branch may stay without any reply (RFC 3261, timers B and F)", wait: &c.FR},
		{name: "fr_inv_timer", doc: "how long a branch of an INVITE may ring (timer C)", wait: &c.FRInv},
		{name: "max_inv_lifetime", doc: "how long an INVITE may go without a final reply", wait: &c.MaxInv},
		{name: "wt_timer", doc: "how long a transaction stays after its final reply (timers D, H, J, L and M)", wait: &c.Linger},
		{name: "retr_timer1", doc: "the first interval of retransmission (T1)", wait: &c.T1},
		{name: "retr_timer2", doc: "the longest one (T2)", wait: &c.T2},
		{name: "t4", doc: "how long a message may be on its way (T4)", wait: &c.T4},
		{name: "noisy_ctimer", doc: "an INVITE that nobody answered ends in a 408, also where nobody asked for failures", not: &c.SilentC},
		{name: "answer_timeouts", doc: "a request that is no INVITE and timed out is answered with 408, which RFC 4320 forbids and TM does", flag: &c.Timeout408},
		{name: "forward_stray", doc: "replies whose transaction is gone are forwarded, which RFC 6026 forbids and TM does", flag: &c.ForwardStray},
		{name: "block_6xx", doc: "a 6xx ends the search (RFC 3261, 16.7)", not: &c.No6xxBlock},
		{name: "aggregate_challenges", doc: "several challenges become one reply", not: &c.NoAggregate},
		{name: "max_transactions", doc: "transactions at once; a request beyond is answered with 503", limit: true, count: &c.MaxTransactions},
		{name: "max_branches", doc: "branches of one transaction in all; further ones are not made", limit: true, count: &c.MaxBranches},
		{name: "max_held", doc: "messages that wait while a handler of their transaction does; more are dropped", limit: true, count: &c.MaxHeld},
		{name: "max_message", doc: "bytes of one message; longer ones are dropped", limit: true, count: &c.Limits.Size},
		{name: "max_head", doc: "bytes of its start line and header", limit: true, count: &c.Limits.Head},
		{name: "max_fields", doc: "its header fields", limit: true, count: &c.Limits.Fields},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Config) Settings() []Setting {
	c = c.orDefaults()
	var list []Setting
	for _, s := range c.settings() {
		list = append(list, Setting{Name: s.name, Value: s.text(), Doc: s.doc, Limit: s.limit})
	}
	return list
}

// Names lists the names that [Config.Set] knows.
func (c Config) Names() []string {
	var names []string
	for _, s := range c.settings() {
		names = append(names, s.name)
	}
	return names
}

// ErrNoSetting is returned by [Config.Set] for a name that no setting has.
var ErrNoSetting = errors.New("there is no such setting")

// Set changes the setting of that name. value is a bool, a float64 or a string such as
// "30s" or "true".
func (c *Config) Set(name string, value any) error {
	for _, s := range c.settings() {
		if s.name == name {
			return s.set(value)
		}
	}
	return ErrNoSetting
}

func (s *setting) text() string {
	switch {
	case s.wait != nil:
		return s.wait.String()
	case s.count != nil:
		return strconv.Itoa(*s.count)
	case s.flag != nil:
		return strconv.FormatBool(*s.flag)
	default:
		return strconv.FormatBool(!*s.not)
	}
}

func (s *setting) set(value any) error {
	switch {
	case s.wait != nil:
		return setWait(s.wait, value)
	case s.count != nil:
		var n int64
		if err := plain.SetSize(&n, value); err != nil {
			return err
		}
		if n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("a whole number from 1 to %d expected, got %d", math.MaxInt32, n)
		}
		*s.count = int(n)
		return nil
	case s.flag != nil:
		return setFlag(s.flag, value)
	default:
		var flag bool
		if err := setFlag(&flag, value); err != nil {
			return err
		}
		*s.not = !flag
		return nil
	}
}

func setFlag(dst *bool, value any) error {
	switch value {
	case "true":
		value = true
	case "false":
		value = false
	}
	return plain.SetBool(dst, value)
}

func setWait(dst *time.Duration, value any) error {
	var d time.Duration
	if err := plain.SetDuration(&d, value); err != nil {
		return err
	}
	if d < time.Millisecond || d > 24*time.Hour {
		return errTime
	}
	*dst = d
	return nil
}
