package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/edge"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Limits of one switchboard.
const (
	MaxPhones   = 1000
	MaxMessages = 100_000 // that phones get and send, copies aside
	maxStrays   = 8       // that are told of
)

// Why a phone cannot be had, or cannot do what it is told.
var (
	ErrPhones   = fmt.Errorf("there may be %d phones", MaxPhones)
	ErrMessages = fmt.Errorf("phones get and send at most %d messages", MaxMessages)
)

// Switchboard connects phones with a SIP stack and its listeners. It is an [edge.Wire].
type Switchboard struct {
	group  *edge.Group
	shard  *event.Shard
	tick   func() int64
	phones []*Phone
	kept   int      // messages that phones got and sent
	strays []string // what went where no phone is
	err    error    // why not all was kept
	serial uint64
	limits msg.Limits
}

// New returns a switchboard whose stack has these settings. tick is asked for the time
// of each message that a phone sends.
func New(cfg sip.Config, tick func() int64) *Switchboard {
	if cfg.Key == [16]byte{} {
		cfg.Key = [16]byte{'p', 'h', 'o', 'n', 'e', 's'} // each run is like the last
	}
	b := &Switchboard{tick: tick, limits: msg.DefaultLimits()}
	b.group = edge.New(edge.Config{SIP: cfg, Wire: b})
	return b
}

// Group returns the listeners that scripts declare, over this switchboard.
func (b *Switchboard) Group() *edge.Group { return b.group }

// Start makes the stack in the first shard; before that nothing can be sent. Nobody has
// entered a shard.
func (b *Switchboard) Start(shards *event.Shards) error {
	b.shard = shards.At(0)
	return b.group.Start(shards)
}

// Close ends all transactions.
func (b *Switchboard) Close() { b.group.Stack().Close() }

// Send implements [edge.Wire].
func (b *Switchboard) Send(to sip.Hop, raw []byte) error {
	for _, p := range b.phones {
		if p.proto == to.Proto && p.addr == to.Remote || to.Conn != 0 && p.conn() == to.Conn {
			if p.down {
				return errors.New("phone: nobody is there")
			}
			b.put(p, raw)
			return nil
		}
	}
	if len(b.strays) < maxStrays {
		b.strays = append(b.strays, fmt.Sprintf("%s to %s", brief(raw, b.limits), to.Remote))
	}
	return nil
}

// Find implements [edge.Wire]: a name leads to the phones that have it, in the order in
// which they were made.
func (b *Switchboard) Find(host string, port uint16) ([]sip.Hop, error) {
	var hops []sip.Hop
	for _, p := range b.phones {
		if slices.ContainsFunc(p.names, func(n string) bool { return strings.EqualFold(n, host) }) && (port == 0 || port == p.addr.Port()) {
			hops = append(hops, sip.Hop{Proto: p.proto, Remote: p.addr})
		}
	}
	if len(hops) == 0 {
		return nil, fmt.Errorf("phone: no phone has the name %s", host)
	}
	return hops, nil
}

// put lays a message into a phone's inbox; a copy of an earlier one is only counted.
func (b *Switchboard) put(p *Phone, raw []byte) {
	if m := p.got[string(raw)]; m != nil {
		m.copies++
		return
	}
	if b.kept >= MaxMessages {
		b.err = ErrMessages
		return
	}
	m, err := p.message(raw)
	if err != nil {
		b.err = fmt.Errorf("what was sent to %s is no message: %w", p, err)
		return
	}
	m.ts = b.shard.Now()
	b.kept++
	p.got[string(raw)] = m
	p.inbox = append(p.inbox, m)
}

// deliver gives the stack a message of a phone.
func (b *Switchboard) deliver(p *Phone, raw []byte) error {
	at, ok := b.group.Entry(p.proto, p.addr)
	if !ok {
		return fmt.Errorf("no sip.listen of the scripts takes %s from %s", p.proto, p.addr)
	}
	b.shard.Advance(b.tick())
	b.strays, b.err = b.strays[:0], nil
	b.group.Stack().Receive(sip.Hop{Proto: p.proto, Local: at, Remote: p.addr, Conn: p.conn()}, raw)
	return b.err
}

// onward sends a request of a dialog where it goes: to the scripts if that names them,
// else to the phone that it does name.
func (b *Switchboard) onward(p *Phone, uri, raw []byte) error {
	u, err := msg.ParseURI(uri)
	if err != nil {
		return fmt.Errorf("it goes to %s: %w", uri, err)
	}
	if b.group.Self(u.Host, u.Port) {
		return b.deliver(p, raw)
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	addr, err := netip.ParseAddr(strings.Trim(string(u.Host), "[]"))
	for _, other := range b.phones {
		if err == nil && other.addr == netip.AddrPortFrom(addr, port) {
			b.shard.Advance(b.tick())
			b.put(other, raw)
			return b.err
		}
	}
	return fmt.Errorf("it goes to %s, past the scripts, and no phone is there", uri)
}

// number returns what makes tags, branches and Call-IDs of this switchboard differ.
func (b *Switchboard) number() uint64 {
	b.serial++
	return b.serial
}

// brief says what a message is: INVITE, or 404 Not Found.
func brief(raw []byte, lim msg.Limits) string {
	var m msg.Message
	if err := m.Parse(raw, lim); err != nil {
		return "what is no message"
	}
	return title(&m)
}

func title(m *msg.Message) string {
	if m.IsRequest() {
		return string(m.MethodText())
	}
	return fmt.Sprintf("%d %s", m.Status(), m.Reason())
}

// protoOf reads the name of a transport.
func protoOf(word string) (sipev.Transport, error) {
	for _, p := range [...]sipev.Transport{sipev.TransportUDP, sipev.TransportTCP, sipev.TransportTLS, sipev.TransportWS, sipev.TransportWss} {
		if p.String() == word {
			return p, nil
		}
	}
	return 0, fmt.Errorf("transport %q: udp, tcp, tls, ws or wss expected", word)
}
