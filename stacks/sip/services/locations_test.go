package services

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/location"
)

// save registers as a policy does that says nothing special.
func (b *bench) save(by *event.Caller, m *sip.Message, behindNAT bool) (uint16, any) {
	b.t.Helper()
	code, _, headers, err := b.desk.LocationSave(by, m, "", 0, false, 0, false, 0, false, 0, false, behindNAT)
	if err != nil {
		b.t.Error(err)
	}
	return code, headers
}

// rows returns one field of each row of a list.
func rows(list any, key string) (out []any) {
	for _, row := range list.([]any) {
		out = append(out, field(row, key))
	}
	return out
}

// TestLocations: contacts come, are bound again, are reached where they came from, and end.
func TestLocations(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) {
		if code, _ := b.save(b.trying(), m, false); code != 200 {
			t.Errorf("a try is answered with %d", code)
		}
		b.heard()
		code, headers := b.save(b.by(), m, false)
		if got := field(headers, "Contact"); code != 200 || !cmp.Equal(got, []any{"<sip:bob@192.0.2.7>;expires=120"}) {
			t.Errorf("%d, %v", code, got)
		}
	}, "Contact: <sip:bob@192.0.2.7>;expires=120")
	b.heard("added sip:bob@192.0.2.7 of alice@example.com for 2m0s")
	b.request(hop(sipev.TransportTCP, "192.0.2.9:40000"), "REGISTER", "a", func(_ *sip.Tx, m *sip.Message) event.Verdict {
		b.save(b.by(), m, false)
		return reply(200)
	}, "Contact: <sip:bob@10.0.0.1>;q=0.5;+sip.instance=\"<urn:x>\"", "Expires: 300", "Supported: gruu", "User-Agent: Phone")
	b.heard("added sip:bob@10.0.0.1 of alice@example.com for 5m0s")

	list := b.desk.LocationLookup(b.by(), "sip:alice@EXAMPLE.com;x=y")
	for key, want := range map[string][]any{
		"uri": {"sip:bob@192.0.2.7", "sip:bob@10.0.0.1"}, "step": {1.0, 2.0}, "q": {1.0, 0.5}, "next_hop": {nil, "sip:192.0.2.9:40000;transport=tcp"},
		"socket": {nil, "192.0.2.100:5060"}, "instance": {nil, "<urn:x>"}, "agent": {nil, "Phone"}, "aor": {"alice@example.com", "alice@example.com"},
	} {
		if diff := cmp.Diff(want, rows(list, key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	gruu := "sip:alice@example.com;gr=urn:x"
	if got := rows(b.desk.LocationLookup(b.by(), gruu), "uri"); !cmp.Equal(got, []any{"sip:bob@10.0.0.1"}) {
		t.Errorf("the instance is at %v", got)
	}
	p, ok := b.desk.Locate([]byte(gruu), b.shard.Now())
	if !ok || p.URI != "sip:bob@10.0.0.1" || p.Next != "sip:192.0.2.9:40000;transport=tcp" || p.Socket.String() != "192.0.2.100:5060" {
		t.Errorf("it is located at %+v", p)
	}
	if _, ok := b.desk.Locate([]byte("sip:alice@example.com"), b.shard.Now()); ok {
		t.Error("what is no instance's is located")
	}

	b.after(121 * time.Second)
	b.heard("expired sip:bob@192.0.2.7 of alice@example.com for 0s")
	if n, err := b.desk.LocationRemove(b.trying(), "alice@example.com", ""); n != 0 || err != nil {
		t.Errorf("a try takes %d away, %v", n, err)
	}
	if n, err := b.desk.LocationRemove(b.by(), "sip:alice@example.com", "sip:bob@192.0.2.7"); n != 0 || err != nil {
		t.Errorf("what has ended is taken away %d times, %v", n, err)
	}
	if n, err := b.desk.LocationRemove(b.by(), "sip:alice@example.com", ""); n != 1 || err != nil {
		t.Errorf("%d are taken away, %v", n, err)
	}
	b.heard("removed sip:bob@10.0.0.1 of alice@example.com for 0s")
	if got := b.desk.LocationContacts(b.by(), 0, false); len(got.([]any)) != 0 {
		t.Errorf("%v are left", got)
	}
}

// TestLocationHas: where a URI leads, whatever else it says.
func TestLocationHas(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) { b.save(b.by(), m, false) },
		"Contact: <sip:bob@192.0.2.7>", `Contact: <sips:bob@phone.example.com>;+sip.instance="<urn:x>"`, "Contact: <sip:bob@[2001:db8::7]:5070;transport=tcp>", "Supported: gruu")
	b.request(hop(sipev.TransportUDP, "203.0.113.5:40000"), "REGISTER", "a", func(_ *sip.Tx, m *sip.Message) event.Verdict {
		b.save(b.by(), m, true)
		return reply(200)
	}, "Contact: <sip:bob@10.0.0.7>")
	for uri, want := range map[string]bool{
		"sip:bob@192.0.2.7": true, "sip:other@192.0.2.7:5060;x=y": true, "sip:192.0.2.7;transport=tcp": true, "sip:bob@192.0.2.7:5061": false, "sip:bob@192.0.2.8": false,
		"sip:bob@PHONE.example.com:5061": true, "sips:bob@phone.example.com": true, "sip:phone.example.com;transport=tls": true, "sip:bob@phone.example.com": false,
		"sip:bob@[2001:db8::7]:5070": true, "sip:bob@[2001:db8::7]": false,
		"sip:bob@10.0.0.7;alias=203.0.113.5~40000~1": true, "sip:bob@10.0.0.7": false, "sip:bob@10.0.0.7;alias=203.0.113.6~40000~1": false, "sip:bob@192.0.2.7;alias=203.0.113.6~40000~1": false,
		"sip:alice@example.com;gr=urn:x": true, "sip:alice@example.com;gr=urn:y": false, "sip:bob@192.0.2.7;gr=urn:x": false,
		"sip:bob@192.0.2.7;maddr=203.0.113.66": false, "sip:bob@192.0.2.7;MADDR=203.0.113.66": false, "sip:bob@192.0.2.7;%6daddr=203.0.113.66": false, "sip:bob@192.0.2.7;maddr": false,
		"sip:bob@10.0.0.7;maddr=203.0.113.66;alias=203.0.113.5~40000~1": false, "sip:alice@example.com;%67r=urn:x;maddr=203.0.113.66": false,
		"sip:alice@example.com;GR=urn:x;maddr=203.0.113.66": false, "sip:alice@example.com;gr=urn:x;maddr=203.0.113.66": false, "sip:bob@10.0.0.7;ALIAS=203.0.113.5~40000~1": false,
		"tel:+49": false, "mailto:bob@192.0.2.7": false, "": false,
	} {
		if got := b.desk.LocationHas(b.by(), "sip:alice@example.com", uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
		if b.desk.LocationHas(b.by(), "eve@example.com", uri) {
			t.Errorf("%s is another user's", uri)
		}
	}
	b.after(2 * time.Hour)
	if b.desk.LocationHas(b.by(), "alice@example.com", "sip:bob@192.0.2.7") {
		t.Error("what has ended is there")
	}
}

// TestLocationSaveRefuses: times that cannot be, and what the table refuses.
func TestLocationSaveRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Locations: location.Limits{Contacts: 1}})
	b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) {
		for _, least := range []time.Duration{0, time.Millisecond, 400 * 24 * time.Hour} {
			_, _, _, err := b.desk.LocationSave(b.by(), m, "", least, true, 0, false, 0, false, 0, false, false)
			fails(t, least.String(), err, "times from 1 s to 365 days")
		}
		for _, row := range []struct {
			name        string
			least, most time.Duration
			contacts    uint32
			code        uint16
		}{{"too brief", 2 * time.Hour, 3 * time.Hour, 0, 423}, {"too many", time.Second, time.Hour, 0, 403}, {"of this one", time.Second, time.Hour, 1, 403}} {
			code, _, headers, err := b.desk.LocationSave(b.by(), m, "", row.least, true, row.most, true, 0, false, row.contacts, row.contacts != 0, false)
			if code != row.code || err != nil || (field(headers, "Min-Expires") != nil) != (code == 423) {
				t.Errorf("%s: %d, %v, %v", row.name, code, headers, err)
			}
		}
	}, "Contact: <sip:a@192.0.2.7>", "Contact: <sip:b@192.0.2.7>", "Expires: 600")
	if s := b.desk.Stats(); s.Registers != 0 || s.RegistersRefused != 3 || s.ContactsTooMany != 2 || s.Contacts != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLocationRestore: what is said of a contact makes it again, word for word.
func TestLocationRestore(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) { b.save(b.by(), m, true) },
		`Contact: <sip:bob@10.0.0.1:5062;x=y>;q=0.25;+sip.instance="<urn:x>";reg-id=2`, "Supported: outbound, gruu", "User-Agent: Phone", "Expires: 100")
	b.look("REGISTER", func(_ *sip.Tx, m *sip.Message) { b.save(b.by(), m, false) },
		`Contact: <sip:bob@10.0.0.2>`, "Path: <sip:192.0.2.12;lr>, <sip:192.0.2.13;lr>", "Expires: 200")
	was := b.desk.LocationContacts(b.by(), 0, false).([]any)
	if len(was) != 2 {
		t.Fatalf("%v", was)
	}
	again := newBench(t, Config{})
	again.after(time.Duration(b.shard.Now() - again.shard.Now()))
	for _, row := range was {
		if err := again.desk.LocationRestore(again.trying(), row); err != nil {
			t.Error(err)
		}
		if err := again.desk.LocationRestore(again.by(), row); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(was, again.desk.LocationContacts(again.by(), 0, false), cmpopts.EquateApprox(0, 0.001)); diff != "" {
		t.Error(diff)
	}
	if got := again.desk.LocationContacts(again.by(), 1, true).([]any); len(got) != 1 {
		t.Errorf("of one that is asked for there are %d", len(got))
	}
	if len(again.told) != 2 {
		t.Errorf("told %q", again.told)
	}
}

func TestLocationRestoreRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Locations: location.Limits{Contacts: 1}})
	row := func(more ...event.KV) []event.KV {
		return append([]event.KV{{Key: "aor", Value: "a@h"}, {Key: "uri", Value: "sip:a@192.0.2.7"}, {Key: "expires", Value: 60.0}}, more...)
	}
	for _, c := range []struct {
		name string
		row  any
		want string // empty: it is taken, or there is nothing to take
	}{
		{"no table", "a@h", "a table expected"},
		{"no address", []event.KV{{Key: "uri", Value: "sip:a@h"}, {Key: "expires", Value: 60.0}}, "aor and the URI"},
		{"no URI", []event.KV{{Key: "aor", Value: "a@h"}, {Key: "expires", Value: 60.0}}, "aor and the URI"},
		{"a URI of another kind", row(event.KV{Key: "uri", Value: "mailto:a@h"}), "aor and the URI"},
		{"a number that is none", row(event.KV{Key: "cseq", Value: "x"}), "location.restore: cseq: "},
		{"a list that is none", row(event.KV{Key: "route", Value: 1.0}), "location.restore: route: "},
		{"a time that is none", row(event.KV{Key: "ends", Value: "soon"}), "location.restore: ends: "},
		{"one that has ended", row(event.KV{Key: "ends", Value: 1.0}), ""},
		{"no time", []event.KV{{Key: "aor", Value: "a@h"}, {Key: "uri", Value: "sip:a@h"}}, ""},
		{"one", row(event.KV{Key: "q", Value: 7.0}), ""},
		{"one too many", row(event.KV{Key: "uri", Value: "sip:b@192.0.2.7"}), "there is no room"},
	} {
		err := b.desk.LocationRestore(b.by(), c.row)
		switch {
		case c.want != "":
			fails(t, c.name, err, c.want)
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := b.desk.LocationContacts(b.by(), 0, false).([]any); len(got) != 1 || field(got[0], "q") != 1.0 {
		t.Errorf("there are %v", got)
	}
}

// TestHeadersOf: several values of a field are one list.
func TestHeadersOf(t *testing.T) {
	t.Parallel()
	got := headersOf([]location.Field{{Name: "Contact", Value: "a"}, {Name: "Path", Value: "p"}, {Name: "Contact", Value: "b"}})
	want := []event.KV{{Key: "Contact", Value: []any{"a", "b"}}, {Key: "Path", Value: []any{"p"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNAT: what of a message shows that its sender is behind a NAT, and what is done then.
func TestNAT(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	sdp := "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	b.look("INVITE", func(_ *sip.Tx, m *sip.Message) {
		signs := b.desk.NatSigns(b.by(), m)
		if diff := cmp.Diff([]string{"contact", "sdp"}, signs); diff != "" {
			t.Error(diff)
		}
		if err := b.desk.NatAlias(b.by(), m); err != nil || string(m.Contact().URI()) != "sip:a@10.0.0.1;alias=192.0.2.1~5060~1" {
			t.Errorf("the contact is %s, %v", m.Contact().URI(), err)
		}
		for i, want := range []bool{true, false} {
			changed, err := b.desk.NatFixSDP(b.by(), m, m.Source().IP())
			if changed != want || err != nil || !strings.Contains(string(m.Body()), "c=IN IP4 192.0.2.1\r\n") {
				t.Errorf("look %d: %v, %v\n%s", i, changed, err, m.Body())
			}
		}
	}, "Contact: <sip:a@10.0.0.1>", "Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(sdp)+2), "", sdp)
	b.look("OPTIONS", func(_ *sip.Tx, m *sip.Message) {
		if signs := b.desk.NatSigns(b.by(), m); len(signs) != 0 {
			t.Errorf("signs %v", signs)
		}
		if err := b.desk.NatAlias(b.by(), m); err == nil {
			t.Error("what has no Contact has one now")
		}
		if changed, err := b.desk.NatFixSDP(b.by(), m, m.Source().IP()); changed || err != nil {
			t.Errorf("a body that is none is changed, %v", err)
		}
	})
}
