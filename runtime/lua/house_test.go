package lua

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/runtime/lua/source"
)

// house is an engine with this runtime, one script, and what they reported.
type house struct {
	*engine.Engine
	t   testing.TB
	out strings.Builder
}

// Log, Alert, Decision and ScriptError write one line a record.
func (h *house) Log(r *engine.LogRecord) {
	fmt.Fprintf(&h.out, "%s%s\n", r.Message, fieldText(r.Fields))
}

func (h *house) Alert(r *engine.AlertRecord) {
	fmt.Fprintf(&h.out, "alert %s%s\n", r.Name, fieldText(r.Fields))
}

func (h *house) Decision(r *engine.DecisionRecord) {
	fmt.Fprintf(&h.out, "%s: %s at %s\n", r.Rule, r.Verdict, r.Point)
}

func (h *house) ScriptError(r *engine.ErrorRecord) {
	fmt.Fprintf(&h.out, "error %s", r.Err)
	if r.Err.Overrun {
		h.out.WriteString(" (overrun)")
	}
	if r.Err.Poisoned {
		h.out.WriteString(" (poisoned)")
	}
	if r.Suspended {
		h.out.WriteString(" (suspended)")
	}
	h.out.WriteString("\n")
}

func fieldText(list []event.KV) string {
	if len(list) == 0 {
		return ""
	}
	return " " + string(event.AppendJSONFields(nil, list))
}

// take returns what was reported since the last time.
func (h *house) take() string {
	s := h.out.String()
	h.out.Reset()
	return s
}

func newHouse(t testing.TB, limits engine.Limits) *house {
	h := &house{t: t}
	cat := catalogue.New(catalogue.All()...)
	h.Engine = engine.New(engine.Config{Catalogue: cat, Sink: h, Limits: limits, Scopes: map[string]engine.Scope{
		"flow": func(expr string) (func(any) bool, error) {
			return func(c any) bool { return c.(flowev.Conn).Server().Endpoint().String() == expr }, nil
		},
	}})
	h.Use(New(Config{Catalogue: cat, Functions: h.Functions(), Limits: h.Limits()}))
	t.Cleanup(h.Close)
	return h
}

// load publishes one script, t.lua, and starts time; it returns what was said
// about it.
func (h *house) load(src string) diag.List {
	h.t.Helper()
	_, diags := h.Apply([]engine.Source{{Path: "t.lua", Text: []byte(src)}})
	return diags
}

// up returns a house in which a script is loaded and started.
func up(t testing.TB, src string) *house {
	t.Helper()
	h := newHouse(t, engine.Limits{})
	h.started(src)
	return h
}

// started loads a script that has to load, and raises hookd.start.
func (h *house) started(src string) {
	h.t.Helper()
	if diags := h.load(src); len(diags) > 0 {
		h.t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
}

func rendered(diags diag.List) string {
	var b strings.Builder
	if err := diags.Render(&b, false); err != nil {
		return err.Error()
	}
	return b.String()
}

// in runs fn with the shard entered.
func (h *house) in(fn func(s *event.Shard)) {
	s := h.Shard(0)
	s.Enter()
	defer s.Leave()
	fn(s)
}

func (h *house) advance(d time.Duration) {
	h.in(func(s *event.Shard) { s.Advance(s.Now() + int64(d)) })
}

// start raises flow.conn_start about c.
func (h *house) start(c *conn) (v event.Verdict) {
	h.in(func(s *event.Shard) {
		v = flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c, Pkt: &packet{len: 60}, Side: flowev.SideClient})
	})
	return v
}

// conn is a connection as far as these tests look at it.
type conn struct {
	flowev.Conn
	id             uint64
	client, server peer
	slots          event.Slots
	ended          bool
	tags           []string
}

func newConn(id uint64) *conn {
	return &conn{
		id:     id,
		client: peer{at: netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:1025", id))},
		server: peer{at: netip.MustParseAddrPort("192.0.2.1:80")},
	}
}

func (c *conn) ID() uint64              { return c.id }
func (c *conn) Label() string           { return fmt.Sprintf("connection %d", c.id) }
func (c *conn) Ended() bool             { return c.ended }
func (c *conn) Slots() *event.Slots     { return &c.slots }
func (c *conn) Proto() flowev.Proto     { return flowev.ProtoTCP }
func (c *conn) Client() flowev.Peer     { return &c.client }
func (c *conn) Server() flowev.Peer     { return &c.server }
func (c *conn) VLAN() uint16            { return 0 }
func (c *conn) Duration() time.Duration { return time.Second }
func (c *conn) Tags() []string          { return c.tags }

func (c *conn) Tag(_ *event.Caller, word string) error {
	c.tags = append(c.tags, word)
	return nil
}

func (c *conn) Tagged(word string) bool {
	for _, t := range c.tags {
		if t == word {
			return true
		}
	}
	return false
}

type peer struct {
	flowev.Peer
	at    netip.AddrPort
	slots event.Slots
}

func (p *peer) ID() uint64               { return 1 }
func (p *peer) Label() string            { return "peer" }
func (p *peer) String() string           { return p.at.String() }
func (p *peer) Ended() bool              { return false }
func (p *peer) Slots() *event.Slots      { return &p.slots }
func (p *peer) IP() netip.Addr           { return p.at.Addr() }
func (p *peer) Port() uint16             { return p.at.Port() }
func (p *peer) Endpoint() netip.AddrPort { return p.at }
func (p *peer) Bytes() uint64            { return 5000 }
func (p *peer) Window() uint32           { return 65535 }

type packet struct {
	flowev.Packet
	len uint32
}

func (p *packet) Len() uint32     { return p.len }
func (p *packet) Seq() uint32     { return 4_000_000_000 }
func (p *packet) Src() netip.Addr { return netip.MustParseAddr("10.0.0.1") }
func (p *packet) TTL() uint8      { return 64 }

// unchecked is a runtime that does not look at a script's names before it runs.
func unchecked(h *house) *Runtime {
	return New(Config{
		Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits(),
		Check: func(*source.Chunk) diag.List { return nil },
	})
}
