package msg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEdits(t *testing.T) {
	t.Parallel()
	base := request("Via: SIP/2.0/UDP a, SIP/2.0/UDP b", "v: SIP/2.0/UDP c", "Route: <sip:r1>,  <sip:r2>", "Route: <sip:r3>", "X-A: 1", "X-Empty: ", "L: 0")
	head := "OPTIONS sip:user@example.com SIP/2.0\r\n"
	for _, row := range []struct {
		name string
		edit func(m *Message, e *Edits) error
		want string
	}{
		{"nothing", func(*Message, *Edits) error { return nil }, base},
		{"top", func(_ *Message, e *Edits) error { return e.Before(ViaName, "Via", []byte("new")) }, head + "Via: new\r\n" + base[len(head):]},
		{"below all", func(_ *Message, e *Edits) error { return e.Append("Y", []byte("2")) }, base[:len(base)-2] + "Y: 2\r\n\r\n"},
		{"absent name goes to the top", func(_ *Message, e *Edits) error { return e.Before(RecordRoute, "Record-Route", []byte("r")) }, head + "Record-Route: r\r\n" + base[len(head):]},
		{"value", func(m *Message, e *Edits) error { return e.SetValue(m.Index(0, OtherName, "x-a"), []byte("9")) }, strings.Replace(base, "X-A: 1", "X-A: 9", 1)},
		{"value of an empty field", func(m *Message, e *Edits) error { return e.SetValue(m.Index(0, OtherName, "x-empty"), []byte("9")) }, strings.Replace(base, "X-Empty: ", "X-Empty:9 ", 1)},
		{"first of several", func(_ *Message, e *Edits) error { e.Pop(ViaName, 1); return nil }, strings.Replace(base, "SIP/2.0/UDP a, ", "", 1)},
		{"the only one", func(_ *Message, e *Edits) error { e.Pop(ViaName, 2); return nil }, strings.Replace(base, "Via: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n", "", 1)},
		{"line and a half", func(_ *Message, e *Edits) error { e.Pop(Route, 3); return nil }, strings.Replace(base, "Route: <sip:r1>,  <sip:r2>\r\nRoute: <sip:r3>\r\n", "", 1)},
		{"one route", func(_ *Message, e *Edits) error { e.Pop(Route, 1); return nil }, strings.Replace(base, "<sip:r1>,  ", "", 1)},
		{"more than there are", func(_ *Message, e *Edits) error { e.Pop(ViaName, 9); return nil }, strings.Replace(base, "Via: SIP/2.0/UDP a, SIP/2.0/UDP b\r\nv: SIP/2.0/UDP c\r\n", "", 1)},
		{"body", func(_ *Message, e *Edits) error { return e.SetBody([]byte("hello")) }, strings.Replace(base, "L: 0", "L: 5", 1) + "hello"},
		{"target", func(_ *Message, e *Edits) error { return e.SetRequestURI([]byte("tel:+1")) }, strings.Replace(base, "sip:user@example.com", "tel:+1", 1)},
		{"in a view", func(m *Message, e *Edits) error {
			v := m.Values(Route)
			v.Next()
			a, err := ParseAddress(v.Value())
			if err != nil {
				return err
			}
			return e.Replace(a.URI, []byte("sips:q"))
		}, strings.Replace(base, "sip:r1", "sips:q", 1)},
		{"several, any order", func(m *Message, e *Edits) error {
			_ = e.Append("Y", []byte("2"))
			_ = e.SetValue(m.Index(0, OtherName, "X-A"), []byte("22"))
			e.Pop(ViaName, 1)
			return e.Before(ViaName, "Via", []byte("n"))
		}, strings.Replace(strings.Replace(base, "Via: SIP/2.0/UDP a, ", "Via: n\r\nVia: ", 1), "X-A: 1\r\nX-Empty: \r\nL: 0\r\n", "X-A: 22\r\nX-Empty: \r\nL: 0\r\nY: 2\r\n", 1)},
	} {
		m := parse(t, base)
		var e Edits
		e.Reset(m)
		if err := row.edit(m, &e); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		got := string(e.AppendTo(nil))
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
		if e.Size() != len(got) {
			t.Errorf("%s: size %d of %d", row.name, e.Size(), len(got))
		}
	}
}

// TestNoInjection: no text that a script gives makes a header field of its own.
func TestNoInjection(t *testing.T) {
	t.Parallel()
	m := parse(t, typical)
	var e Edits
	e.Reset(m)
	bad := []byte("x\r\nEvil: 1")
	for i, err := range []error{
		e.SetRequestURI(bad), e.SetStatus(200, string(bad)), e.Append("X", bad), e.Append(string(bad), nil),
		e.Before(ViaName, "Via", bad), e.SetValue(0, bad), e.Replace(m.RequestURI(), bad),
	} {
		if err != ErrLineBreak {
			t.Errorf("edit %d: %v", i, err)
		}
	}
	if !e.Empty() {
		t.Error("an edit that was refused is there")
	}
	if err := e.Replace([]byte("elsewhere"), nil); err != ErrForeign {
		t.Errorf("a view of other bytes: %v", err)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	invite := parse(t, typical)
	reply := string(AppendReply(nil, invite, &Reply{Code: 486, Reason: "Busy Here", Tag: []byte("t1"), Via: []byte("SIP/2.0/UDP top"), Fields: []byte("Server: x\r\n")}))
	want := "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP top\r\n" +
		"Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8;received=192.0.2.1\r\n" +
		"To: Bob <sip:bob@biloxi.example.com>;tag=t1\r\nFrom: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n" +
		"Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\nCSeq: 314159 INVITE\r\nServer: x\r\nContent-Length: 0\r\n\r\n"
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Error(diff)
	}
	ack := string(AppendAck(nil, invite, parse(t, reply)))
	want = "ACK sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP bigbox3.site3.atlanta.example.com:5060;branch=z9hG4bK77ef4c2312983.1;rport\r\nMax-Forwards: 70\r\n" +
		"To: Bob <sip:bob@biloxi.example.com>;tag=t1\r\nFrom: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n" +
		"Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\nCSeq: 314159 ACK\r\nContent-Length: 0\r\n\r\n"
	if diff := cmp.Diff(want, ack); diff != "" {
		t.Error(diff)
	}
	cancel := parse(t, string(AppendCancel(nil, invite, []byte("Reason: SIP;cause=200\r\n"))))
	if f := cancel.Check(); f.Found() || cancel.Method() != Cancel || !cancel.Has(Reason) {
		t.Errorf("CANCEL: %+v\n%s", f, cancel.Raw())
	}
	ok := parse(t, string(AppendReply(nil, invite, &Reply{Code: 200, Reason: "OK"})))
	if !ok.Has(RecordRoute) {
		t.Error("a 2xx without Record-Route")
	}
	answer := parse(t, strings.Replace(string(ok.Raw()), "\r\n\r\n", "\r\nContact: <sip:bob@[2001:db8::1]:5070;ob?Subject=x>\r\n\r\n", 1))
	if m := parse(t, string(AppendAck2xx(nil, invite, answer))); string(m.RequestURI()) != "sip:bob@[2001:db8::1]:5070;ob" || m.Count(Route) != ok.Count(RecordRoute) {
		t.Errorf("ACK of a 2xx:\n%s", m.Raw())
	}
	// A field that says nothing does not end the header of what is made of it.
	empty := parse(t, strings.Replace(typical, "Record-Route: <sip:bigbox3.site3.atlanta.example.com;lr>", "Record-Route: \r\nRoute:", 1))
	for _, raw := range [][]byte{AppendReply(nil, empty, &Reply{Code: 200, Reason: "OK"}), AppendCancel(nil, empty, nil)} {
		if m := parse(t, string(raw)); len(m.Body()) != 0 || m.Check().Found() {
			t.Errorf("made of a request with empty fields:\n%s", raw)
		}
	}
}
