package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// locator knows where one instance is.
type locator struct{ places map[string]Place }

func (locator) Attach(*Stack)                {}
func (locator) Began(string, string)         {}
func (locator) Over(string, string, Outcome) {}
func (locator) Final(*Tx, *Message)          {}
func (locator) Gone(*Tx)                     {}

// Locate implements [Watcher].
func (l locator) Locate(uri []byte, _ int64) (Place, bool) {
	p, ok := l.places[string(uri)]
	return p, ok
}

// locals is a transport that remembers from where each message leaves.
type locals struct {
	*rig
	from []string
}

// Send implements [Transport].
func (l *locals) Send(to Hop, b []byte) error {
	from := ""
	if to.Local.IsValid() {
		from = to.Local.String()
	}
	l.from = append(l.from, from)
	return l.rig.Send(to, b)
}

// TestInstances: requests of a dialog whose URI is an instance's go where that is, an ACK
// too (RFC 5627, 6.1).
func TestInstances(t *testing.T) {
	t.Parallel()
	const us, gruu = "<sip:192.0.2.100:5060;lr>", "sip:bob@192.0.2.100;gr=urn:x"
	socket := netip.MustParseAddrPort("192.0.2.100:5062")
	for _, row := range []struct {
		name, uri string
		place     Place
		route     string
		to, ruri  string
		routes    []string
		from      string
	}{
		{"at its contact", gruu, Place{URI: "sip:bob@192.0.2.11"}, us, "A", "sip:bob@192.0.2.11", nil, ""},
		{"behind a NAT", gruu, Place{URI: "sip:bob@10.0.0.1", Next: "sip:192.0.2.12", Socket: socket}, us, "B", "sip:bob@10.0.0.1", nil, socket.String()},
		{"by proxies", gruu, Place{URI: "sip:bob@10.0.0.1", Route: []string{"<sip:192.0.2.13;lr>", "<sip:192.0.2.12;lr>"}}, us, "C", "sip:bob@10.0.0.1", []string{"<sip:192.0.2.13;lr>", "<sip:192.0.2.12;lr>"}, ""},
		{"an alias does not count", gruu + ";alias=192.0.2.13~5060~1", Place{URI: "sip:bob@192.0.2.11"}, us, "A", "sip:bob@192.0.2.11", nil, ""},
		{"the route goes on", gruu, Place{URI: "sip:bob@192.0.2.11"}, us + ", <sip:192.0.2.12;lr>", "B", gruu, []string{"<sip:192.0.2.12;lr>"}, ""},
		{"of another domain", "sip:bob@192.0.2.12;gr=urn:x", Place{URI: "sip:bob@192.0.2.11"}, us, "B", "sip:bob@192.0.2.12;gr=urn:x", nil, ""},
		{"no such parameter", "sip:bob@192.0.2.12;grr=1", Place{URI: "sip:bob@192.0.2.11"}, us, "B", "sip:bob@192.0.2.12;grr=1", nil, ""},
	} {
		r := newRig(t, func(c *Config) { c.Watcher = locator{map[string]Place{row.uri: row.place}} }, quiet...)
		l := &locals{rig: r}
		r.stack.out = l
		r.hooks["request_in"] = nil
		for i, method := range []string{"BYE", "ACK"} {
			r.recv("caller", strings.Replace(dialogRequest(method, 2, "b"+method, "t1", "Route: "+row.route), "sip:bob@192.0.2.11 SIP", row.uri+" SIP", 1))
			m := r.last(row.to, method)
			if got := string(m.RequestURI()); got != row.ruri {
				t.Errorf("%s: the URI of %s is %s, want %s", row.name, method, got, row.ruri)
			}
			var routes []string
			for v := m.Values(msg.Route); v.Next(); {
				routes = append(routes, string(v.Value()))
			}
			if diff := cmp.Diff(row.routes, routes); diff != "" {
				t.Errorf("%s: Route of %s: %s", row.name, method, diff)
			}
			if len(l.from) != i+1 || l.from[i] != row.from {
				t.Errorf("%s: they left from %q", row.name, l.from)
			}
		}
	}
}

// TestInstanceGone: a dialog's request finds nobody, and goes nowhere.
func TestInstanceGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Watcher = locator{} }, quiet...)
	r.hooks["request_in"] = nil
	for _, method := range []string{"BYE", "ACK"} {
		r.recv("caller", strings.Replace(dialogRequest(method, 2, "b"+method, "t1", "Route: <sip:192.0.2.100:5060;lr>"), "sip:bob@192.0.2.11 SIP", "sip:bob@192.0.2.100;gr=urn:x SIP", 1))
	}
	r.want("a BYE and an ACK", "request_in BYE, response_pre_out 480 local, ! 480 caller, response_out 480 local")
	if got := r.stack.Stats().Stray; got != 1 {
		t.Errorf("%d stray, want the ACK", got)
	}
}
