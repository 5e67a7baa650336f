package match

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// conn is a connection with nothing behind it.
type conn struct {
	flowev.Conn
	id             uint64
	proto          flowev.Proto
	client, server *peer
	duration       time.Duration
	tags           []string
}

func (c *conn) ID() uint64              { return c.id }
func (c *conn) CID() string             { return "1:x" }
func (c *conn) Proto() flowev.Proto     { return c.proto }
func (c *conn) Duration() time.Duration { return c.duration }
func (c *conn) Tags() []string          { return c.tags }
func (c *conn) Client() flowev.Peer     { return c.client }
func (c *conn) Server() flowev.Peer     { return c.server }

type peer struct {
	flowev.Peer
	addr netip.AddrPort
	sent uint64
}

func (p *peer) IP() netip.Addr           { return p.addr.Addr() }
func (p *peer) Port() uint16             { return p.addr.Port() }
func (p *peer) Endpoint() netip.AddrPort { return p.addr }
func (p *peer) Bytes() uint64            { return p.sent }

type packet struct {
	flowev.Packet
	len     uint32
	seq     uint32
	proto   uint8
	payload []byte
}

func (p *packet) Len() uint32     { return p.len }
func (p *packet) Seq() uint32     { return p.seq }
func (p *packet) Proto() uint8    { return p.proto }
func (p *packet) Payload() []byte { return p.payload }

// addrs is a store of addresses.
type addrs map[netip.Addr]bool

func (addrs) Name() string              { return "blocked" }
func (addrs) KeyKind() event.Kind       { return event.IP }
func (s addrs) HasIP(a netip.Addr) bool { return s[a] }

// words is a store of texts.
type words map[string]bool

func (words) Name() string              { return "names" }
func (words) KeyKind() event.Kind       { return event.String }
func (s words) HasString(w string) bool { return s[w] }

// numbers is a store of numbers.
type numbers map[float64]bool

func (numbers) Name() string               { return "codes" }
func (numbers) KeyKind() event.Kind        { return event.Float }
func (s numbers) HasNumber(f float64) bool { return s[f] }

// scalars is a store of texts and numbers.
type scalars struct {
	words
	numbers
}

func (scalars) Name() string        { return "anything" }
func (scalars) KeyKind() event.Kind { return event.Plain }

// endpoints is a store of endpoints.
type endpoints map[netip.AddrPort]bool

func (endpoints) Name() string                         { return "peers" }
func (endpoints) KeyKind() event.Kind                  { return event.Endpoint }
func (s endpoints) HasEndpoint(ep netip.AddrPort) bool { return s[ep] }

// rexmit is the event that most tests are about.
func rexmit() *flowev.Rexmit {
	return &flowev.Rexmit{
		C: &conn{
			id: 17, proto: flowev.ProtoTCP, duration: 1500 * time.Millisecond, tags: []string{"lossy", "vip"},
			client: &peer{addr: netip.MustParseAddrPort("10.0.0.1:40000"), sent: 1 << 60},
			server: &peer{addr: netip.MustParseAddrPort("[2001:db8::5]:443")},
		},
		Pkt:  &packet{len: 1500, seq: 4_000_000_000, proto: 6, payload: []byte("GET / HTTP/1.1\r\n")},
		Side: flowev.SideServer,
		Kind: flowev.RexmitKindData,
	}
}

func flow(t testing.TB, name string) (*event.Info, *catalogue.Catalogue) {
	t.Helper()
	cat := catalogue.New(flowev.Family)
	info, _, err := cat.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return info, cat
}

// is builds a leaf; values are Go literals.
func is(path string, op Op, values ...any) Node {
	n := Node{Path: split(path), Op: op}
	for _, v := range values {
		n.Values = append(n.Values, literal(v))
	}
	return n
}

func all(nodes ...Node) *Node { return &Node{All: nodes} }

func BenchmarkTwoNumbers(b *testing.B) {
	info, cat := flow(b, "flow.rexmit")
	e := any(rexmit())
	for name, n := range map[string]*Node{
		"hit":       all(is("client.port", Eq, 40000), is("pkt.len", Gt, 1400)),
		"miss":      all(is("client.port", Eq, 80), is("pkt.len", Gt, 1500)),
		"same-hit":  all(is("pkt.len", Eq, 1500), is("pkt.seq", Gt, 1400)),
		"same-miss": all(is("pkt.len", Eq, 80), is("pkt.seq", Gt, 1400)),
		"peer-hit":  all(is("client.port", Eq, 40000), is("client.bytes", Gt, 1400)),
		"peer-miss": all(is("client.port", Eq, 80), is("client.bytes", Gt, 1400)),
		"own-hit":   all(is("side", Eq, "server"), is("kind", Eq, "data")),
	} {
		p, err := Compile(n, info, cat)
		if err != nil {
			b.Fatal(errors.Unwrap(err), err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p(e)
			}
		})
	}
}
