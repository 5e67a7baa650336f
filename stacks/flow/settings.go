package flow

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
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

	flag    *bool
	count   *int
	size    *int
	wait    *time.Duration
	zero    string // what a wait's values below 0 are called; empty: there are none
	word    *uint8
	words   []string
	tunnels *packet.Tunnels
	nets    *[]netip.Prefix
}

// settings lists what can be set, in the order in which it is documented.
func (c *Config) settings() []setting {
	overlaps := []string{"first", "last"}
	return []setting{
		{name: "decap", doc: "tunnels that are entered, so that connections are those inside: " + packet.AllTunnels.String() + ", or all or none", tunnels: &c.Decap},
		{name: "verify_checksums", doc: "packets with a wrong checksum are orphans", flag: &c.VerifyChecksums},
		{name: "pick_up", doc: "packets whose connection began before make one: conn_adopted", flag: &c.PickUp},
		{name: "rst", doc: "which RSTs count: those in the window, those with the exact number, any", word: (*uint8)(&c.RST), words: []string{"window", "exact", "any"}},
		{name: "window_slack", doc: "bytes beyond a window that are taken all the same; farther ones are error.out_of_window until both ends speak of them", size: &c.WindowSlack},
		{name: "max_jump", doc: "bytes by which a stream's numbers may jump where both ends say so: over what a capture missed, to the second of two SYN/ACKs", size: &c.MaxJump},
		{name: "overlap_client", doc: "which copy of a byte holds that the client sends twice: the first or the last", word: (*uint8)(&c.ClientOverlap), words: overlaps},
		{name: "overlap_server", doc: "the same for the server", word: (*uint8)(&c.ServerOverlap), words: overlaps},
		{name: "never_block", doc: "addresses and prefixes that flow.block refuses, beside the loopback networks and the unspecified addresses", nets: &c.NeverBlock},
		{name: "max_conns", doc: "connections and flows; one more ends the one that matters least", limit: true, count: &c.MaxConns},
		{name: "max_blocks", doc: "prefixes that flow.block blocks; more are refused", limit: true, count: &c.MaxBlocks},
		{name: "buffer_side", doc: "bytes kept of what one end sent, where scripts read streams", limit: true, size: &c.BufferSide},
		{name: "buffer_total", doc: "the same for all connections together", limit: true, size: &c.BufferTotal},
		{name: "reorder_side", doc: "bytes of one end held behind missing ones", limit: true, size: &c.ReorderSide},
		{name: "reorder_total", doc: "the same for all connections together", limit: true, size: &c.ReorderTotal},
		{name: "fragment_memory", doc: "bytes of IP fragments that wait for others", limit: true, size: &c.Fragments.Memory},
		{name: "fragment_datagrams", doc: "IP datagrams that wait for fragments", limit: true, count: &c.Fragments.Datagrams},
		{name: "fragment_timeout", doc: "how long they wait", wait: &c.Fragments.Timeout},
		{name: "fragment_overlap", doc: "which bytes hold where fragments overlap: as this system does, the first, the last, or the datagram is given up", word: (*uint8)(&c.Fragments.Overlap), words: fragment.OverlapNames()},
		{name: "handshake_timeout", doc: "silence that ends an unfinished handshake", wait: &c.HandshakeTimeout},
		{name: "idle_timeout", doc: "silence that ends a connection", wait: &c.IdleTimeout},
		{name: "close_timeout", doc: "silence that ends a connection whose last FIN was not acknowledged", wait: &c.CloseTimeout},
		{name: "time_wait", doc: "how long a connection that is done is kept", wait: &c.TimeWait},
		{name: "reset_linger", doc: "how long a connection is kept after a RST", wait: &c.ResetLinger},
		{name: "cut_linger", doc: "silence after which a connection that was cut is forgotten", wait: &c.CutLinger},
		{name: "gap_wait", doc: "how long acknowledged bytes are waited for", wait: &c.GapWait, zero: "0s"},
		{name: "udp_timeout", doc: "silence that ends a UDP flow, or never", wait: &c.UDPTimeout, zero: "never"},
		{name: "icmp_timeout", doc: "silence that ends an ICMP query, or never", wait: &c.ICMPTimeout, zero: "never"},
	}
}

// Settings lists the settings with their values, defaults filled in.
func (c Config) Settings() []Setting {
	c = c.withDefaults()
	c.Fragments = c.Fragments.WithDefaults()
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

// Set changes the setting of that name. value is a bool, a float64, a string such as "64KiB", "10s",
// "true" or "last", or, for decap, a list of strings.
func (c *Config) Set(name string, value any) error {
	for _, s := range c.settings() {
		if s.name == name {
			return s.set(value)
		}
	}
	return ErrNoSetting
}

// text writes the value.
func (s *setting) text() string {
	switch {
	case s.flag != nil:
		return strconv.FormatBool(*s.flag)
	case s.count != nil:
		return strconv.Itoa(*s.count)
	case s.size != nil:
		return strconv.Itoa(*s.size)
	case s.word != nil:
		return s.words[*s.word]
	case s.tunnels != nil:
		return s.tunnels.String()
	case s.nets != nil:
		return textOfAll(*s.nets)
	case *s.wait < 0:
		return s.zero
	}
	return s.wait.String()
}

func (s *setting) set(value any) error {
	switch {
	case s.flag != nil:
		return setFlag(s.flag, value)
	case s.count != nil:
		return setWhole(s.count, value)
	case s.size != nil:
		return setWhole(s.size, value)
	case s.word != nil:
		return plain.SetEnum(s.word, value, s.words)
	case s.tunnels != nil:
		return setTunnels(s.tunnels, value)
	}
	if s.nets != nil {
		return setNets(s.nets, value)
	}
	return s.setWait(value)
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

// setWhole stores a number of at least 1, or a size.
func setWhole(dst *int, value any) error {
	var n int64
	if err := plain.SetSize(&n, value); err != nil {
		return err
	}
	if n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("a whole number from 1 to %d expected, got %d", math.MaxInt32, n)
	}
	*dst = int(n)
	return nil
}

func (s *setting) setWait(value any) error {
	if s.zero == "never" && value == s.zero {
		*s.wait = -1
		return nil
	}
	var d time.Duration
	if err := plain.SetDuration(&d, value); err != nil {
		return err
	}
	switch {
	case d > 0:
	case d == 0 && s.zero == "0s":
		d = -1
	case d == 0 && (s.name == "time_wait" || s.name == "reset_linger"):
	default:
		return errors.New("a time is more than 0")
	}
	*s.wait = d
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
			return fmt.Errorf("%q is no tunnel: %s, all or none expected", name, packet.AllTunnels)
		}
		set |= t
	}
	*dst = set
	return nil
}
