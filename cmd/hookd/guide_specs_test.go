package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestGuideCalls runs the guide's spec of calls with a policy that does what it tells of.
func TestGuideCalls(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../spec/guide/specs.md")
	if err != nil {
		t.Fatal(err)
	}
	block := ""
	for _, b := range luaBlocks(string(text)) {
		if strings.Contains(b, "phone ") {
			block = b
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"policy_spec.lua": block, "policy.lua": `
sip.listen "edge" { url = "udp://192.0.2.100:5060" }
handler "spare" { on = sip.on_failure, run = function() return sip.relay { to = "sip:bob@spare.example.com", record_route = true } end }
rule "calls" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx)
  tx.fr_timer = "4s"
  return sip.relay { to = "sip:bob@192.0.2.10", on_failure = "spare" }
end }`} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if code := run([]string{"test", dir}, nil, &out, &out); code != exitDone || !strings.Contains(out.String(), "1 passed") {
		t.Errorf("exit %d\n%s", code, &out)
	}
}
