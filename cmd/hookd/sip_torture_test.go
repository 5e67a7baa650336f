package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
	"github.com/hookd/hookd/stacks/sip/msg/msgtest"
)

// torturePolicy relays what is no REGISTER, and all that is for a proxy.
const torturePolicy = `
rule "registrar" { on = sip.request_in, match = { method = "REGISTER", m = { source = { port = 5062 } } }, run = function(tx, m)
  if m:header "Authorization" and not digest.check { message = m, realm = "example.com", password = "x" } then
    return sip.reply(401, nil, digest.challenge { realm = "example.com" })
  end
  return sip.reply(location.save { message = m })
end }
rule "calls" { on = sip.request_in, match = { method = "INVITE", m = { source = { port = 5062 } } }, run = function(tx, m)
  return sip.relay { targets = location.lookup(m.ruri.text) }
end }
rule "relay" { on = sip.request_in, verdict = sip.relay { next_hop = "sip:192.0.2.11" } }
`

// from is where a message comes from: its port chooses what it comes to.
func (r *sipRules) from(port uint16, raw []byte) {
	r.sent, r.to = nil, nil
	r.shard.Enter()
	defer r.shard.Leave()
	r.stack.Receive(sip.Hop{Proto: sipev.TransportUDP, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port)}, raw)
}

// outcome says what became of a message: whether it went on, or what was answered.
func (r *sipRules) outcome() string {
	for i, raw := range r.sent {
		m := parsed(r.t, raw)
		switch {
		case r.to[i] == "192.0.2.11":
			return msgtest.Relayed
		case m.Status() != 100:
			return fmt.Sprintf("%d %s", m.Status(), m.Reason())
		}
	}
	return msgtest.Dropped
}

func parsed(t testing.TB, raw []byte) *msg.Message {
	t.Helper()
	m := &msg.Message{}
	if err := m.Parse(raw, msg.DefaultLimits()); err != nil {
		t.Fatalf("%v:\n%s", err, raw)
	}
	return m
}

// TestSIPTorture gives the messages of RFC 4475 and RFC 5118 to a whole proxy and to a whole
// registrar.
func TestSIPTorture(t *testing.T) {
	t.Parallel()
	r := newSIPRules(t, torturePolicy)
	for _, row := range msgtest.Tortures {
		t.Run(row.Name, func(t *testing.T) {
			r.t = t
			raw := row.Raw(t, "../..")
			r.after(3 * time.Hour) // what came before is forgotten
			if strings.HasPrefix(string(raw), "SIP/") {
				r.tortureReply(&row, raw)
			} else {
				r.tortureRequest(&row, raw)
			}
		})
	}
	r.t = t
	r.errors()
}

// tortureRequest gives a request to the proxy, twice if it is relayed, and to the registrar if
// it is for that.
func (r *sipRules) tortureRequest(row *msgtest.Torture, raw []byte) {
	r.t.Helper()
	r.from(5060, raw)
	if got := r.outcome(); got != row.Want {
		r.t.Fatalf("%s, want %s", got, row.Want)
	}
	for i, to := range r.to {
		if to != "192.0.2.1" && to != "192.0.2.11" {
			r.t.Errorf("something went to %s:\n%s", to, r.sent[i])
		}
	}
	if row.Want == msgtest.Relayed {
		r.same(row.Name, raw)
		r.from(5060, raw)
		if slices.Contains(r.to, "192.0.2.11") {
			r.t.Error("a copy is relayed")
		}
	} else {
		r.once(row.Name)
	}
	if row.Name == "badbranch" {
		r.from(5060, []byte(strings.Replace(string(raw), "Call-ID: ", "Call-ID: x", 1)))
		if !slices.Contains(r.to, "192.0.2.11") {
			r.t.Error("another request is taken for a copy")
		}
	}
	if strings.HasPrefix(string(raw), "REGISTER") {
		r.after(time.Hour)
		r.registers(row, raw)
	}
}

// same wants what was relayed to be the same but for its topmost Via, which another is put above,
// and Max-Forwards.
func (r *sipRules) same(name string, raw []byte) {
	r.t.Helper()
	was, is := parsed(r.t, raw), parsed(r.t, r.sent[slices.Index(r.to, "192.0.2.11")])
	was.TrimBody()
	if f := is.Check(); f.Found() {
		r.t.Errorf("%s: %v of what is relayed:\n%s", name, f, is.Raw())
	}
	if string(was.Body()) != string(is.Body()) || string(is.MethodText()) != string(was.MethodText()) {
		r.t.Errorf("%s: the body or the method changed:\n%s", name, is.Raw())
	}
	lines := func(m *msg.Message) (list []string) {
		for i := range m.Len() {
			if f := m.Field(i); f.Name != msg.ViaName && f.Name != msg.MaxForwards && f.Name != msg.Route {
				list = append(list, string(f.Text)+": "+string(f.Value))
			}
		}
		return list
	}
	if a, b := lines(was), lines(is); !slices.Equal(a, b) {
		r.t.Errorf("%s: the header changed:\n%q\n%q", name, a, b)
	}
	had, _, _ := was.MaxForwards()
	if had == 0 {
		had = 71 // without one it gets 70
	}
	if n, ok, err := is.MaxForwards(); !ok || err != nil || n != had-1 {
		r.t.Errorf("%s: Max-Forwards is %d of %d", name, n, had)
	}
	below := is.Values(msg.ViaName)
	below.Next()
	below.Next()
	via, err := msg.ParseVia(below.Value())
	told := 0
	via.Params.Each(func(name, value []byte) bool {
		if msg.EqualFold(name, []byte("received")) {
			told++
			if string(value) != "192.0.2.1" {
				r.t.Errorf("%s: received is %s", name, value)
			}
		}
		return true
	})
	if err != nil || told > 1 || told == 0 && string(via.Host) != "192.0.2.1" {
		r.t.Errorf("%s: Via is %s", name, below.Value())
	}
}

// once wants an answer to have each field once that may be there once.
func (r *sipRules) once(name string) {
	r.t.Helper()
	for _, raw := range r.sent {
		for _, n := range []msg.Name{msg.From, msg.To, msg.CallID, msg.CSeqName} {
			if m := parsed(r.t, raw); m.Count(n) > 1 {
				r.t.Errorf("%s is answered with\n%s", name, raw)
			}
		}
		if m := parsed(r.t, raw); m.Status() == 420 && m.Count(msg.Unsupported) != 2 {
			r.t.Errorf("%s is answered with\n%s", name, raw)
		}
	}
}

// registers gives a REGISTER to the registrar.
func (r *sipRules) registers(row *msgtest.Torture, raw []byte) {
	r.t.Helper()
	r.from(5062, raw)
	if len(r.sent) != 1 {
		r.t.Fatalf("%s: %d answers", row.Name, len(r.sent))
	}
	m := parsed(r.t, r.sent[0])
	got := fmt.Sprint(m.Status())
	var contacts []string
	for v := m.Values(msg.Contact); v.Next(); {
		if a, err := msg.ParseAddress(v.Value()); err == nil {
			contacts = append(contacts, string(a.URI))
		}
	}
	if got = strings.Join(append([]string{got}, contacts...), " "); got != row.Registrar {
		r.t.Errorf("%s: the registrar answers %s, want %s", row.Name, got, row.Registrar)
	}
	if !strings.Contains(string(raw), "user@example.com?") {
		return
	}
	// Who is there can be called, and no request has a URI with header fields.
	r.after(time.Hour)
	r.from(5062, []byte(strings.ReplaceAll(string(raw), "user@example.com?", "user@192.0.2.11?")))
	r.from(5062, fmt.Appendf(nil, "INVITE sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKcall\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n", row.Name))
	r.want("192.0.2.11", "INVITE sip:user@192.0.2.11 SIP/2.0\r\n")
}

// tortureReply gives a reply to the proxy that answers a request which it relayed: what comes
// with another Via is dropped in any case.
func (r *sipRules) tortureReply(row *msgtest.Torture, raw []byte) {
	r.t.Helper()
	r.from(5060, raw)
	if len(r.sent) != 0 {
		r.t.Errorf("%s: a stranger's reply went to %v", row.Name, r.to)
	}
	head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	var lines, vias []string
	for _, line := range strings.Split(head, "\r\n") {
		if strings.HasPrefix(line, "Via:") {
			vias = append(vias, line)
		} else {
			lines = append(lines, line)
		}
	}
	method := "INVITE"
	if strings.Contains(head, " OPTIONS\r\n") {
		method = "OPTIONS"
	}
	call := row.Name
	for _, line := range lines {
		if id, ok := strings.CutPrefix(line, "Call-ID: "); ok {
			call = id
		}
	}
	r.from(5060, fmt.Appendf(nil, "%s sip:b@example.com SIP/2.0\r\n%s\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %s\r\nCSeq: 8 %[1]s\r\n\r\n",
		method, vias[len(vias)-1], call))
	ours := ""
	for v := parsed(r.t, r.sent[slices.Index(r.to, "192.0.2.11")]).Values(msg.ViaName); v.Next(); {
		ours += "\r\nVia: " + string(v.Value())
	}
	r.sent, r.to = nil, nil
	r.recv("192.0.2.11", lines[0]+ours+"\r\n"+strings.Join(lines[1:], "\r\n")+"\r\n\r\n"+body)
	want := []string{"192.0.2.1"}
	if row.Want == msgtest.Dropped || row.Name == "noreason" { // a 100 ends here
		want = nil
	}
	to := slices.DeleteFunc(r.to, func(to string) bool { return to == "192.0.2.11" }) // ACKs
	if !slices.Equal(to, want) {
		r.t.Errorf("%s: went to %v, want %v\n%s", row.Name, to, want, raw)
	}
	for i, sent := range r.sent {
		if first, _, _ := strings.Cut(string(sent), "\r\n"); r.to[i] == "192.0.2.1" && first != lines[0] {
			r.t.Errorf("%s: became %s", row.Name, first)
		}
	}
}
