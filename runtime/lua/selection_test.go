package lua

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// infosOf returns the events of hook points by pattern.
func (h *house) infosOf(pattern string) []*event.Info {
	h.t.Helper()
	points, err := h.Catalogue().Match(pattern)
	if err != nil || len(points) == 0 {
		h.t.Fatalf("%s: %v", pattern, err)
	}
	var infos []*event.Info
	for _, p := range points {
		info, _ := h.Catalogue().Point(p.ID)
		infos = append(infos, info)
	}
	return infos
}

// TestSelect checks what expressions select, by which way, and how they fail.
func TestSelect(t *testing.T) {
	t.Parallel()
	c := &anyConn{
		conn:  conn{id: 17, tags: []string{"lossy"}},
		proto: flowev.ProtoTCP, vlan: 3,
		a: anyPeer{peer: peer{at: netip.MustParseAddrPort("10.0.0.1:5060")}, bytes: 70},
		b: anyPeer{peer: peer{at: netip.MustParseAddrPort("10.0.0.2:80")}},
	}
	ended := &anyConn{conn: conn{id: 18, ended: true}, a: c.a, b: c.b}
	end := func(c flowev.Conn) any { return &flowev.ConnEnd{C: c, Reason: flowev.EndReasonRst} }
	in := func(c flowev.Conn) any {
		return &flowev.PktIn{C: c, Pkt: &anyPacket{len: 1400, payload: []byte("GET /")}, Side: flowev.SideClient}
	}
	orphan := &flowev.Orphan{Pkt: &anyPacket{len: 60}}
	for _, tt := range []struct {
		point, expr string
		e           any
		native      bool
		want        string
	}{
		{"flow.conn_end", `c.client.port == 5060`, end(c), true, "true"},
		{"flow.conn_end", `client.port == 5060`, end(c), true, "true"},
		{"flow.conn_end", `client.port == 5061 or server.port ~= 80`, end(c), true, "false"},
		{"flow.conn_end", `reason == "rst"`, end(c), true, "true"},
		{"flow.conn_end", `this.reason == "rst" and vlan == 3 and id > 16`, end(c), true, "true"},
		{"flow.conn_end", `c:tagged "lossy"`, end(c), true, "true"},
		{"flow.conn_end", `string.sub(client.ip, 1, 3) == "10."`, end(c), false, "true"},
		{"flow.conn_end", `ip.in_cidr(client.ip, "10.0.0.0/8")`, end(c), false, "true"},
		{"flow.conn_end", "client.port == 5060 -- and no more", end(c), true, "true"},
		{"flow.conn_end", "client.port == 5060\n  and server.port == 80", end(c), true, "true"},
		{"flow.conn_end", "(function(id) return id end)(4) == 4", end(c), false, "true"},
		{"flow.conn_end", "this.event", end(c), false, "true"},
		{"flow.conn_end", "nil", end(c), true, "false"},
		{"flow.conn_end", "c.data.x == nil and state.y == nil", end(c), false, "true"},
		{"flow.conn_end", "c == c and client == c.client", end(c), false, "true"},
		{"flow.conn_end", "c.duration > 3", end(ended), true, "--where: connection 18 ended"},
		{"flow.conn_end", "#vlan > 3", end(c), false, "--where: attempt to get length of"},
		{"flow.conn_end", "(function() while true do end end)()", end(c), false, "--where: filter went over its budget"},
		{"flow.conn_end", `rule "x" {}`, end(c), false, `--where: rule in a handler: declare it at the top level`},
		{"flow.pkt_in", `pkt.len > 1000 and side == "client"`, in(c), true, "true"},
		{"flow.pkt_in", `pkt.payload:sub(1, 3) == "GET"`, in(c), false, "true"},
		{"flow.orphan", `c == nil and pkt.len == 60`, orphan, true, "true"},
	} {
		h := up(t, "")
		sel, diags := h.Select(tt.expr, h.infosOf(tt.point))
		if len(diags) > 0 {
			t.Errorf("%s: %s", tt.expr, rendered(diags))
			continue
		}
		s, err := sel.On(h.Shard(0))
		if err != nil {
			t.Fatal(err)
		}
		info, where, err := h.Catalogue().Find(tt.point)
		if err != nil {
			t.Fatal(err)
		}
		got := "false"
		if ok, err := s.Selects(info, where, tt.e); err != nil {
			got = err.Error()
		} else if ok {
			got = "true"
		}
		if native := s.(*selector).rules[info].native != nil; !strings.Contains(got, tt.want) || native != tt.native {
			t.Errorf("%s: %s (native: %t), want %s", tt.expr, got, native, tt.want)
		}
		s.Close()
		h.Close()
		if c.slots.Used() {
			t.Fatalf("%s leaves something on the connection", tt.expr)
		}
	}
}

// TestSelectRefuses checks what is said of an expression that is wrong.
func TestSelectRefuses(t *testing.T) {
	t.Parallel()
	h := up(t, "")
	defer h.Close()
	for _, tt := range []struct{ points, expr, want string }{
		{"flow.conn_end", "clientt.port == 5060", "--where:1:1: neither flow.conn_end nor its flow.conn has a clientt (did you mean client?)"},
		{"flow.conn_end", "vlan == 3 and\n  client.porrt == 5060", "--where:2:10: flow.peer has no field or method porrt (did you mean port?)"},
		{"flow.conn_end", "this.reason == \"rest\"", "--where:1:17: reason is never \"rest\""},
		{"flow.conn_end", "c:cut()", "cut"},
		{"flow.conn_end", "c:tag \"x\"", "--where:1:3: tag changes something: a filter only looks"},
		{"flow.conn_end", "pkt.len > 3", "--where:1:1: neither flow.conn_end nor its flow.conn has a pkt"},
		{"flow.conn_end", "", "--where:"},
		{"flow.conn_end", "1 end, run = function() return 2", "--where:1:"},
		{"flow.conn_end", "return 1", "--where:1:1:"},
		{"flow.conn_end", "1, 2", "--where:1:1: one expression expected"},
		{"flow.conn_end", "1; log.info(2)", "--where:1:"},
		{"flow.conn_end", "--[[", "--where:1:1:"},
		{"flow.conn_end", "x == ", "--where:"},
		{"hookd.*", "c.id == 3", "has no c"},
	} {
		sel, diags := h.Select(tt.expr, h.infosOf(tt.points))
		if sel != nil || !diags.HasErrors() {
			t.Errorf("%q is taken", tt.expr)
			continue
		}
		got := diags[0].Error()
		if diags[0].Hint != "" {
			got += " (" + diags[0].Hint + ")"
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%q: %s, want %s", tt.expr, got, tt.want)
		}
	}
}

// TestSelectTakes checks which events an expression has a meaning for.
func TestSelectTakes(t *testing.T) {
	t.Parallel()
	h := up(t, "")
	defer h.Close()
	infos := h.infosOf("flow.*")
	sel, diags := h.Select("pkt.len > 1000", infos)
	if len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	taken := map[string]bool{}
	for _, info := range infos {
		taken[info.Name] = sel.Takes(info)
	}
	if !taken["flow.pkt_in"] || !taken["flow.orphan"] || taken["flow.conn_end"] || taken["flow.new_data"] {
		t.Errorf("%v", taken)
	}
	if !sel.Reads().May("flow.packet.len") || sel.Reads().May("flow.peer.sent") {
		t.Error(cmp.Diff(nil, sel.Reads()))
	}
}

// TestSelectAllocatesNothing holds for an expression with a native form.
func TestSelectAllocatesNothing(t *testing.T) {
	h := up(t, "")
	defer h.Close()
	sel, diags := h.Select("client.port == 5060 and pkt.len > 1000", h.infosOf("flow.pkt_in"))
	if len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	s, err := sel.On(h.Shard(0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, where, err := h.Catalogue().Find("flow.pkt_in")
	if err != nil {
		t.Fatal(err)
	}
	e := any(&flowev.PktIn{C: newAnyConn(rand.New(rand.NewPCG(1, 2))), Pkt: &anyPacket{len: 1400}})
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Selects(info, where, e) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSelect checks that no expression breaks out of its place: what is taken
// decides, and never panics.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"client.port == 5060", "1 end, x = (function() return 2", "c:tag 'x'", "--[[", "]]", "(function() end)()", "pkt.payload:rep(1000)", "\"\\\n\"", "end } rule"} {
		f.Add(s)
	}
	h := newHouse(f, engine.Limits{HandlerInstructions: 1000})
	infos := h.infosOf("flow.pkt_in")
	f.Fuzz(func(t *testing.T, expr string) {
		sel, diags := h.Select(expr, infos)
		if sel == nil {
			if !diags.HasErrors() {
				t.Fatalf("%q: refused without a word", expr)
			}
			return
		}
		s, err := sel.On(h.Shard(0))
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		defer s.Close()
		if n := len(s.(*selector).rules); n != 1 {
			t.Fatalf("%q: %d rules", expr, n)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 3 {
			_, _ = s.Selects(infos[0], &infos[0].Points[0], &flowev.PktIn{C: newAnyConn(r), Pkt: newAnyPacket(r)})
		}
	})
}
