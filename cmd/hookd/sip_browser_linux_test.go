package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSIPInBrowser has sipp call a page: by UDP here, and on by WebSocket to where Chromium
// registered. Neither end is ours.
func TestSIPInBrowser(t *testing.T) {
	program := browser(t)
	web := freePort(t)
	script := filepath.Join(t.TempDir(), "web.lua")
	writeFile(t, script, fmt.Sprintf(`
sip.listen "edge" { url = "udp://127.0.0.1:15060" }
sip.listen "web" { url = "ws://127.0.0.1:%d/sip" }
rule "register" { on = sip.request_in, match = { method = "REGISTER" }, run = function(tx, m) return sip.reply(location.save { message = m }) end }
rule "to-page" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  if m.to.tag == "" then return sip.relay { targets = location.lookup("sip:" .. m.ruri.user .. "@example.com"), record_route = true } end
end }
rule "back-to-page" { on = sip.response_in, match = { method = "INVITE" }, run = function(tx, m)
  if m.code < 300 and m.source.transport == "ws" then nat.alias(m) end
end }
`, web))
	r := sippWith(t, script)
	page := browse(t, program, "about:blank")
	_ = page.conn.SetDeadline(time.Now().Add(3 * time.Minute)) // a busy machine takes its time
	page.run(readOrEmpty("testdata/sipp/phone.js") + fmt.Sprintf("\nvar ann = phone('ws://127.0.0.1:%d/sip', 'ann'); 0", web))
	heard := func(what string, times int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			got := page.run(`ann.heard.join(" ")`)
			if strings.Count(got, what) == times {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the page heard %q, want %d times %s\n%s", got, times, what, readOrEmpty(r.p.logs))
			}
		}
	}
	heard("200", 1)
	const calls = 10
	// Once: what the page hears is counted.
	if c := r.begin(t, fmt.Sprint("127.0.0.1:", r.edge), scenario(t, "uac"), calls, 5, "-s", "ann", "-d", "100").end(t); c.ok != calls || c.failed != 0 {
		t.Errorf("%+v of %d calls", c, calls)
	}
	for _, what := range []string{"INVITE", "ACK", "BYE"} {
		heard(what, calls)
	}
	t.Logf("%s answered %d calls of sipp's", page.version, calls)
}
