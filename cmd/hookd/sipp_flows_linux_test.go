package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// sippFlow is what all three parts of a call do.
type sippFlow struct {
	name, way    string
	caller, a, b string
	more         []string // what else sipp is told
}

// sippFlows are those of calls. Pauses are so long that who does not pause is done before, on a busy
// machine too.
func sippFlows() []sippFlow {
	const rest = ">ACK >BYE <200"
	const takes, gone = ">200 <ACK <BYE >200", "<CANCEL >200 >487 <ACK"
	return []sippFlow{
		{"200", "to", ">INVITE <100 <200 " + rest, "<INVITE " + takes, "", nil},
		{"180, 200", "to", ">INVITE <100 <180 <200 " + rest, "<INVITE >180 " + takes, "", nil},
		{"180, 183, 200", "to", ">INVITE <100 <180 <183 <200 " + rest, "<INVITE >180 >183 " + takes, "", nil},
		{"486", "to", ">INVITE <100 <486 >ACK", "<INVITE >486 <ACK", "", nil},
		// Without -nr sipp takes what comes again for a copy, and repeats what it sent by itself.
		{"a repeated INVITE", "to", ">INVITE <100 >INVITE <100 <180 <200 " + rest, "<INVITE ~600 >180 " + takes, "", []string{"-nr"}},
		{"a repeated 200", "to", ">INVITE <100 <180 <200 <200 " + rest, "<INVITE >180 " + takes, "", []string{"-nr"}},
		{"one of two wins", "fork", ">INVITE <100 <180 <180 <200 " + rest, "<INVITE >180 " + gone, "<INVITE >180 ~600 " + takes, nil},
		{"both fail", "fork", ">INVITE <100 <404 >ACK", "<INVITE >486 <ACK", "<INVITE ~600 >404 <ACK", nil},
		{"the second after 486", "serial", ">INVITE <100 <180 <200 " + rest, "<INVITE >486 <ACK", "<INVITE >180 " + takes, nil},
		{"the second after silence", "standby", ">INVITE <100 <180 <200 " + rest, "<INVITE", "<INVITE >180 " + takes, nil},
		{"603", "fork", ">INVITE <100 <180 <603 >ACK", "<INVITE >180 " + gone, "<INVITE ~600 >603 <ACK", nil},
		{"fr_timer", "mute", ">INVITE <100 <408 >ACK", "<INVITE", "", nil},
		{"fr_inv_timer", "long", ">INVITE <100 <180 <408 >ACK", "<INVITE >180 " + gone, "", nil},
		{"CANCEL", "to", ">INVITE <100 <180 >CANCEL <200 <487 >ACK", "<INVITE >180 " + gone, "", nil},
		{"CANCEL before any reply", "to", ">INVITE <100 >CANCEL <200 <487 >ACK", "<INVITE ~600 >180 " + gone, "", nil},
		{"CANCEL of two", "fork", ">INVITE <100 <180 <180 >CANCEL <200 <487 >ACK", "<INVITE >180 " + gone, "<INVITE >180 <CANCEL ~400 >200 >487 <ACK", nil},
		{"CANCEL and 200 cross", "to", ">INVITE <100 <180 >CANCEL <200 <200 " + rest, "<INVITE >180 <CANCEL >481 " + takes, "", nil},
		{"a 200 too late", "long", ">INVITE <100 <180 <408 >ACK <200 " + rest, "<INVITE >180 <CANCEL >481 " + takes, "", nil},
	}
}

const flowCalls = 5

// TestSippFlows has sipp play all three parts of the flows of calls, all at the same time: who
// calls, and who is called at two places. Each part has to see just what is written there, in
// that order, and a script what the golden file says.
func TestSippFlows(t *testing.T) {
	t.Parallel()
	r := sippWith(t, "testdata/sipp/flows.lua")
	list := sippFlows()
	ways, called := map[string]string{}, map[string]*exec.Cmd{}
	for i := range list {
		f := &list[i]
		for _, steps := range []string{f.a, f.b} {
			port := fmt.Sprint(freePort(t))
			f.way += "-" + port
			if at := "127.0.0.1:" + port; steps != "" {
				called[at] = answersSoon(t, callee(t, steps), at, "-m", fmt.Sprint(flowCalls), "-timeout", "180s", "-timeout_error")
			}
		}
		ways[f.way] = f.name
	}
	for at := range called {
		awaitPort(t, at)
	}
	callers := make([]*sippCalls, len(list))
	for i, f := range list {
		callers[i] = r.begin(t, fmt.Sprint("127.0.0.1:", r.edge), caller(t, f.caller), flowCalls, 50, append([]string{"-s", f.way}, f.more...)...)
	}
	for i, f := range list {
		if c := callers[i].end(t); c.ok != flowCalls || c.failed != 0 {
			t.Errorf("%s: %+v of %d calls", f.name, c, flowCalls)
		}
	}
	for at, cmd := range called {
		if err := cmd.Wait(); err != nil {
			t.Errorf("who is called at %s: %v", at, err)
		}
	}
	t.Logf("%d flows, %d calls of sipp's each", len(list), flowCalls)
	var got string
	for range 3000 { // records are written behind what they tell of
		got = told(r.p.records, ways)
		if want := readOrEmpty("testdata/sipp_flows.golden"); got == want && !*update {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	golden(t, "sipp_flows.golden", got)
}

// told lists the hook points of the INVITE of each flow, in order, and what was repeated at once
// only once. Behind the first final reply two ends talk at the same time: of that the list is
// sorted. All calls of a flow have to have been the same. ways are the names of the flows by the
// users who are called.
func told(records string, ways map[string]string) string {
	calls := map[string]map[string][]string{}
	for line := range strings.Lines(readOrEmpty(records)) {
		var r struct {
			Name   string
			Fields struct{ Way, Call, Hook string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Name != "told" {
			continue // another, or one that is not written to its end
		}
		name := ways[r.Fields.Way]
		if calls[name] == nil {
			calls[name] = map[string][]string{}
		}
		calls[name][r.Fields.Call] = append(calls[name][r.Fields.Call], strings.TrimPrefix(r.Fields.Hook, "sip."))
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		seen := map[string]int{}
		for _, hooks := range calls[name] {
			out := slices.IndexFunc(hooks, func(h string) bool { return strings.HasPrefix(h, "response_out") })
			slices.Sort(hooks[out+1:])
			seen[strings.Join(slices.Compact(hooks), ", ")]++
		}
		for _, hooks := range slices.Sorted(maps.Keys(seen)) {
			fmt.Fprintf(&b, "%s, %d times: %s\n", name, seen[hooks], hooks)
		}
	}
	return b.String()
}

// TestSippTransports has whole calls come and go on by what is no UDP over IPv4: all of a
// call's requests and replies stay with it.
func TestSippTransports(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("socat")
	testbed.Need(t, "socat", err)
	certs, plain, secure := t.TempDir(), freePort(t), freePort(t)
	writeCertificate(t, certs)
	script := filepath.Join(t.TempDir(), "edges.lua")
	writeFile(t, script, fmt.Sprintf(`
sip.listen "udp6" { url = "udp://[::1]:%[1]d" }
sip.listen "tcp4" { url = "tcp://127.0.0.1:%[1]d" }
sip.listen "tcp6" { url = "tcp://[::1]:%[1]d" }
sip.listen "tls4" { url = "tls://127.0.0.1:%[2]d", cert = %[3]q, key = %[4]q, ca = %[3]q }
rule "ways" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  local host, port, proto = m.ruri.user:match "^(%%w+)-(%%d+)-(%%a+)$"
  if m.to.tag ~= "" or not host then return end
  host = host == "v6" and "[::1]" or "127.0.0.1"
  return sip.relay { to = "sip:svc@" .. host .. ":" .. port .. ";transport=" .. proto, record_route = true }
end }
`, plain, secure, filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")))
	r := sippWith(t, script)
	uac, uas := scenario(t, "uac"), scenario(t, "uas")
	const calls = 20
	callers := map[string]*sippCalls{}
	for _, row := range []struct {
		name, proto, host, mode string
	}{
		{"UDP over IPv6", "udp", "[::1]", "u1"},
		{"TCP", "tcp", "127.0.0.1", "t1"},
		{"TCP, a connection a call", "tcp", "127.0.0.1", "tn"},
		{"TCP over IPv6", "tcp", "[::1]", "t1"},
	} {
		port := freePort(t)
		answers(t, uas, fmt.Sprint(row.host, ":", port), "-t", row.proto[:1]+"1")
		user := fmt.Sprintf("%s-%d-%s", map[string]string{"[::1]": "v6", "127.0.0.1": "v4"}[row.host], port, row.proto)
		callers[row.name] = r.begin(t, fmt.Sprint(row.host, ":", plain), uac, calls, 100, "-s", user, "-t", row.mode, "-max_socket", "100")
	}
	// Debian's sipp is built without TLS: OpenSSL speaks it in socat, at both ends.
	port, outer, inner := freePort(t), freePort(t), freePort(t)
	named := strings.NewReplacer("[local_ip]:[local_port];transport=[transport]", fmt.Sprintf("127.0.0.1:%d;transport=tls", inner), "[transport]", "TLS")
	wrapped := func(path string) string {
		text := named.Replace(readOrEmpty(path))
		path = filepath.Join(t.TempDir(), "tls.xml")
		writeFile(t, path, text)
		return path
	}
	answers(t, wrapped(uas), fmt.Sprint("127.0.0.1:", port), "-t", "t1")
	carry(t, inner, fmt.Sprintf("OPENSSL-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,verify=0,cert=%s,key=%s", inner, filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")),
		fmt.Sprint("TCP:127.0.0.1:", port))
	carry(t, outer, fmt.Sprintf("TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr", outer),
		fmt.Sprintf("OPENSSL:127.0.0.1:%d,cafile=%s,openssl-commonname=hookd", secure, filepath.Join(certs, "cert.pem")))
	callers["TLS"] = r.begin(t, fmt.Sprint("127.0.0.1:", outer), wrapped(uac), calls, 100, "-s", fmt.Sprintf("v4-%d-tls", inner), "-t", "t1")
	for name, sipp := range callers {
		if c := sipp.end(t); c.ok != calls || c.failed != 0 {
			t.Errorf("%s: %+v of %d calls", name, c, calls)
		}
		t.Logf("%s: %d calls of sipp's", name, calls)
	}
}

// carry has a socat carry connections from one address, where it listens at a port, to
// another.
func carry(t *testing.T, port int, from, to string) {
	t.Helper()
	cmd := exec.Command("socat", from, to)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	awaitPort(t, fmt.Sprint("127.0.0.1:", port))
}
