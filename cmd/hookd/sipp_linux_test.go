package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// sippRig is a policy in a daemon, between sipps.
type sippRig struct {
	p              *process
	script, policy string
	edge, callee   int
}

// newSippRig serves examples/sip-relay.
func newSippRig(t *testing.T) *sippRig { return sippWith(t, "../../examples/sip-relay/main.lua") }

// sippWith serves a script, and what stands beside it, at other ports: 15060 and 5060
// become that of the listener, 15080 and 5080 those of a callee.
func sippWith(t *testing.T, script string, beside ...string) *sippRig {
	t.Helper()
	_, err := exec.LookPath("sipp")
	testbed.Need(t, "sipp (sip-tester)", err)
	return policyServed(t, script, beside...)
}

// policyServed is [sippWith] without sipp.
func policyServed(t *testing.T, script string, beside ...string) *sippRig {
	t.Helper()
	dir := t.TempDir()
	r := &sippRig{script: filepath.Join(dir, "relay.lua"), edge: freePort(t), callee: freePort(t)}
	edge, callee := fmt.Sprint("127.0.0.1:", r.edge), fmt.Sprint("127.0.0.1:", r.callee)
	ports := strings.NewReplacer("127.0.0.1:15060", edge, "127.0.0.1:15080", callee, "0.0.0.0:5060", edge, "192.0.2.10:5080", callee,
		"192.0.2.11:5080", fmt.Sprint("127.0.0.1:", freePort(t)), "192.0.2.12:5080", fmt.Sprint("127.0.0.1:", freePort(t)), "failures = 3", "failures = 1", `every = "30s"`, `every = "1s"`, `"2s"`, `"1s"`, `"3s" -- a`, `"1s" -- a`)
	for i, path := range append([]string{script}, beside...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			r.policy = ports.Replace(string(text))
			writeFile(t, r.script, r.policy)
		} else {
			writeFile(t, filepath.Join(dir, filepath.Base(path)), ports.Replace(string(text)))
		}
	}
	r.p = start(t, dir, r.script)
	return r
}

// scenario is one of sipp's own, made to follow Record-Route.
func scenario(t *testing.T, name string) string {
	t.Helper()
	text, err := exec.Command("sipp", "-sd", name).Output()
	if len(text) == 0 {
		t.Fatal(err)
	}
	routed := strings.NewReplacer(
		"      [last_Via:]\n", "      [last_Via:]\n      [last_Record-Route:]\n",
		`<recv response="200" rtd="true">`, `<recv response="200" rtd="true" rrs="true">`,
		"ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n", "ACK [next_url] SIP/2.0\n      [routes]\n",
		"BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n", "BYE [next_url] SIP/2.0\n      [routes]\n",
	).Replace(string(text))
	path := filepath.Join(t.TempDir(), name+".xml")
	writeFile(t, path, routed)
	return path
}

// sippCount is what a sipp counted in all.
type sippCount struct{ ok, failed, again int }

// counted reads what a sipp that ended wrote down.
func counted(t *testing.T, path string) sippCount {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = ';', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d rows of figures: %v", len(rows), err)
	}
	var c sippCount
	for i, name := range rows[0] {
		field := map[string]*int{"SuccessfulCall(C)": &c.ok, "FailedCall(C)": &c.failed, "Retransmissions(C)": &c.again}[name]
		if field == nil {
			continue
		}
		if *field, err = strconv.Atoi(rows[len(rows)-1][i]); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// calls has one sipp call another, as many times and as often a second, and returns
// what the callers counted. Those who answer are stopped at the end.
func (r *sippRig) calls(t *testing.T, uac, uas string, n, rate int, more ...string) sippCount {
	t.Helper()
	answers(t, uas, fmt.Sprint("127.0.0.1:", r.callee))
	return r.call(t, uac, n, rate, more...)
}

// mediaPort returns a [freePort] at which a sipp opens two, this and the next but one, for media
// that no call here has. By itself each looks among the same hundred, and ends when they are
// taken, as they are by fifty of them.
func mediaPort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		if port := 20_000 + 4*rand.IntN(3000); keepPort(t, port) && keepPort(t, port+2) {
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no two ports are free")
	return ""
}

// answers has a sipp answer at an address, until the test ends or its calls are done.
func answers(t *testing.T, uas, at string, more ...string) *exec.Cmd {
	t.Helper()
	cmd := answersSoon(t, uas, at, more...)
	awaitPort(t, at)
	return cmd
}

// answersSoon is answers without waiting until it is there.
func answersSoon(t *testing.T, uas, at string, more ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("sipp", append([]string{
		"-sf", uas, "-p", port, "-nostdin", "-i", host, "-mp", mediaPort(t), "-buff_size", "4194304", "-trace_err", "-error_file", "errors.log",
	}, more...)...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if faults := readOrEmpty(filepath.Join(dir, "errors.log")); t.Failed() && faults != "" {
			t.Logf("who answers at %s: %.4000s", at, faults)
		}
	})
	return cmd
}

// call has one sipp call, or whatever its scenario does.
func (r *sippRig) call(t *testing.T, uac string, n, rate int, more ...string) sippCount {
	t.Helper()
	return r.again(t, false, uac, n, rate, more...)
}

// again is call that is repeated, up to three times, where calls failed while the machine
// stood still; strictly, also where none did.
func (r *sippRig) again(t *testing.T, strictly bool, uac string, n, rate int, more ...string) sippCount {
	t.Helper()
	for try := 1; ; try++ {
		c := r.begin(t, fmt.Sprint("127.0.0.1:", r.edge), uac, n, rate, more...)
		err := c.cmd.Wait()
		if try == 4 || err == nil && !strictly || !c.stalled() {
			return c.judge(t, err)
		}
		t.Logf("try %d at %d calls/s: the machine stood still, so once more", try, rate)
	}
}

// sippCalls is a sipp that calls.
type sippCalls struct {
	r   *sippRig
	cmd *exec.Cmd
	out bytes.Buffer
}

// begin has one call an address, while the test goes on.
func (r *sippRig) begin(t *testing.T, at, uac string, n, rate int, more ...string) *sippCalls {
	t.Helper()
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	limit := time.Duration(n/rate+120) * time.Second
	args := append([]string{
		at, "-sf", uac, "-s", "svc", "-p", fmt.Sprint(freePort(t)), "-nostdin", "-i", host, "-mp", mediaPort(t),
		"-m", fmt.Sprint(n), "-r", fmt.Sprint(rate), "-timeout", fmt.Sprint(limit.Seconds(), "s"), "-timeout_error",
		"-trace_stat", "-stf", "figures.csv", "-fd", "1", "-trace_err", "-error_file", "errors.log", "-buff_size", "4194304",
	}, more...)
	c := &sippCalls{r: r, cmd: exec.CommandContext(t.Context(), "sipp", args...)}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = t.TempDir(), &c.out, &c.out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// end waits until it is done.
func (c *sippCalls) end(t *testing.T) sippCount {
	t.Helper()
	return c.judge(t, c.cmd.Wait())
}

// judge is end, given how the program ended.
func (c *sippCalls) judge(t *testing.T, err error) sippCount {
	t.Helper()
	if err != nil {
		t.Errorf("%v\n%.2000s\n%.4000s\n%.2000s", err, &c.out, c.faults(), readOrEmpty(c.r.p.logs))
	}
	return counted(t, filepath.Join(c.cmd.Dir, "figures.csv"))
}

func (c *sippCalls) faults() string { return readOrEmpty(filepath.Join(c.cmd.Dir, "errors.log")) }

// stalled reports whether sipp got no processor for more than half a second.
func (c *sippCalls) stalled() bool { return strings.Contains(c.faults(), "Overload warning") }

// awaitPort waits until somebody has a port, by UDP or by TCP. Trying to open it could take
// it from who is about to. The process may be in another network than this thread, where other
// tests went with its first one.
func awaitPort(t *testing.T, at string) {
	t.Helper()
	addr, err := netip.ParseAddrPort(at)
	if err != nil {
		t.Fatal(err)
	}
	taken := fmt.Sprintf(":%04X", addr.Port())
	kept := "FEFFFF7F" + taken // by freePort
	for range 3000 {
		for _, name := range []string{"udp", "udp6", "tcp", "tcp6"} {
			for line := range strings.Lines(readOrEmpty("/proc/thread-self/net/" + name)) {
				if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], taken) && f[1] != kept && (f[3] == "07" || f[3] == "0A") {
					return // a UDP socket without a peer, or one that listens
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody took %s", at)
}

// TestSipp has sipp call sipp through the example, by the scenarios that it comes with.
func TestSipp(t *testing.T) {
	t.Parallel()
	r := newSippRig(t)
	for _, row := range []struct {
		name, uac, uas string
		calls          int
	}{
		{"calls", scenario(t, "uac"), scenario(t, "uas"), 100},
		{"REGISTER", scenarioOf(t, "register_uac"), scenarioOf(t, "register_uas"), 10},
	} {
		t.Run(row.name, func(t *testing.T) {
			if c := r.calls(t, row.uac, row.uas, row.calls, 100); c.ok != row.calls || c.failed != 0 {
				t.Errorf("%+v of %d calls", c, row.calls)
			}
		})
	}
}

// TestSippTCP has calls come by TCP and go on by UDP: each side has its own route.
func TestSippTCP(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/sip-relay/main.lua")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "tcp.lua")
	writeFile(t, script, string(text)+"\nsip.listen \"by-tcp\" { url = \"tcp://127.0.0.1:15060\" }\n")
	r := sippWith(t, script)
	if c := r.calls(t, scenario(t, "uac"), scenario(t, "uas"), 50, 100, "-t", "t1"); c.ok != 50 || c.failed != 0 {
		t.Errorf("%+v of 50 calls", c)
	}
}

// TestSippReloads changes the script five times a second while calls come in: none
// fails, and nothing is sent twice more often than where nothing changes.
func TestSippReloads(t *testing.T) {
	rate, seconds := 50, 2
	r := newSippRig(t)
	uac := scenario(t, "uac")
	answers(t, scenario(t, "uas"), fmt.Sprint("127.0.0.1:", r.callee))
	if testbed.Proving() {
		rate, seconds = 300, 60
	}
	wholly := func() sippCount {
		t.Helper()
		c := r.again(t, true, uac, rate*seconds, rate, "-d", "300")
		if c.ok != rate*seconds || c.failed != 0 {
			t.Errorf("%+v of %d calls", c, rate*seconds)
		}
		return c
	}
	var alone sippCount
	if testbed.Proving() {
		alone = wholly()
	}
	stop, reloads := make(chan bool), make(chan int)
	go func() {
		n := 0
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				reloads <- n
				return
			case <-tick.C:
				n++
				writeFile(t, r.script, fmt.Sprintf("%s\n-- %d\n", r.policy, n))
			}
		}
	}()
	c := wholly()
	var st status
	look := func() uint64 {
		st = status{}
		if err := r.p.client.Do(t.Context(), http.MethodGet, "/status", nil, &st); err != nil {
			t.Fatal(err)
		}
		return st.Reloads
	}
	for try := 0; try < 20 && look() < uint64(3*seconds) && !testbed.Proving(); try++ {
		wholly() // a busy machine reloads more seldom
	}
	close(stop)
	if n := <-reloads; n < seconds*4 && testbed.Proving() {
		t.Errorf("the script changed %d times in %d s", n, seconds)
	}
	if st.Reloads < uint64(3*seconds) || st.ReloadFailures != 0 || st.SIP == nil || len(st.SIP.Listeners) != 1 {
		t.Errorf("%d reloads, %d refused, SIP %+v", st.Reloads, st.ReloadFailures, st.SIP)
	}
	t.Logf("%+v at %d calls/s over %d reloads", c, rate, st.Reloads)
	if testbed.Proving() {
		t.Logf("%+v at %d calls/s before, without any", alone, rate)
		if c.again > alone.again {
			t.Errorf("the callers repeated %d requests over reloads, and %d without", c.again, alone.again)
		}
	}
}
