package msg

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/sip/msg/msgtest"
)

func seeds(f *testing.F) {
	f.Add([]byte(typical))
	for _, row := range msgtest.Tortures {
		if raw := row.Own(); raw != nil {
			f.Add(raw)
		}
	}
	f.Add([]byte(request("Content-Type: multipart/mixed;boundary=x", "Route: <sip:a>,<sip:b>", "a:\r\n\tb\r\n c") + "--x\r\n\r\n1\r\n--x--"))
}

// FuzzMessage reads everything there is to read of any bytes, and wants edits to
// change what they say and nothing else.
func FuzzMessage(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		if m.Parse(raw, DefaultLimits()) != nil {
			return
		}
		readAll(t, &m)
		fault := m.Check()
		var e Edits
		e.Reset(&m)
		if !bytes.Equal(e.AppendTo(nil), m.Raw()) {
			t.Fatal("written without edits it is another message")
		}
		if fault.Found() || m.Len() >= DefaultLimits().Fields-1 || len(raw) > 20000 {
			return
		}
		changeAll(t, &m)
		if m.IsRequest() {
			reply := AppendReply(nil, &m, &Reply{Code: 486, Reason: "Busy", Tag: []byte("t")})
			again(t, reply)
			again(t, AppendCancel(nil, &m, nil))
		}
	})
}

func again(t *testing.T, raw []byte) *Message {
	m := &Message{}
	if err := m.Parse(raw, DefaultLimits()); err != nil {
		t.Fatalf("%v of what was made:\n%q", err, raw)
	}
	if f := m.Check(); f.Found() {
		t.Fatalf("%v of what was made:\n%q", f, raw)
	}
	return m
}

func readAll(t *testing.T, m *Message) {
	for i := range m.Len() {
		field := m.Field(i)
		Unfold(nil, field.Value)
		if a, err := ParseAddress(field.Value); err == nil {
			a.Tag()
			if u, err := ParseURI(a.URI); err == nil {
				u.Param("lr")
				if u.Scheme != OtherScheme && u.Scheme != Tel && len(u.Headers) == 0 && len(u.Params) == 0 && !EqualURI(a.URI, a.URI) {
					t.Errorf("%q is not itself", a.URI)
				}
			}
		}
		if v, err := ParseVia(field.Value); err == nil {
			v.Branch()
		}
		auth := ParseAuth(field.Value)
		auth.Get("nonce")
		for v := m.ValuesOf(string(field.Text)); v.Next(); {
			Unquote(nil, v.Value())
			Unescape(nil, v.Value())
		}
	}
	sdp, _ := m.SDP()
	SDPLines(sdp, func(SDPLine) bool { return true })
}

// changeAll makes a hop's edits and reads them back.
func changeAll(t *testing.T, m *Message) {
	var e Edits
	e.Reset(m)
	vias := 0
	for v := m.Values(ViaName); v.Next(); {
		vias++
	}
	e.Pop(ViaName, 1)
	if e.Before(ViaName, "Via", []byte("SIP/2.0/UDP new;branch=z9hG4bKn")) != nil || e.Append("X-New", []byte("1")) != nil {
		t.Fatal("not edited")
	}
	out := e.AppendTo(nil)
	if len(out) != e.Size() || !bytes.Equal(bytes.Join(e.Vector(nil), nil), out) {
		t.Fatal("two ways of writing differ")
	}
	var n Message
	if err := n.Parse(out, DefaultLimits()); err != nil {
		t.Fatalf("%v of\n%q\nof\n%q", err, out, m.Raw())
	}
	got := 0
	for v := n.Values(ViaName); v.Next(); {
		got++
	}
	via, err := n.Via()
	if err != nil || string(via.Host) != "new" || got != vias || n.Index(0, OtherName, "x-new") < 0 {
		t.Fatalf("%d Via of %d, %v in\n%q\nof\n%q", got, vias, err, out, m.Raw())
	}
}

// FuzzFramer wants a stream to be divided the same however it comes.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(typical+"\r\n\r\n"+typical), 7)
	f.Add([]byte(request("l: 3")+"abc\r\n"), 1)
	f.Add([]byte(request("l:\r\n 3")+"abc\r\n\r\n"), 2)
	f.Fuzz(func(t *testing.T, raw []byte, step int) {
		if step < 1 || len(raw) > 4096 {
			return
		}
		a, errA := frames(string(raw), step, DefaultLimits())
		b, errB := frames(string(raw), 1, DefaultLimits())
		if errA != errB && len(raw) < 2000 || strings.Join(a, "|") != strings.Join(b, "|") {
			t.Fatalf("%q %v\n%q %v", a, errA, b, errB)
		}
	})
}

// FuzzURI compares URIs with themselves and each other.
func FuzzURI(f *testing.F) {
	f.Add("sip:alice;x=y:p%40w@[2001:db8::1]:5061;maddr=239.255.255.1;lr?a=b", "sip:%61lice@AtLanTa.CoM")
	f.Add("tel:+1-201;ext=1", "tel:7042;phone-context=example.com")
	f.Fuzz(func(t *testing.T, a, b string) {
		u, err := ParseURI([]byte(a))
		if err == nil {
			u.Param("lr")
		}
		if EqualURI([]byte(a), []byte(b)) != EqualURI([]byte(b), []byte(a)) {
			t.Error("equal in one direction only")
		}
	})
}
