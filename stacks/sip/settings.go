package sip

import (
	"time"

	"github.com/hookd/hookd/engine/event/setting"
)

// settings lists what can be set, in the order in which it is documented. Names are
// those of TM where it has the setting.
func (c *Config) settings() setting.Table {
	timer := func(d *time.Duration) setting.Value { return setting.Time(d, time.Millisecond, 24*time.Hour) }
	return setting.Table{
		{Name: "fr_timer", Doc: "how long a branch may stay without any reply (RFC 3261, timers B and F)", Value: timer(&c.FR)},
		{Name: "fr_inv_timer", Doc: "how long a branch of an INVITE may ring (timer C)", Value: timer(&c.FRInv)},
		{Name: "max_inv_lifetime", Doc: "how long an INVITE may go without a final reply", Value: timer(&c.MaxInv)},
		{Name: "wt_timer", Doc: "how long a transaction stays after its final reply (timers D, H, J, L and M)", Value: timer(&c.Linger)},
		{Name: "retr_timer1", Doc: "the first interval of retransmission (T1)", Value: timer(&c.T1)},
		{Name: "retr_timer2", Doc: "the longest one (T2)", Value: timer(&c.T2)},
		{Name: "t4", Doc: "how long a message may be on its way (T4)", Value: timer(&c.T4)},
		{Name: "noisy_ctimer", Doc: "an INVITE that nobody answered ends in a 408, also where nobody asked for failures", Value: setting.Not(&c.SilentC)},
		{Name: "answer_timeouts", Doc: "a request that is no INVITE and timed out is answered with 408, which RFC 4320 forbids and TM does", Value: setting.Flag(&c.Timeout408)},
		{Name: "forward_stray", Doc: "replies whose transaction is gone are forwarded, which RFC 6026 forbids and TM does", Value: setting.Flag(&c.ForwardStray)},
		{Name: "block_6xx", Doc: "a 6xx ends the search (RFC 3261, 16.7)", Value: setting.Not(&c.No6xxBlock)},
		{Name: "aggregate_challenges", Doc: "several challenges become one reply", Value: setting.Not(&c.NoAggregate)},
		{Name: "max_transactions", Doc: "transactions at once; a request beyond is answered with 503", Limit: true, Value: setting.Count(&c.MaxTransactions)},
		{Name: "max_branches", Doc: "branches of one transaction in all, 255 at most; further ones are not made", Limit: true, Value: setting.Count(&c.MaxBranches)},
		{Name: "max_held", Doc: "messages that wait while a handler of their transaction does; more are dropped", Limit: true, Value: setting.Count(&c.MaxHeld)},
		{Name: "max_kept", Doc: "latest messages that are kept for people to look at, 4 KiB of each at most; older ones go", Limit: true, Value: setting.Count(&c.MaxKept)},
		{Name: "max_datagram", Doc: "bytes of a request by UDP; a longer one goes by TCP, where a listener is for that (RFC 3261, 18.1.1)", Limit: true, Value: setting.Count(&c.MaxDatagram)},
		{Name: "max_message", Doc: "bytes of one message; longer ones are dropped", Limit: true, Value: setting.Count(&c.Limits.Size)},
		{Name: "max_head", Doc: "bytes of its start line and header", Limit: true, Value: setting.Count(&c.Limits.Head)},
		{Name: "max_fields", Doc: "its header fields", Limit: true, Value: setting.Count(&c.Limits.Fields)},
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
