package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

func TestRouteKey(t *testing.T) {
	t.Parallel()
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, err := routeKey(dir)
	if again, errAgain := routeKey(dir); err != nil || errAgain != nil || again != first || first == [16]byte{} {
		t.Errorf("%x, then %x: %v, %v", first, again, err, errAgain)
	}
	if a, err := routeKey(nil); err != nil || a == first {
		t.Errorf("without a directory: %x, %v", a, err)
	}
	for _, text := range []string{"", "x", `{"kind":"sip-route-key","version":1,"key":"AAAA"}`, `{"kind":"other","version":1,"key":"AAAAAAAAAAAAAAAAAAAAAA=="}`} {
		if err := os.WriteFile(dir.Path(routeKeyName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		made, err := routeKey(dir)
		if again, errAgain := routeKey(dir); err == nil || errAgain != nil || again != made || made == first {
			t.Errorf("%q: %x, then %x: %v, %v", text, made, again, err, errAgain)
		}
		if kept, err := os.ReadFile(dir.Path(routeKeyName) + statedir.Damaged); err != nil || string(kept) != text {
			t.Errorf("%q is set aside as %q, %v", text, kept, err)
		}
	}
}

// TestLostRoutesAreTold: where no state is kept, the first Record-Route is a line of the log.
func TestLostRoutesAreTold(t *testing.T) {
	t.Parallel()
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for want, dir := range []*statedir.Dir{dir, nil} {
		var c sip.Config
		var logs strings.Builder
		proveRoutes(&c, dir, slog.New(slog.NewTextHandler(&logs, nil)))
		for range 2 * want {
			c.Recorded()
		}
		if c.RouteKey == [16]byte{} || strings.Count(logs.String(), "--state DIR") != want || want == 0 && c.Recorded != nil {
			t.Errorf("said %q, want %d lines", &logs, want)
		}
	}
}

// TestRoutesOutliveTheProcess: a call that began with one daemon is known to the next that has
// its state, and to no other.
func TestRoutesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	callee, caller := newSIPPeer(t), newSIPPeer(t)
	script := fmt.Sprintf(`sip.listen "edge" { url = "udp://127.0.0.1:0", advertise = "edge.test:5060" }
		rule "call" { on = sip.request_in, match = { method = "INVITE" }, run = function() return sip.relay { to = "sip:b@%s", record_route = true } end }
		rule "bye" { on = sip.request_in, match = { method = "BYE" }, run = function(tx, m) return sip.reply(m:in_dialog() and 200 or 481) end }`, callee)
	request := func(d *daemon, method, lines string) {
		for len(d.sips.Listeners()) == 0 {
			time.Sleep(time.Millisecond)
		}
		caller.send(netip.MustParseAddrPort(d.sips.Listeners()[0].Addr), []byte(method+" sip:x@edge.test:5060 SIP/2.0\r\nVia: SIP/2.0/UDP "+caller.String()+
			";branch=z9hG4bK"+method+"\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: long\r\nCSeq: 1 "+method+"\r\n"+lines+"Content-Length: 0\r\n\r\n"))
	}
	route := ""
	t.Run("begins", func(t *testing.T) {
		d, _ := ladderDaemon(t, script, runOptions{houseOptions: houseOptions{state: state}})
		request(d, "INVITE", "To: <sip:x@y>\r\n")
		invite, _ := callee.take("INVITE")
		a, err := invite.Address(msg.RecordRoute)
		if err != nil {
			t.Fatal(err)
		}
		route = "Route: <" + string(a.URI) + ">\r\n"
		caller.take("SIP/2.0 100")
	})
	for name, row := range map[string]struct{ state, want string }{"goes on": {state, "SIP/2.0 200"}, "elsewhere": {t.TempDir(), "SIP/2.0 481"}} {
		t.Run(name, func(t *testing.T) {
			d, _ := ladderDaemon(t, script, runOptions{houseOptions: houseOptions{state: row.state}})
			request(d, "BYE", route+"To: <sip:x@y>;tag=2\r\n")
			caller.take(row.want)
		})
	}
}
