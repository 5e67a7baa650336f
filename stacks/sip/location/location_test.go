package location

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/sip/msg"
)

const second = int64(time.Second)

// bench is a registrar, and what it told.
type bench struct {
	t     *testing.T
	table *Table
	now   int64
	cseq  int
	told  []string
}

func newBench(t *testing.T, lim Limits) *bench {
	b := &bench{t: t, now: 1000 * second}
	b.table = New(lim, func(c *Contact, ch Change) {
		b.told = append(b.told, fmt.Sprintf("%s %s", [...]string{"added", "updated", "removed", "expired"}[ch], c.URI))
	})
	return b
}

// register sends one with some header fields, and returns the answer on one line.
func (b *bench) register(fields ...string) string {
	b.t.Helper()
	b.cseq++
	return b.send(b.cseq, fields...)
}

func (b *bench) send(cseq int, fields ...string) string {
	b.t.Helper()
	text := fmt.Sprintf("REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\r\nFrom: <sip:bob@example.com>;tag=1\r\n"+
		"To: <sips:b%%6Fb@EXAMPLE.com:5070;x=y>\r\nCall-ID: c1\r\nCSeq: %d REGISTER\r\n", cseq, cseq)
	for _, f := range fields {
		text += f + "\r\n"
	}
	var m msg.Message
	if err := m.Parse([]byte(text+"\r\n"), msg.DefaultLimits()); err != nil {
		b.t.Fatal(err)
	}
	a := b.table.Register(&m, &Policy{Min: time.Minute, Max: time.Hour, Default: 10 * time.Minute}, b.now)
	out := fmt.Sprint(a.Code)
	if a.Reason != "" {
		out += " " + a.Reason
	}
	for _, f := range a.Fields {
		out += " | " + f.Name + ": " + f.Value
	}
	return out
}

func (b *bench) want(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("answered with\n%s, not\n%s", got, want)
	}
}

func (b *bench) heard(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.told); diff != "" {
		b.t.Error(diff)
	}
	b.told = nil
}

func TestRegister(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	b.want(b.register(), "200")
	b.want(b.register("Contact: <sip:bob@192.0.2.1:5070>;q=0.5"), "200 | Contact: <sip:bob@192.0.2.1:5070>;expires=600;q=0.5")
	b.want(b.register("Contact: <sip:bob@192.0.2.2>;expires=60, <sip:bob@192.0.2.3>", "Expires: 99999999999999999999"),
		"200 | Contact: <sip:bob@192.0.2.3>;expires=3600 | Contact: <sip:bob@192.0.2.2>;expires=60 | Contact: <sip:bob@192.0.2.1:5070>;expires=600;q=0.5")
	b.heard("added sip:bob@192.0.2.1:5070", "added sip:bob@192.0.2.2", "added sip:bob@192.0.2.3")
	b.want(b.register("Contact: <sip:bob@192.0.2.1:5070>;expires=59"), "423 Interval Too Brief | Min-Expires: 60")
	b.want(b.register("Contact: <SIP:b%6fb@192.0.2.1:5070>;expires=x"),
		"200 | Contact: <SIP:b%6fb@192.0.2.1:5070>;expires=600 | Contact: <sip:bob@192.0.2.3>;expires=3600 | Contact: <sip:bob@192.0.2.2>;expires=60")
	b.heard("updated SIP:b%6fb@192.0.2.1:5070")
	b.now += 59 * second
	if got := len(b.table.Contacts("bob@example.com", b.now)); got != 3 {
		t.Errorf("%d contacts", got)
	}
	b.now += second
	if got := len(b.table.Contacts("bob@example.com", b.now)); got != 2 {
		t.Errorf("%d contacts when one has ended", got)
	}
	if next, ok := b.table.Next(); !ok || next != b.now {
		t.Errorf("the next ends at %d", next)
	}
	b.table.Expire(b.now)
	b.heard("expired sip:bob@192.0.2.2")
	b.want(b.register("Contact: <sip:bob@192.0.2.3>;expires=0"), "200 | Contact: <SIP:b%6fb@192.0.2.1:5070>;expires=540")
	b.want(b.register("Contact: *", "Expires: 0"), "200")
	b.heard("removed sip:bob@192.0.2.3", "removed SIP:b%6fb@192.0.2.1:5070")
	if s := b.table.Stats(); s != (Stats{Registers: 6, Refused: 1, Expired: 1}) {
		t.Errorf("%+v", s)
	}
}

// TestRegisterRefused: what is refused changes nothing.
func TestRegisterRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Limits{Contacts: 2, Total: 3, Paths: 40})
	b.want(b.register("Contact: <sip:a@h>"), "200 | Contact: <sip:a@h>;expires=600")
	for _, row := range []struct {
		fields []string
		want   string
	}{
		{[]string{"Contact: *"}, "400 Bad Contact"},
		{[]string{"Contact: *", "Expires: 60"}, "400 Bad Contact"},
		{[]string{"Contact: *, <sip:b@h>", "Expires: 0"}, "400 Bad Contact"},
		{[]string{"Contact: <sip:b@h>", "Expires: soon"}, "400 Bad Expires"},
		{[]string{"Contact: <sip:b@h>, <sip:b@h;x=1>"}, "400 Contact Twice"},
		{[]string{"Contact: <sip:a@h>;expires=0, <sip:a@h>"}, "400 Contact Twice"},
		{[]string{"Contact: <sip:a@h;x=1>;expires=0, <sip:a@h;x=2>;expires=0"}, "400 Contact Twice"},
		{[]string{"Contact: <mailto:b@h>"}, "400 Bad Contact"},
		{[]string{"Contact: <sip:b@h>, <sip:c@h>"}, "403 Too Many Contacts"},
		{[]string{"Contact: <sip:b@h>;expires=0, <sip:c@h>;expires=10"}, "423 Interval Too Brief | Min-Expires: 60"},
		{[]string{"Contact: <sip:b@h>", "Path: <sip:" + strings.Repeat("p", 50) + ">"}, "403 Path Too Long"},
		{[]string{"Contact: <sip:b@h>", "Path: sip:p@h"}, "400 Bad Path"},
		{[]string{"Contact: " + strings.Repeat("<sip:b@h>;expires=0,", 70) + "<sip:b@h>"}, "400 Contact Twice"},
		{[]string{"Contact: <sip:b@h>;reg-id=0;+sip.instance=\"<x>\"", "Supported: outbound"}, "400 Bad Reg-Id"},
		{[]string{"Contact: <sip:b@h>;+sip.instance"}, "400 Bad Instance"},
	} {
		if got := b.register(row.fields...); got != row.want {
			t.Errorf("%q: %s", row.fields, got)
		}
	}
	b.want(b.send(1, "Contact: <sip:a@h>"), "500 CSeq Out Of Order")
	b.want(b.send(1, "Contact: *", "Expires: 0"), "500 CSeq Out Of Order")
	b.want(b.register(), "200 | Contact: <sip:a@h>;expires=600")
	b.heard("added sip:a@h")
	// One may take the place of another where there is room for no more.
	b.want(b.register("Contact: <sip:b@h>"), "200 | Contact: <sip:b@h>;expires=600 | Contact: <sip:a@h>;expires=600")
	b.want(b.register("Contact: <sip:a@h>;expires=0, <sip:c@h>"), "200 | Contact: <sip:c@h>;expires=600 | Contact: <sip:b@h>;expires=600")
	for i, want := range []bool{true, false} {
		if got := b.table.Put(&Contact{AOR: "eve", URI: fmt.Sprint("sip:", i), Expires: b.now + second}, b.now); got != want {
			t.Errorf("contact %d of another: %v", i, got)
		}
	}
	if s := b.table.Stats(); s.TooMany != 1 || s.NoRoom != 1 {
		t.Errorf("%+v", s)
	}
}

// TestFlows: an instance has one binding a flow, whatever URI it says (RFC 5626), and its
// flows are tried one after the other.
func TestFlows(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	flow := func(uri string, id int) string {
		return fmt.Sprintf(`Contact: <%s>;+sip.instance="<urn:uuid:1>";reg-id=%d`, uri, id)
	}
	b.want(b.register(flow("sip:a@h", 1), "Supported: path, outbound"), `200 | Contact: <sip:a@h>;expires=600;+sip.instance="<urn:uuid:1>";reg-id=1 | Require: outbound`)
	b.register(flow("sip:b@h", 2), "Supported: outbound")
	b.register(flow("sip:c@h", 1), "Supported: outbound")
	b.register("Contact: <sip:low@h>;q=0.1")
	b.heard("added sip:a@h", "added sip:b@h", "updated sip:c@h", "added sip:low@h")
	var steps [][]string
	for _, s := range Steps(b.table.Contacts("bob@example.com", b.now)) {
		var uris []string
		for _, c := range s {
			uris = append(uris, c.URI)
		}
		steps = append(steps, uris)
	}
	if diff := cmp.Diff([][]string{{"sip:c@h"}, {"sip:low@h"}, {"sip:b@h"}}, steps); diff != "" {
		t.Error(diff)
	}
	b.want(b.register(flow("sip:a@h", 1), "Supported: outbound", "Via: SIP/2.0/UDP h;branch=z9hG4bK1"), "439 First Hop Lacks Outbound Support")
	got := b.register(flow("sip:d@h", 3), "Supported: outbound, path", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "Path: <sip:p1;lr>, <sip:p2;lr;ob>")
	if !strings.HasSuffix(got, "| Path: <sip:p1;lr> | Path: <sip:p2;lr;ob> | Require: outbound") {
		t.Error(got)
	}
	if c := b.table.Contacts("bob@example.com", b.now)[0]; len(c.Path) != 2 || c.Path[1] != "<sip:p2;lr;ob>" {
		t.Errorf("%q", c.Path)
	}
}

func TestAOR(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"sip:Bob@Example.COM": "Bob@example.com", "sips:b%6Fb:pw@h:5061;a=b?c=d": "bob@h", "sip:example.com": "example.com",
		"tel:+49-30": "+49-30", "sip:a@[2001:DB8::1]:5060": "a@[2001:db8::1]",
	} {
		if got, err := AOR([]byte(uri)); err != nil || got != want {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
	if got, err := AOR([]byte("mailto:a@b")); err == nil {
		t.Errorf("a mail address is %q", got)
	}
}

// FuzzRegister: whatever comes, the table stays whole and within its limits.
func FuzzRegister(f *testing.F) {
	f.Add([]byte("Contact: <sip:a@h>;expires=0, <sip:a@h>;q=0.5\r\nContact: *\r\nExpires: 0\r\n"), []byte("Contact: <sip:a@h>;+sip.instance=\"<x>\";reg-id=1\r\nSupported: outbound\r\nPath: <sip:p;ob>\r\n"))
	f.Add([]byte("Contact: <sip:a@h>;+sip.instance=\"<urn:x>\"\r\nSupported: gruu\r\n"), []byte("Contact: <sip:a@h;gr=urn:x>\r\n"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		table := New(Limits{Contacts: 3, Total: 4, Paths: 100}, nil)
		now := second
		for i, fields := range [][]byte{one, two, one, two} {
			var m msg.Message
			text := fmt.Sprintf("REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:%c@h>\r\nCall-ID: c\r\nCSeq: %d REGISTER\r\n%s\r\n", 'a'+i/2, i+1, fields)
			if m.Parse([]byte(text), msg.DefaultLimits()) != nil {
				return
			}
			table.Register(&m, &Policy{Min: time.Second, Max: time.Minute, Default: time.Minute}, now)
			if len(table.temps) > len(table.ends) {
				t.Fatalf("%d contacts, %d numbers of temporary GRUUs", len(table.ends), len(table.temps))
			}
			for v := m.Values(msg.Contact); v.Next(); {
				if a, err := msg.ParseAddress(v.Value()); err == nil {
					table.Instance(a.URI, now)
				}
			}
			total := 0
			for aor, list := range table.aors {
				total += len(list)
				if len(list) > 3 || len(list) == 0 {
					t.Fatalf("%s has %d contacts", aor, len(list))
				}
			}
			if total != len(table.ends) || total > 4 {
				t.Fatalf("%d contacts, %d ends", total, len(table.ends))
			}
			now += 10 * second
		}
		table.Expire(now + int64(time.Hour))
		if s := table.Stats(); s.AORs != 0 || s.Contacts != 0 {
			t.Fatalf("%+v are left", s)
		}
	})
}
