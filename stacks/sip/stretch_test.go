package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestStretchAck: the ACK of a 2xx is a request like others, and goes by TCP where it is too
// long for a datagram (RFC 3261, 18.1.1): one that is relayed, and one of this server's own.
func TestStretchAck(t *testing.T) {
	t.Parallel()
	long := "Subject: " + strings.Repeat("x", 1200)
	lost := func(r *rig) {
		r.stack.Undelivered(Hop{Proto: sipev.TransportTCP, Remote: peer("A").Remote, Stretch: true}, r.last("A", "ACK").Raw())
	}
	for _, row := range []struct {
		name  string
		lines []string
		noTCP bool
		then  func(r *rig)
		want  string
	}{
		{"short", nil, false, nil, "udp udp"},
		{"long", []string{long}, false, nil, "udp tcp"},
		{"no TCP at once", []string{long}, true, nil, "udp udp"},
		{"no TCP later", []string{long}, false, lost, "udp tcp udp"},
		{"TCP it has to be", []string{long}, false, func(r *rig) {
			r.stack.Undelivered(Hop{Proto: sipev.TransportTCP, Remote: peer("A").Remote}, r.last("A", "ACK").Raw())
		}, "udp tcp"},
	} {
		r := newRig(t, nil, quiet...)
		w := &wide{rig: r, noTCP: row.noTCP}
		r.stack.out = w
		r.invite()
		r.reply("A", "INVITE", 200, "t")
		r.recv("caller", dialogRequest("ACK", 1, "ack", "t", append(row.lines, "Route: <sip:192.0.2.100:5060;lr>")...))
		if row.then != nil {
			row.then(r)
		}
		acked(t, row.name, w, row.want)
	}

	// One of this server's own is long since the way is.
	for _, row := range []struct {
		name  string
		route string
		noTCP bool
		then  func(r *rig)
		want  string
	}{
		{"own, short", "", false, nil, "udp udp"},
		{"own, long", strings.Repeat("x", 1200), false, nil, "udp tcp"},
		{"own, long and again", strings.Repeat("x", 1200), false, func(r *rig) { r.reply("A", "INVITE", 200, "t") }, "udp tcp tcp"},
		{"own, no TCP", strings.Repeat("x", 1200), true, nil, "udp udp"},
		{"own, no TCP later", strings.Repeat("x", 1200), false, lost, "udp tcp udp"},
	} {
		r := newRig(t, nil, quiet...)
		w := &wide{rig: r, noTCP: row.noTCP}
		r.stack.out = w
		if _, err := r.stack.Request(&Request{Method: "INVITE", URI: "sip:a@192.0.2.11", From: "<sip:us@192.0.2.100>", To: "<sip:a@192.0.2.11>", Fields: []byte("Contact: <sip:192.0.2.100>\r\n")}); err != nil {
			t.Fatal(err)
		}
		lines := []string{"Contact: <sip:a@192.0.2.11>"}
		if row.route != "" {
			lines = append(lines, "Record-Route: <sip:192.0.2.11;lr;x="+row.route+">")
		}
		r.reply("A", "INVITE", 200, "t", lines...)
		if row.then != nil {
			row.then(r)
		}
		acked(t, row.name, w, row.want)
	}
}

// acked wants what went to A to have gone by these transports, each ACK with a Via that says
// so.
func acked(t *testing.T, name string, w *wide, want string) {
	t.Helper()
	if got := strings.Join(w.protos, " "); got != want {
		t.Errorf("%s: by %s, want %s", name, got, want)
	}
	vias := map[string]int{}
	for i, raw := range w.out["A"] {
		m := &msg.Message{}
		if err := m.Parse(raw, msg.DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		via, err := m.Via()
		if err != nil || !strings.EqualFold(string(via.Transport), w.protos[i]) {
			t.Errorf("%s: by %s\n%s", name, w.protos[i], raw)
		}
		if m.Method() == msg.Ack {
			vias[string(via.Branch())] = m.Count(msg.ViaName)
		}
	}
	if len(vias) != 1 {
		t.Errorf("%s: the ACK and its copies have the branches %v", name, vias)
	}
	w.after(2 * time.Minute)
	w.empty()
}
