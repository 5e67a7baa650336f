package flow

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// settings lists what can be set, in the order in which it is documented.
func (c *Config) settings() setting.Table {
	overlaps := []string{"first", "last"}
	return setting.Table{
		{Name: "decap", Doc: "tunnels that are entered, so that connections are those inside: " + packet.AllTunnels.String() + ", or all or none. Not of all: sflow, for packets that reports sample, which pass elsewhere or passed already", Value: tunnels{&c.Decap}},
		{Name: "verify_checksums", Doc: "packets with a wrong checksum are orphans", Value: setting.Flag(&c.VerifyChecksums)},
		{Name: "pick_up", Doc: "packets whose connection began before make one: conn_adopted", Value: setting.Flag(&c.PickUp)},
		{Name: "rst", Doc: "which RSTs count: those in the window, those with the exact number, any", Value: word{(*uint8)(&c.RST), []string{"window", "exact", "any"}}},
		{Name: "window_slack", Doc: "bytes beyond a window that are taken all the same; farther ones are error.out_of_window until both ends speak of them", Value: setting.Count(&c.WindowSlack)},
		{Name: "max_jump", Doc: "bytes by which a stream's numbers may jump where both ends say so: over what a capture missed, to the second of two SYN/ACKs", Value: setting.Count(&c.MaxJump)},
		{Name: "overlap_client", Doc: "which copy of a byte holds that the client sends twice: the first or the last", Value: word{(*uint8)(&c.ClientOverlap), overlaps}},
		{Name: "overlap_server", Doc: "the same for the server", Value: word{(*uint8)(&c.ServerOverlap), overlaps}},
		{Name: "never_block", Doc: "addresses and prefixes that flow.block refuses, beside the loopback networks and the unspecified addresses", Value: nets{&c.NeverBlock}},
		{Name: "max_conns", Doc: "connections and flows; one more ends the one that matters least", Limit: true, Value: setting.Count(&c.MaxConns)},
		{Name: "max_blocks", Doc: "prefixes that flow.block blocks; more are refused", Limit: true, Value: setting.Count(&c.MaxBlocks)},
		{Name: "buffer_side", Doc: "bytes kept of what one end sent, where scripts read streams", Limit: true, Value: setting.Count(&c.BufferSide)},
		{Name: "buffer_total", Doc: "the same for all connections together", Limit: true, Value: setting.Count(&c.BufferTotal)},
		{Name: "reorder_side", Doc: "bytes of one end held behind missing ones", Limit: true, Value: setting.Count(&c.ReorderSide)},
		{Name: "reorder_total", Doc: "the same for all connections together", Limit: true, Value: setting.Count(&c.ReorderTotal)},
		{Name: "fragment_memory", Doc: "bytes of IP fragments that wait for others", Limit: true, Value: setting.Count(&c.Fragments.Memory)},
		{Name: "fragment_datagrams", Doc: "IP datagrams that wait for fragments", Limit: true, Value: setting.Count(&c.Fragments.Datagrams)},
		{Name: "fragment_timeout", Doc: "how long they wait", Value: wait{dst: &c.Fragments.Timeout}},
		{Name: "fragment_overlap", Doc: "which bytes hold where fragments overlap: as this system does, the first, the last, or the datagram is given up", Value: word{(*uint8)(&c.Fragments.Overlap), fragment.OverlapNames()}},
		{Name: "fragment_read_cut", Doc: "first fragments that the capture cut, and that no datagram can be made with, are read as the packets that they begin", Value: setting.Flag(&c.Fragments.ReadCut)},
		{Name: "handshake_timeout", Doc: "silence that ends an unfinished handshake", Value: wait{dst: &c.HandshakeTimeout}},
		{Name: "idle_timeout", Doc: "silence that ends a connection", Value: wait{dst: &c.IdleTimeout}},
		{Name: "close_timeout", Doc: "silence that ends a connection whose last FIN was not acknowledged", Value: wait{dst: &c.CloseTimeout}},
		{Name: "time_wait", Doc: "how long a connection that is done is kept", Value: wait{dst: &c.TimeWait, zero: true}},
		{Name: "reset_linger", Doc: "how long a connection is kept after a RST", Value: wait{dst: &c.ResetLinger, zero: true}},
		{Name: "cut_linger", Doc: "silence after which a connection that was cut is forgotten", Value: wait{dst: &c.CutLinger}},
		{Name: "gap_wait", Doc: "how long acknowledged bytes are waited for", Value: wait{dst: &c.GapWait, below: "0s"}},
		{Name: "udp_timeout", Doc: "silence that ends a UDP flow, or never", Value: wait{dst: &c.UDPTimeout, below: "never"}},
		{Name: "icmp_timeout", Doc: "silence that ends an ICMP query, or never", Value: wait{dst: &c.ICMPTimeout, below: "never"}},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Config) Settings() []setting.Doc {
	c = c.withDefaults()
	c.Fragments = c.Fragments.WithDefaults()
	return c.settings().Docs()
}

// Names lists the names that [Config.Set] knows.
func (c Config) Names() []string { return c.settings().Names() }

// Set changes the setting of that name; [setting.ErrNone] where there is none. value is a
// bool, a float64, a string such as "64KiB", "10s", "true" or "last", or, for decap, a
// list of strings.
func (c *Config) Set(name string, value any) error { return c.settings().Set(name, value) }

// word is one of a few.
type word struct {
	dst   *uint8
	words []string
}

func (w word) String() string      { return w.words[*w.dst] }
func (w word) Set(value any) error { return plain.SetEnum(w.dst, value, w.words) }

// tunnels are names of tunnels.
type tunnels struct{ dst *packet.Tunnels }

func (t tunnels) String() string      { return t.dst.String() }
func (t tunnels) Set(value any) error { return setTunnels(t.dst, value) }

// nets are prefixes.
type nets struct{ dst *[]netip.Prefix }

func (n nets) String() string      { return textOfAll(*n.dst) }
func (n nets) Set(value any) error { return setNets(n.dst, value) }

// wait is a time of silence.
type wait struct {
	dst   *time.Duration
	below string // what values below 0 are called, "0s" or "never"; empty: there are none
	zero  bool   // 0 is a value like others
}

func (w wait) String() string {
	if *w.dst < 0 {
		return w.below
	}
	return w.dst.String()
}

func (w wait) Set(value any) error {
	if w.below == "never" && value == w.below {
		*w.dst = -1
		return nil
	}
	var d time.Duration
	if err := plain.SetDuration(&d, value); err != nil {
		return err
	}
	switch {
	case d > 0:
	case d == 0 && w.below == "0s":
		d = -1
	case d == 0 && w.zero:
	default:
		return errors.New("a time is more than 0")
	}
	*w.dst = d
	return nil
}

// textOfAll writes prefixes as setNets reads them.
func textOfAll(nets []netip.Prefix) string {
	if len(nets) == 0 {
		return "none"
	}
	var words []string
	for _, p := range nets {
		words = append(words, textOf(p))
	}
	return strings.Join(words, ",")
}

// setNets reads "10.0.0.1,192.0.2.0/24", a list of such, or "none".
func setNets(dst *[]netip.Prefix, value any) error {
	var words []string
	if text, one := value.(string); one {
		value = []any{text}
	}
	if err := plain.SetStrings(&words, value); err != nil {
		return err
	}
	var nets []netip.Prefix
	for word := range strings.SplitSeq(strings.Join(words, ","), ",") {
		if word == "none" || word == "" {
			continue
		}
		p, err := ParsePrefix(word)
		if err != nil {
			return err
		}
		nets = append(nets, p)
	}
	*dst = nets
	return nil
}

// setTunnels reads "vxlan,gre", a list of names, "all" or "none".
func setTunnels(dst *packet.Tunnels, value any) error {
	var names []string
	if text, one := value.(string); one {
		value = []any{text}
	}
	if err := plain.SetStrings(&names, value); err != nil {
		return err
	}
	var set packet.Tunnels
	for _, name := range strings.Split(strings.Join(names, ","), ",") {
		t, ok := packet.ParseTunnel(name)
		switch {
		case name == "all":
			t = packet.AllTunnels
		case name == "none" || name == "":
			t = 0
		case !ok:
			return fmt.Errorf("%q is no tunnel: %s, all or none expected", name, packet.KnownTunnels)
		}
		set |= t
	}
	*dst = set
	return nil
}
