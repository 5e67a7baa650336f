package location

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gruu registers a contact of an instance as RFC 5627, 9, has it, and returns both URIs.
func (b *bench) gruu(contact, more string) (public, temporary string) {
	b.t.Helper()
	got := b.register("Contact: <"+contact+">"+more, "Supported: path, gruu", "Call-ID: c1")
	list := regexp.MustCompile(`Contact: <` + regexp.QuoteMeta(contact) + `>[^|]*;pub-gruu="([^"]+)"(?:;temp-gruu="([^"]+)")?`).FindStringSubmatch(got)
	if list == nil {
		b.t.Fatalf("%s is answered with %s", contact, got)
	}
	return list[1], list[2]
}

// at returns the contacts that a GRUU leads to.
func (b *bench) at(uri string) (list []string) {
	b.t.Helper()
	found, is := b.table.Instance([]byte(uri), b.now)
	if !is {
		b.t.Errorf("%s is no GRUU", uri)
	}
	for _, c := range found {
		list = append(list, c.URI)
	}
	return list
}

const instance = `;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"`

// TestGRUU is RFC 5627, 9: two instances of a user, and what leads to each of them.
func TestGRUU(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	public, temporary := b.gruu("sip:callee@192.0.2.1", instance)
	if want := "sips:bob@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"; public != want {
		t.Errorf("the public one is %s, want %s", public, want)
	}
	if ok, _ := regexp.MatchString(`^sips:tgruu\.[0-9a-f]{32}@example\.com;gr$`, temporary); !ok {
		t.Errorf("the temporary one is %s", temporary)
	}
	other, otherTemp := b.gruu("sip:callee@192.0.2.2", `;+sip.instance="<urn:uuid:00000000-0000-0000-0000-000000000002>"`)
	for uri, want := range map[string][]string{
		public: {"sip:callee@192.0.2.1"}, temporary: {"sip:callee@192.0.2.1"}, other: {"sip:callee@192.0.2.2"}, otherTemp: {"sip:callee@192.0.2.2"},
		strings.Replace(public, "sips:bob@example.com", "sip:b%6Fb@EXAMPLE.COM:5060;transport=udp", 1): {"sip:callee@192.0.2.1"},
		strings.Replace(public, "f81d", "%66%381d", 1):                                                 {"sip:callee@192.0.2.1"},
		strings.Replace(public, "f81d", "f81e", 1):                                                     nil,
		strings.Replace(public, "bob@", "eve@", 1):                                                     nil,
		strings.Replace(temporary, "example.com", "example.org", 1):                                    nil,
		"sip:bob@example.com;gr":                                                                       nil, "sip:tgruu.x@example.com;gr": nil, "sip:tgruu." + strings.Repeat("0", 32) + "@example.com;gr": nil,
	} {
		if diff := cmp.Diff(want, b.at(uri)); diff != "" {
			t.Errorf("%s: %s", uri, diff)
		}
	}
	for _, uri := range []string{"sip:bob@example.com", "tel:+1", "mailto:x@y;gr=1", ""} {
		if _, is := b.table.Instance([]byte(uri), b.now); is {
			t.Errorf("%s is a GRUU", uri)
		}
	}

	// A refresh makes one temporary URI more, and the contact may move.
	again, fresh := b.gruu("sip:callee@192.0.2.1", instance)
	if again != public || fresh == temporary {
		t.Errorf("a refresh gives %s and %s", again, fresh)
	}
	for _, uri := range []string{public, temporary, fresh} {
		if diff := cmp.Diff([]string{"sip:callee@192.0.2.1"}, b.at(uri)); diff != "" {
			t.Errorf("%s: %s", uri, diff)
		}
	}
	b.gruu("sip:callee@192.0.2.9", instance)
	if diff := cmp.Diff([]string{"sip:callee@192.0.2.9"}, b.at(public)); diff != "" {
		t.Error(diff) // the one that it registered last
	}
	b.register("Contact: <sip:callee@192.0.2.1>;expires=0", "Contact: <sip:callee@192.0.2.9>;expires=0")
	for _, uri := range []string{public, temporary, fresh} {
		if got := b.at(uri); got != nil {
			t.Errorf("%s leads to %v, and nobody is there", uri, got)
		}
	}
	if n := len(b.table.temps); n != 1 {
		t.Errorf("%d contacts have temporary URIs", n)
	}
}

// TestGRUUAnew: what was registered anew, by another Call-ID, has none of the temporary URIs
// that it had (RFC 5627, 5.4).
func TestGRUUAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	_, before := b.gruu("sip:callee@192.0.2.1", instance)
	c := *b.table.Contacts("bob@example.com", b.now)[0]
	c.CallID, c.temp = "another", 0
	if !b.table.Put(&c, b.now) {
		t.Fatal("there is no room")
	}
	if got := b.at(before); got != nil {
		t.Errorf("it leads to %v still", got)
	}
	if n := len(b.table.temps); n != 1 || b.table.Contacts("bob@example.com", b.now)[0].temp == 0 {
		t.Errorf("%d contacts have temporary URIs", n)
	}
	b.now += int64(1e13)
	b.table.Expire(b.now)
	if len(b.table.temps) != 0 {
		t.Error("one is left of contacts that ended")
	}
}

// TestGRUUFlows: all flows of an instance are there, the latest first (RFC 5626).
func TestGRUUFlows(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	public := ""
	for i := range 3 {
		got := b.register(fmt.Sprintf("Contact: <sip:f%d@h>%s;reg-id=%d", i, instance, i+1), "Supported: gruu, outbound")
		if _, rest, ok := strings.Cut(got, `;pub-gruu="`); ok {
			public, _, _ = strings.Cut(rest, `"`)
		}
	}
	if diff := cmp.Diff([]string{"sip:f2@h", "sip:f1@h", "sip:f0@h"}, b.at(public)); diff != "" {
		t.Error(diff)
	}
}

// TestNoGRUU: who does not ask gets none, nor does what is no instance; and a GRUU is no
// contact, since it would lead here again.
func TestNoGRUU(t *testing.T) {
	t.Parallel()
	b := newBench(t, DefaultLimits())
	for _, row := range [][]string{
		{"Contact: <sip:a@h>" + instance},
		{"Contact: <sip:a@h>", "Supported: gruu"},
		{`Contact: <sip:a@h>;+sip.instance="urn:x"`, "Supported: gruu"},
		{`Contact: <sip:a@h>;+sip.instance="<>"`, "Supported: gruu"},
		{`Contact: <sip:a@h>;+sip.instance="<a\"b>"`, "Supported: gruu"},
	} {
		if got := b.register(row...); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "gruu") {
			t.Errorf("%q: %s", row, got)
		}
	}
	public, temporary := b.gruu("sip:b@h", `;+sip.instance="<urn:x y>"`)
	if want := "sips:bob@example.com;gr=urn:x%20y"; public != want {
		t.Errorf("the public one is %s, want %s", public, want)
	}
	if diff := cmp.Diff([]string{"sip:b@h"}, b.at(public)); diff != "" {
		t.Error(diff)
	}
	for _, uri := range []string{public, temporary, "sip:bob@example.com;gr=other"} {
		b.want(b.register("Contact: <"+uri+">"+instance, "Supported: gruu"), "403 Contact Is A GRUU")
	}
	b.want(b.register("Contact: <sip:a@other.example.com;gr=1>;expires=0"), b.register()) // one of another domain is any contact
	tel := New(DefaultLimits(), nil)
	for _, aor := range []string{"+4930", "example.com"} {
		if got := tel.gruus(&Contact{AOR: aor, Instance: `"<urn:x>"`, temp: 1}, "sip"); got != "" {
			t.Errorf("%s: %s", aor, got)
		}
	}
}
