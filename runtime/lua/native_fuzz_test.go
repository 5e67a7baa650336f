package lua

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/record"
)

// Random events: every field of every object has a value.

type anyConn struct {
	conn
	r     *rand.Rand
	proto flowev.Proto
	vlan  uint16
	start int64
	lasts time.Duration
	a, b  anyPeer
}

func (c *anyConn) CID() string             { return "1:" + c.a.at.String() }
func (c *anyConn) Proto() flowev.Proto     { return c.proto }
func (c *anyConn) Client() flowev.Peer     { return &c.a }
func (c *anyConn) Server() flowev.Peer     { return &c.b }
func (c *anyConn) VLAN() uint16            { return c.vlan }
func (c *anyConn) ICMPID() uint16          { return c.vlan }
func (c *anyConn) Started() int64          { return c.start }
func (c *anyConn) Duration() time.Duration { return c.lasts }

type anyPeer struct {
	peer
	state                       flowev.TCPState
	isn, window                 uint32
	bytes, pkts, rexmits, holes uint64
	mss                         uint16
	ended                       bool
	stream                      anyStream
}

func (p *anyPeer) Ended() bool            { return p.ended }
func (p *anyPeer) State() flowev.TCPState { return p.state }
func (p *anyPeer) ISN() uint32            { return p.isn }
func (p *anyPeer) Bytes() uint64          { return p.bytes }
func (p *anyPeer) Pkts() uint64           { return p.pkts }
func (p *anyPeer) Rexmits() uint64        { return p.rexmits }
func (p *anyPeer) Gaps() uint64           { return p.holes }
func (p *anyPeer) Window() uint32         { return p.window }
func (p *anyPeer) MSS() uint16            { return p.mss }

func (p *anyPeer) Sent() flowev.Stream { return &p.stream }

// anyStream has a few bytes.
type anyStream struct {
	flowev.Stream
	slots event.Slots
}

func (s *anyStream) ID() uint64          { return 1 }
func (s *anyStream) Label() string       { return "stream" }
func (s *anyStream) Ended() bool         { return false }
func (s *anyStream) Slots() *event.Slots { return &s.slots }
func (s *anyStream) From() flowev.Side   { return flowev.SideClient }
func (s *anyStream) Len() uint64         { return 5 }
func (s *anyStream) Ranges() any         { return []any{} }
func (s *anyStream) Gaps() any           { return []any{} }

func (s *anyStream) Peek(uint64, bool, uint32, bool) ([]byte, bool) { return []byte("hello"), true }

func (s *anyStream) Take(*event.Caller, uint32, bool) ([]byte, uint64, error) {
	return []byte("hello"), 0, nil
}

type anyPacket struct {
	flowev.Packet
	ts                              int64
	len, caplen, seq, ack, payloads uint32
	vlan, srcPort, dstPort, win     uint16
	version, proto, ttl, flags      uint8
	src, dst                        netip.Addr
	fragment                        bool
	payload                         []byte
}

func (p *anyPacket) TS() int64                 { return p.ts }
func (p *anyPacket) Len() uint32               { return p.len }
func (p *anyPacket) Caplen() uint32            { return p.caplen }
func (p *anyPacket) VLAN() uint16              { return p.vlan }
func (p *anyPacket) IPVersion() uint8          { return p.version }
func (p *anyPacket) Src() netip.Addr           { return p.src }
func (p *anyPacket) Dst() netip.Addr           { return p.dst }
func (p *anyPacket) Proto() uint8              { return p.proto }
func (p *anyPacket) TTL() uint8                { return p.ttl }
func (p *anyPacket) Fragment() bool            { return p.fragment }
func (p *anyPacket) SrcPort() uint16           { return p.srcPort }
func (p *anyPacket) DstPort() uint16           { return p.dstPort }
func (p *anyPacket) Seq() uint32               { return p.seq }
func (p *anyPacket) Ack() uint32               { return p.ack }
func (p *anyPacket) Flags() uint8              { return p.flags }
func (p *anyPacket) Window() uint16            { return p.win }
func (p *anyPacket) PayloadLen() uint32        { return p.payloads }
func (p *anyPacket) Payload() []byte           { return p.payload }
func (p *anyPacket) Has(f flowev.TCPFlag) bool { return p.flags>>uint(f)&1 != 0 }

type anyData struct {
	flowev.Data
	from   flowev.Side
	offset uint64
	bytes  []byte
}

func (d *anyData) From() flowev.Side { return d.from }
func (d *anyData) Len() uint32       { return uint32(len(d.bytes)) }
func (d *anyData) Offset() uint64    { return d.offset }

func (d *anyData) Peek(n uint32, hasN bool) []byte {
	if !hasN || int(n) > len(d.bytes) {
		return d.bytes
	}
	return d.bytes[:n]
}

func (d *anyData) Starts(text []byte) bool { return strings.HasPrefix(string(d.bytes), string(text)) }

func (d *anyData) Find(text []byte) (int64, bool) {
	i := strings.Index(string(d.bytes), string(text))
	return int64(i), i >= 0
}

func (d *anyData) number(at, n uint32) (v uint64, ok bool) {
	if uint64(at)+uint64(n) > uint64(len(d.bytes)) {
		return 0, false
	}
	for _, b := range d.bytes[at : at+n] {
		v = v<<8 | uint64(b)
	}
	return v, true
}

func (d *anyData) U8(at uint32) (uint8, bool)   { v, ok := d.number(at, 1); return uint8(v), ok }
func (d *anyData) U16(at uint32) (uint16, bool) { v, ok := d.number(at, 2); return uint16(v), ok }
func (d *anyData) U32(at uint32) (uint32, bool) { v, ok := d.number(at, 4); return uint32(v), ok }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// integer gives the numbers at which something may go wrong, and any other.
func integer(r *rand.Rand) uint64 {
	return pick(r, 0, 0, 1, 2, 22, 80, 443, 1025, 65535, 1<<31, 1<<32-1, 1<<53, 1<<53+1, 1<<63, ^uint64(0), uint64(r.IntN(100)), r.Uint64())
}

func anyAddr(r *rand.Rand) netip.Addr {
	return pick(r, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:10.0.0.1"),
		netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"), netip.Addr{})
}

func newAnyPeer(r *rand.Rand) anyPeer {
	return anyPeer{
		peer: peer{at: netip.AddrPortFrom(anyAddr(r), uint16(integer(r)))}, state: flowev.TCPState(r.IntN(13)),
		isn: uint32(integer(r)), window: uint32(integer(r)), bytes: integer(r), pkts: integer(r), rexmits: integer(r),
		holes: integer(r), mss: uint16(integer(r)), ended: r.IntN(10) == 0,
	}
}

func newAnyConn(r *rand.Rand) *anyConn {
	return &anyConn{
		conn: conn{id: integer(r), ended: r.IntN(6) == 0, tags: pick(r, nil, []string{"lossy"}, []string{"a", "web"})}, r: r,
		proto: flowev.Proto(r.IntN(7)), vlan: uint16(integer(r)), start: int64(integer(r)), lasts: time.Duration(integer(r)),
		a: newAnyPeer(r), b: newAnyPeer(r),
	}
}

func newAnyPacket(r *rand.Rand) *anyPacket {
	u32, u16, u8 := func() uint32 { return uint32(integer(r)) }, func() uint16 { return uint16(integer(r)) }, func() uint8 { return uint8(integer(r)) }
	return &anyPacket{
		ts: int64(integer(r)), len: u32(), caplen: u32(), seq: u32(), ack: u32(), payloads: u32(), vlan: u16(), srcPort: u16(), dstPort: u16(),
		win: u16(), version: u8(), proto: u8(), ttl: u8(), flags: u8(), src: anyAddr(r), dst: anyAddr(r), fragment: r.IntN(2) == 0,
		payload: []byte(pick(r, "", "GET / HTTP/1.1\r\n", "SSH-2.0-x", "\x16\x03\x03")),
	}
}

func newAnyData(r *rand.Rand) *anyData {
	return &anyData{from: flowev.Side(r.IntN(4)), offset: integer(r), bytes: []byte(pick(r, "", "G", "GET / HTTP/1.1\r\n", "SSH-2.0-x", "\x16\x03\x03\x00\x05hello", "x\x00y"))}
}

// anyEvent makes an event for a hook point by name.
func anyEvent(r *rand.Rand, name string) any {
	var pkt flowev.Packet
	if r.IntN(6) > 0 || name != "flow.tcp_state_change" {
		pkt = newAnyPacket(r)
	}
	side := flowev.Side(r.IntN(4))
	switch name {
	case "flow.new_data":
		return &flowev.NewData{C: newAnyConn(r), D: newAnyData(r), Side: side}
	case "flow.tcp_state_change":
		return &flowev.TCPStateChange{C: newAnyConn(r), Pkt: pkt, Side: side, Old: flowev.TCPState(r.IntN(12)), New: flowev.TCPState(r.IntN(12))}
	case "flow.orphan":
		return &flowev.Orphan{Pkt: pkt}
	}
	return &flowev.ConnEnd{C: newAnyConn(r), Reason: flowev.EndReason(r.IntN(8))}
}

// author writes random predicates.
type author struct {
	*rand.Rand
	point string
	names []string // locals that hold numbers
}

func (a *author) peer() string { return pick(a.Rand, "c.client", "c.server") }

func (a *author) leaf(list ...string) string { return pick(a.Rand, list...) }

func (a *author) number(depth int) string {
	if a.IntN(40) == 0 {
		return pick(a.Rand, a.text(0), "nil", "true", a.object())
	}
	if depth <= 0 {
		switch a.IntN(8) {
		case 0, 1:
			return a.leaf("0", "1", "2", "80", "443", "65535", "65536", "0x16", "1.5", "-1", "-0", "4294967295", "1e300", "9007199254740993", "0.5", "22")
		case 2:
			return a.leaf("K", "F", "NEG")
		case 3:
			return a.leaf("c.id", "c.vlan", "c.started", "c.duration")
		case 4:
			if len(a.names) > 0 {
				return pick(a.Rand, a.names...)
			}
			fallthrough
		case 5:
			return a.peer() + "." + a.leaf("port", "isn", "bytes", "pkts", "rexmits", "gaps", "window", "mss")
		}
		switch a.point {
		case "flow.new_data":
			return a.leaf("d.len", "d.offset", "d:u8(0)", "d:u16(1)", "d:u32(0)", "d:u8(d.offset)", "d:u8(c.vlan)", `d:find "H"`, `d:find "\0"`, "d:u8(-1)", "d:u8(0.5)")
		case "flow.conn_end":
			return a.leaf("#hits", "hits:size()", "hits:get(c.client.ip)", "hits:get(c.vlan)", "numbers:get(c.vlan)", "numbers:get(c.client.port)")
		}
		return "pkt." + a.leaf("ts", "len", "caplen", "vlan", "ip_version", "proto", "ttl", "src_port", "dst_port", "seq", "ack", "flags", "window", "payload_len")
	}
	switch a.IntN(9) {
	case 0:
		return "-" + a.parens(a.number(depth-1))
	case 1:
		return "#" + a.parens(a.text(depth-1))
	case 2:
		return fmt.Sprintf("(%s or %s)", a.number(depth-1), a.number(depth-1))
	}
	return fmt.Sprintf("(%s %s %s)", a.number(depth-1), a.leaf("+", "-", "*", "/", "%", "^", "+", "-"), a.number(depth-1))
}

func (a *author) parens(s string) string { return "(" + s + ")" }

func (a *author) object() string {
	return a.leaf("c", "c.client", "c.server", "pkt", "d", "c.tags", "this", "bad")
}

func (a *author) text(depth int) string {
	if a.IntN(40) == 0 {
		return pick(a.Rand, a.number(0), "nil", "false", a.object())
	}
	switch a.IntN(6) {
	case 0:
		return a.leaf(`"tcp"`, `"client"`, `"server"`, `"10.0.0.1"`, `"2001:db8::1"`, `"2001:DB8::1"`, `"10.0.0.1:80"`, `"[2001:db8::1]:80"`, `"none"`, `"established"`, `""`, `"fin"`, `"010.0.0.1"`, `"::ffff:10.0.0.1"`)
	case 1:
		return a.leaf("W", "c.proto", "c.cid")
	case 2, 3:
		return a.peer() + "." + a.leaf("ip", "endpoint", "state")
	}
	switch a.point {
	case "flow.new_data":
		return a.leaf("d.from", "this.side")
	case "flow.conn_end":
		return a.leaf("this.reason", "c.proto")
	case "flow.tcp_state_change":
		return a.leaf("this.old", "this.new", "this.side", "pkt.src", "pkt.payload")
	}
	return a.leaf("pkt.src", "pkt.dst", "pkt.payload")
}

func (a *author) bool(depth int) string {
	if depth <= 0 {
		switch a.IntN(6) {
		case 0:
			return a.leaf("true", "false", "nil", "T")
		case 1:
			return fmt.Sprintf("c:tagged %s", a.leaf(`"lossy"`, `"web"`, `""`))
		case 2:
			return a.leaf("bad:has(c.client.ip)", "bad:has(c.server.ip)", "nets:has(c.client.ip)", "any:has(c.proto)", "any:has(c.vlan)", "ends:has(c.client.endpoint)", `bad:has "10.0.0.1"`, `bad:has "zzz"`, "bad:has(nil)", "any:has(c.duration)")
		}
		if a.point == "flow.new_data" {
			return a.leaf(`d:starts "GET "`, `d:starts "SSH-"`, `d:starts ""`, `d:find "/"`, "d:u8(3)", `d:starts "\22\3"`)
		}
		return a.leaf(`pkt:has "syn"`, `pkt:has "fin"`, "pkt.fragment", "pkt", "c")
	}
	switch a.IntN(10) {
	case 0:
		return "not " + a.parens(a.bool(depth-1))
	case 1, 2:
		return fmt.Sprintf("(%s and %s)", a.bool(depth-1), a.bool(depth-1))
	case 3:
		return fmt.Sprintf("(%s or %s)", a.bool(depth-1), a.bool(depth-1))
	case 4:
		return fmt.Sprintf("(%s %s %s)", a.text(0), a.leaf("==", "~=", "<", ">="), a.text(0))
	case 5:
		return fmt.Sprintf("(%s == %s)", a.bool(depth-1), a.bool(depth-1))
	case 6:
		return fmt.Sprintf("(%s %s nil)", pick(a.Rand, a.number(0), a.text(0), a.object()), a.leaf("==", "~="))
	}
	return fmt.Sprintf("(%s %s %s)", a.number(depth-2), a.leaf("==", "~=", "<", "<=", ">", ">="), a.number(depth-2))
}

// body writes the statements of a filter; guards have effects at their end.
func (a *author) body(guard bool) string {
	var b strings.Builder
	a.names = nil
	for range a.IntN(4) {
		switch a.IntN(4) {
		case 0:
			name := fmt.Sprintf("n%d", len(a.names))
			fmt.Fprintf(&b, "local %s = %s ", name, a.number(1))
			a.names = append(a.names, name)
		case 1:
			if guard {
				fmt.Fprintf(&b, "if %s then return end ", a.bool(2))
			} else {
				fmt.Fprintf(&b, "if %s then return %s else local n9 = %s end ", a.bool(2), a.bool(1), a.number(0))
			}
		case 2:
			if guard {
				fmt.Fprintf(&b, "if not %s then return nil end ", a.bool(1))
			} else {
				fmt.Fprintf(&b, "do local n8 = %s if n8 then return %s end end ", a.number(0), a.bool(0))
			}
		}
	}
	if guard {
		fmt.Fprintf(&b, "if %s then return flow.cut end", a.bool(2))
	} else {
		fmt.Fprintf(&b, "return %s", a.bool(3))
	}
	return b.String()
}

// vars are the variables around the handlers, which hold anything.
var vars = []string{"u1", "u2", "u3", "u4"}

// handler writes one that assigns to them and to its locals.
func (a *author) handler() string {
	var b strings.Builder
	a.names = nil
	a.statements(&b, 2)
	return b.String()
}

func (a *author) statements(b *strings.Builder, depth int) {
	for range 1 + a.IntN(3) {
		switch a.IntN(11) {
		case 10:
			fmt.Fprintf(b, "%s = %s ", a.leaf("c.data.k", "state.k"), a.anything(1))
		case 0:
			name := fmt.Sprintf("n%d", a.IntN(3))
			fmt.Fprintf(b, "local %s = %s ", name, a.anything(1))
		case 1:
			fmt.Fprintf(b, "%s, %s = %s, %s ", pick(a.Rand, vars...), pick(a.Rand, vars...), a.anything(1), a.anything(1))
		case 2, 3:
			if depth > 0 {
				fmt.Fprintf(b, "if %s then ", a.condition())
				a.statements(b, depth-1)
				if a.IntN(2) == 0 {
					b.WriteString("else ")
					a.statements(b, depth-1)
				}
				b.WriteString("end ")
			}
		case 4:
			fmt.Fprintf(b, "if %s then return %s end ", a.condition(), a.leaf("", "nil", "flow.cut"))
		case 5:
			name := a.leaf("n0", "n1")
			fmt.Fprintf(b, "local %s = %s if %s then %s = %s end u1 = %s ", name, a.anything(0), a.condition(), name, a.anything(1), name)
		default:
			fmt.Fprintf(b, "%s = %s ", pick(a.Rand, vars...), a.anything(2))
		}
	}
}

// anything writes a value, with variables in it.
func (a *author) anything(depth int) string {
	switch a.IntN(10) {
	case 0:
		return pick(a.Rand, vars...)
	case 9:
		return a.leaf("c.data.k", "state.k", "(state.k or 0) + 1", "(c.data.k or 0) + pkt.len")
	case 1:
		return fmt.Sprintf("(%s or 0) + %s", pick(a.Rand, vars...), a.number(depth-1))
	case 2:
		return fmt.Sprintf("%s %s %s", a.number(0), a.leaf("+", "-", "*", "/", "%"), pick(a.Rand, vars...))
	case 3:
		return a.bool(depth)
	case 4, 5:
		return a.text(0)
	case 6:
		return fmt.Sprintf("%s %s %s", pick(a.Rand, vars...), a.leaf("and", "or"), a.text(0))
	}
	return a.number(depth)
}

func (a *author) condition() string {
	v := pick(a.Rand, vars...)
	switch a.IntN(6) {
	case 0:
		return v
	case 1:
		return fmt.Sprintf("%s %s %s", v, a.leaf("==", "~="), pick(a.Rand, a.text(0), a.number(0), "nil", pick(a.Rand, vars...)))
	case 2:
		return fmt.Sprintf("%s %s %s", v, a.leaf("<", "<=", ">", ">="), a.number(0))
	}
	return a.bool(1)
}

var fuzzPoints = []string{"flow.new_data", "flow.tcp_state_change", "flow.orphan", "flow.conn_end"}

const fuzzTop = `
local bad = store "bad" { kind = "set", key = "ip" }
local nets = store "nets" { kind = "set", key = "cidr" }
local any = store "any" { kind = "set" }
local ends = store "ends" { kind = "set", key = "endpoint" }
local hits = store "hits" { kind = "counter", key = "ip" }
local numbers = store "numbers" { kind = "counter" }
local u1, u2, u3, u4 = 0, "text", nil, {}
local K, F, W, T, NEG = 443, 0.1, "client", true, -7
rule "fill" { on = hookd.start, run = function()
  bad:add "10.0.0.1" nets:add "192.0.2.0/24" any:add "tcp" any:add(80) ends:add "10.0.0.1:80"
  hits:incr("10.0.0.1", 5) numbers:incr(80, 3)
end }
`

// predicateRun counts what a differential run saw.
type predicateRun struct {
	compiled, refused, answers, asks, needless int

	whole, parts, done, idle, undone, decided int // handlers
}

func (p *predicateRun) noteDeed(d *engine.Deed) {
	if d == nil {
		p.parts++
	} else {
		p.whole++
	}
}

// deeds does an event both ways.
func (p *predicateRun) deeds(t *testing.T, in *instance, fn engine.FuncID, deed *engine.Deed, call *engine.Call, line string) {
	t.Helper()
	cells := in.funcs[fn-1].fn.Upvalues
	records := []*record.Table{in.env.State.Table()}
	if k, ok := call.Info.Subject().Get.Object(call.Event).(event.Kept); ok && !k.Ended() {
		records = append(records, in.env.Services.Data(k, in.prog.path).Table())
	}
	key := record.String("k")
	held := func() (list []glua.LValue) {
		for _, c := range cells {
			list = append(list, c.Value())
		}
		for _, t := range records {
			list = append(list, in.fromRecord(t.Get(key)))
		}
		return list
	}
	before := held()
	var was []record.Value
	for _, t := range records {
		was = append(was, t.Get(key))
	}
	same := deed.Foresee(call.Event)
	answer, decision := deed.Do(call.Event)
	natively := held()
	for i, c := range cells {
		c.SetValue(before[i])
	}
	for i, t := range records {
		if at := len(cells) + i; alike(natively[at], before[at]) {
			continue // to put a table back would make another of it
		}
		if t.Set(key, was[i]) != nil {
			t.Set(key, record.Value{})
		}
	}
	is, err := in.Run(fn, call)
	if same != nil && err == nil {
		if err := same(is); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
	after := held()
	want := after
	switch answer {
	case engine.Ask:
		p.undone++
		want = before
	case engine.No:
		p.idle++
	case engine.Yes:
		p.done++
	}
	if decision != nil {
		p.decided++
	}
	if answer != engine.Ask && (err != nil || (is != nil && is.Decided()) != (decision != nil) || decision != nil && (decision.Kind != is.Kind || decision.Family != is.Family)) {
		t.Errorf("natively %v, decides %v; the function %v, %v on %+v\n%s", answer, decision, is, err, call.Event, line)
	}
	for i := range want {
		if x, y := natively[i], want[i]; !alike(x, y) {
			t.Errorf("variable %d is %v natively, %v by the function (%v) on %+v\n%s", i, x, y, answer, call.Event, line)
		}
	}
}

// alike reports whether two values are the same to a script.
func alike(a, b glua.LValue) bool {
	x, ok := a.(glua.LNumber)
	y, both := b.(glua.LNumber)
	if !ok || !both {
		return a == b || sameRecord(a, b)
	}
	return math.Float64bits(float64(x)) == math.Float64bits(float64(y)) || x != x && y != y
}

// randomRules writes a script of random rules, one a line.
func randomRules(r *rand.Rand) string {
	var src strings.Builder
	for i := range 20 {
		a := &author{Rand: r, point: pick(r, fuzzPoints...)}
		args := "c, pkt"
		if a.point == "flow.new_data" {
			args = "c, d"
		}
		fmt.Fprintf(&src, "rule \"w%d\" { on = %s, when = function(%s) %s end, run = function(%s) %s end }\n",
			i, a.point, args, a.body(false), args, a.body(true))
		fmt.Fprintf(&src, "rule \"d%d\" { on = %s, run = function(%s) %s end }\n", i, a.point, args, a.handler())
	}
	return src.String()
}

// stageRules loads a script behind [fuzzTop], with its stores filled.
func stageRules(t *testing.T, rules string) (h *house, staged *stagedProgram) {
	t.Helper()
	h = newHouse(t, engine.Limits{})
	p, diags := unchecked(h).Compile(engine.Source{Path: "t.lua", Text: []byte(fuzzTop + rules)})
	if p == nil {
		t.Fatalf("%v\n%s", diags, rules)
	}
	staged = &stagedProgram{Program: p}
	h.Use(staged)
	if diags := h.load("x"); diags.HasErrors() {
		t.Fatalf("%v\n%s", rendered(diags), rules)
	}
	h.Start(1000e9)
	return h, staged
}

// differ runs both forms of each rule on random events and reports where they
// differ.
func differ(t *testing.T, r *rand.Rand, rules string, events int, run *predicateRun) {
	t.Helper()
	h, staged := stageRules(t, rules)
	lines := strings.Split(fuzzTop+rules, "\n")
	for _, d := range staged.plan.Rules[1:] {
		info, where, err := h.Catalogue().Find(d.On[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		call := &engine.Call{Info: info, Where: where}
		call.Shard = h.Shard(0)
		when, guard, deed := d.NativeWhen.Make(info), d.Guard.Make(info), d.Deed.Make(info)
		if d.When != 0 {
			run.note(when, guard)
		} else {
			run.noteDeed(deed)
		}
		for range events {
			call.Event = anyEvent(r, info.Name)
			if deed != nil {
				run.deeds(t, staged.in.(*instance), d.Run, deed, call, lines[d.Line-1])
			}
			if when != nil {
				answer := when(call.Event)
				ok, err := staged.in.Filter(d.When, call)
				run.count(answer, err)
				if answer != engine.Ask && (err != nil || ok != (answer == engine.Yes)) {
					t.Errorf("native %v, function %t, %v on %+v\n%s", answer, ok, err, call.Event, lines[d.Line-1])
				}
			}
			if guard != nil {
				answer := guard(call.Event)
				dec, err := staged.in.Run(d.Run, call)
				run.count(answer, err)
				if answer == engine.No && (err != nil || dec != nil) {
					t.Errorf("native guard no, function %v, %v on %+v\n%s", dec, err, call.Event, lines[d.Line-1])
				}
			}
		}
	}
}

func (p *predicateRun) note(list ...engine.Native) {
	for _, n := range list {
		if n == nil {
			p.refused++
		} else {
			p.compiled++
		}
	}
}

func (p *predicateRun) count(answer engine.Answer, err error) {
	p.answers++
	if answer == engine.Ask {
		p.asks++
		var se *engine.ScriptError
		if !errors.As(err, &se) {
			p.needless++
		}
	}
}

// TestPredicatesAgree runs both forms of random predicates.
func TestPredicatesAgree(t *testing.T) {
	var run predicateRun
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		differ(t, r, randomRules(r), 12, &run)
	}
	t.Logf("%+v", run)
	if run.compiled < run.refused/2 || run.answers < 10_000 || run.asks > run.answers/2 {
		t.Errorf("the run shows little: %+v", run)
	}
	if run.whole < run.parts || run.done < 4000 || run.decided < 1000 {
		t.Errorf("the run shows little of handlers: %+v", run)
	}
}

// TestPredicatesInParticular runs both forms of what random ones seldom meet,
// all of which have a native form.
func TestPredicatesInParticular(t *testing.T) {
	for _, when := range []string{
		"1 / ((0 - c.vlan) * 1) > 0", "1 / (-c.vlan) < 0", "1 / (c.vlan * NEG) < 0", "c.vlan % 0 == c.vlan % 0", "c.id % NEG < 0",
		"c.id == 9007199254740993", "c.id + 1 == c.id", "c.vlan <= 79.5", "c.vlan < 80", "80 <= c.vlan", "79.5 < c.vlan", "0/0 < c.vlan",
		"c.vlan ~= 0/0", "c.vlan > -1", "c.vlan < 65536", "c.vlan == 1.5", "c.client.ip == c.server.ip", "c.client.ip == nil",
		"c.proto == c.proto", "c.proto < \"tcp\"", "c.client.state ~= \"established\"", "#c.client.state > 5", "c.vlan == \"0\"",
		"c.proto ~= 5", "c.client.endpoint == \"10.0.0.1:80\"", "(c.client.ip ~= nil) == true", "bad:has(c.client.ip) == false",
		"this.reason == \"fin\" or this.reason == nil", "#hits > 0 and hits:get(c.client.ip) >= 5", "any:has(c.vlan) and not any:has(c.proto)",
		"not not c", "c ~= nil and c.vlan", "(c.vlan or 5) > 4", "c.duration > 1.5 or c.started < 0", "T and K == 443",
	} {
		var run predicateRun
		r := rand.New(rand.NewPCG(7, 7))
		differ(t, r, "rule \"a\" { on = flow.conn_end, when = function(c) return "+when+" end, run = function(c) if not ("+when+") then return end print(1) end }", 300, &run)
		if run.refused > 0 {
			t.Errorf("no native form of %s", when)
		}
	}
}

// FuzzPredicates is [TestPredicatesAgree] for as long as one wants.
func FuzzPredicates(f *testing.F) {
	f.Add(uint64(1000))
	f.Fuzz(func(t *testing.T, seed uint64) {
		var run predicateRun
		r := rand.New(rand.NewPCG(seed, 1))
		differ(t, r, randomRules(r), 12, &run)
	})
}

// stagedProgram is a runtime of one program that remembers what that was staged
// as.
type stagedProgram struct {
	engine.Program
	in   engine.Instance
	plan *engine.Plan
}

func (s *stagedProgram) Compile(engine.Source) (engine.Program, diag.List) { return s, nil }

func (s *stagedProgram) CompileModule(engine.Source) (any, diag.List) { return nil, nil }

func (s *stagedProgram) Stage(env *engine.Env) (in engine.Instance, plan *engine.Plan, diags diag.List) {
	in, plan, diags = s.Program.Stage(env)
	s.in, s.plan = in, plan
	return in, plan, diags
}
