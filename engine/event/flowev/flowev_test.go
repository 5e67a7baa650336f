package flowev_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// conn, peer and packet define what the tests read; the rest panics.
type conn struct {
	flowev.Conn
	client, server peer
}

func (c *conn) ID() uint64              { return 17 }
func (c *conn) Label() string           { return fmt.Sprintf("connection %d", c.ID()) }
func (c *conn) CID() string             { return "1:abc" }
func (c *conn) Proto() flowev.Proto     { return flowev.ProtoTCP }
func (c *conn) Client() flowev.Peer     { return &c.client }
func (c *conn) Server() flowev.Peer     { return &c.server }
func (c *conn) Duration() time.Duration { return 1500 * time.Millisecond }

type peer struct {
	flowev.Peer
	at netip.AddrPort
}

func (p *peer) Endpoint() netip.AddrPort { return p.at }
func (p *peer) IP() netip.Addr           { return p.at.Addr() }
func (p *peer) State() flowev.TCPState   { return flowev.TCPStateTimeWait }
func (p *peer) Bytes() uint64            { return 5000 }
func (p *peer) Pkts() uint64             { return 12 }
func (p *peer) Rexmits() uint64          { return 1 }
func (p *peer) Gaps() uint64             { return 0 }

type packet struct{ flowev.Packet }

func (*packet) Src() netip.Addr { return netip.MustParseAddr("::1") }
func (*packet) Dst() netip.Addr { return netip.Addr{} }
func (*packet) Proto() uint8    { return 17 }
func (*packet) SrcPort() uint16 { return 53 }
func (*packet) DstPort() uint16 { return 1234 }
func (*packet) Len() uint32     { return 90 }

func (*packet) PayloadLen() uint32 { return 62 }
func (*packet) Seq() uint32        { return 1 << 31 }

func newConn() *conn {
	return &conn{
		client: peer{at: netip.MustParseAddrPort("10.0.0.1:5060")},
		server: peer{at: netip.MustParseAddrPort("[2001:db8::1]:80")},
	}
}

// info returns the catalogue row of an event.
func info(t testing.TB, name string) *event.Info {
	t.Helper()
	for _, i := range flowev.Family.Events {
		if i.Name == name {
			return i
		}
	}
	t.Fatalf("no event %s", name)
	return nil
}

const connKeys = `,"conn":17,"cid":"1:abc","proto":"tcp","client":"10.0.0.1:5060","server":"[2001:db8::1]:80"`

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	c := newConn()
	for _, test := range []struct {
		name string
		e    any
		want string
	}{
		{"flow.conn_end", &flowev.ConnEnd{C: c, Reason: flowev.EndReasonFin}, connKeys + `,"reason":"fin",` +
			`"client_bytes":5000,"server_bytes":5000,"client_pkts":12,"server_pkts":12,` +
			`"client_rexmits":1,"server_rexmits":1,"client_gaps":0,"server_gaps":0,` +
			`"client_state":"time_wait","server_state":"time_wait","duration":1.500000000`},
		{
			"flow.tcp_state_change", &flowev.TCPStateChange{C: c, Side: flowev.SideServer, New: flowev.TCPStateListen},
			connKeys + `,"side":"server","old":"closed","new":"listen"`,
		},
		{
			"flow.orphan", &flowev.Orphan{Pkt: &packet{}},
			`,"src":"::1","dst":null,"ip_proto":17,"src_port":53,"dst_port":1234,"len":90,"reason":"none"`,
		},
	} {
		got := string(info(t, test.name).AppendJSON(nil, test.e))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestAppendJSONAllocations(t *testing.T) {
	row, e, b := info(t, "flow.conn_end"), any(&flowev.ConnEnd{C: newConn()}), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { b = row.AppendJSON(b[:0], e) }); n != 0 {
		t.Errorf("AppendJSON: %v allocations", n)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	row, e, buf := info(b, "flow.conn_end"), any(&flowev.ConnEnd{C: newConn()}), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = row.AppendJSON(buf[:0], e)
	}
}

func TestGetters(t *testing.T) {
	t.Parallel()
	c := newConn()
	var e any = &flowev.TCPStateChange{C: c, Side: flowev.SideServer}
	row := info(t, "flow.tcp_state_change")
	if row.Subject() != row.Field("c") {
		t.Error("the subject is not c")
	}
	if got := row.Field("c").Get.Object(e); got != c {
		t.Errorf("c = %v", got)
	}
	pkt := row.Field("pkt").Get
	if pkt.Present(e) || pkt.Object(e) != nil {
		t.Error("an absent packet is present")
	}
	if got := row.Field("side").Get.Uint(e); got != uint64(flowev.SideServer) {
		t.Errorf("side = %d", got)
	}
	object := flowev.Family.Objects[0]
	client := object.Field("client").Get.Object(c)
	if got := flowev.Family.Objects[1].Field("ip").Get.IP(client); got != c.client.at.Addr() {
		t.Errorf("client.ip = %v", got)
	}
	if got := object.Field("duration").Get.Int(c); got != 15e8 {
		t.Errorf("duration = %d", got)
	}
	if get := object.Field("data").Get; get.Object != nil {
		t.Error("a record has a getter")
	}
}

func TestGetterAllocations(t *testing.T) {
	c := newConn()
	var e any = &flowev.ConnEnd{C: c}
	subject := info(t, "flow.conn_end").Field("c").Get.Object
	client := flowev.Family.Objects[0].Field("client").Get.Object
	addr := flowev.Family.Objects[1].Field("ip").Get.IP
	state := flowev.Family.Objects[1].Field("state").Get.Uint
	n := testing.AllocsPerRun(100, func() {
		p := client(subject(e))
		_, _ = addr(p), state(p)
	})
	if n != 0 {
		t.Errorf("c.client.ip: %v allocations", n)
	}
}

func TestSetAndClone(t *testing.T) {
	t.Parallel()
	row := info(t, "flow.tcp_state_change")
	e, c := row.New(), newConn()
	for field, value := range map[string]any{"c": c, "pkt": nil, "side": "client", "new": "established"} {
		if err := row.Field(field).Set(e, value); err != nil {
			t.Errorf("set %s: %v", field, err)
		}
	}
	want := &flowev.TCPStateChange{C: c, Side: flowev.SideClient, New: flowev.TCPStateEstablished}
	if got := e.(*flowev.TCPStateChange); *got != *want {
		t.Errorf("event is %+v", got)
	}
	for _, test := range []struct {
		field string
		value any
		want  string
	}{
		{"c", nil, "flow.conn expected, got nil"},
		{"pkt", c, "flow.packet expected, got connection 17"},
		{"side", "up", `none, client, server expected, got "up"`},
		{"side", 1.0, "string expected, got 1"},
	} {
		if err := row.Field(test.field).Set(e, test.value); err == nil || err.Error() != test.want {
			t.Errorf("set %s to %v: got %v, want %s", test.field, test.value, err, test.want)
		}
	}
	copied := row.Clone(e).(*flowev.TCPStateChange)
	copied.New = flowev.TCPStateClosed
	if *e.(*flowev.TCPStateChange) != *want {
		t.Error("a change of the clone changed the event")
	}
}

func TestEnums(t *testing.T) {
	t.Parallel()
	for i, word := range flowev.TCPStateNames() {
		v, ok := flowev.ParseTCPState(word)
		if !ok || int(v) != i || v.String() != word {
			t.Errorf("%s: %d, %v, %s", word, v, ok, v)
		}
	}
	if _, ok := flowev.ParseTCPState("open"); ok {
		t.Error("an unknown word was parsed")
	}
	if got := flowev.TCPState(99).String(); got != "tcp_state(99)" {
		t.Errorf("a value beyond the words is %s", got)
	}
}

// TestReplaceArgsString: what is not the same is not told the same.
func TestReplaceArgsString(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	long := func(last byte) []byte { return append(make([]byte, 1400), last) }
	for _, c := range []struct {
		args flowev.ReplaceArgs
		want string
	}{
		{flowev.ReplaceArgs{}, ""},
		{flowev.ReplaceArgs{Src: addr("10.0.0.9"), SrcPort: 0, HasSrcPort: true}, "src=10.0.0.9 src_port=0"},
		{
			flowev.ReplaceArgs{Dst: addr("fd00::1"), DstPort: 80, HasDstPort: true, TTL: 63, HasTTL: true, Payload: []byte("a\n")},
			`dst=fd00::1 dst_port=80 ttl=63 payload="a\n"`,
		},
		{flowev.ReplaceArgs{Payload: long(0)}, "payload=(1401 bytes, f43f1c232392e03b)"},
		{flowev.ReplaceArgs{Payload: long(1)}, "payload=(1401 bytes, 3a47b6f2e4dc6c97)"},
	} {
		if got := c.args.String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
