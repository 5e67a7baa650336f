package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// brokerDaemon is a daemon whose script has a broker, for mosquitto's clients.
type brokerDaemon struct {
	t      *testing.T
	d      *daemon
	logs   safeLines
	cancel context.CancelFunc
	ended  chan error
}

const keptBroker = `store "sessions" { kind = "map", key = "string", persist = true }
loop.listen "mqtt" { url = "mqtt://127.0.0.1:0", mqtt = { sessions = "sessions" } }
rule "early" { on = hookd.start, run = function() mqtt.publish { topic = "jobs/start", payload = "started", qos = 1 } end }
`

// newBroker runs one below a directory, which goes on for another if it is to.
func newBroker(t *testing.T, dir string, takeover bool) *brokerDaemon {
	t.Helper()
	for _, name := range []string{"mosquitto_sub", "mosquitto_pub"} {
		_, err := exec.LookPath(name)
		testbed.Need(t, name, err)
	}
	scripts := filepath.Join(dir, "scripts")
	if err := errors.Join(os.MkdirAll(scripts, 0o755), os.WriteFile(filepath.Join(scripts, "t.lua"), []byte(keptBroker), 0o644)); err != nil {
		t.Fatal(err)
	}
	o := runOptions{control: filepath.Join(dir, "sock"), start: "files", takeover: takeover}
	o.state = filepath.Join(dir, "state")
	b := &brokerDaemon{t: t, ended: make(chan error, 1)}
	var err error
	if b.d, err = newDaemon(&o, []string{scripts}, new(strings.Builder), &b.logs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	go func() { b.ended <- b.d.run(ctx) }()
	for end := time.Now().Add(time.Minute); len(b.d.loops.Listeners()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not listen", b.logs.String())
		}
	}
	return b
}

// end waits for the daemon's end.
func (b *brokerDaemon) end() {
	b.t.Helper()
	defer b.cancel()
	select {
	case err := <-b.ended:
		if err = errors.Join(err, b.d.close()); err != nil {
			b.t.Error(err, b.logs.String())
		}
	case <-time.After(30 * time.Second):
		b.t.Fatal("it goes on", b.logs.String())
	}
}

// client runs one of mosquitto's, and returns what it said.
func (b *brokerDaemon) client(name string, args ...string) string {
	b.t.Helper()
	_, port, _ := strings.Cut(b.d.loops.Listeners()[0].Addr, ":")
	out, err := exec.CommandContext(b.t.Context(), name, append([]string{"-h", "127.0.0.1", "-p", port, "-q", "1"}, args...)...).CombinedOutput()
	if err != nil {
		b.t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// worker is a client with a session.
func (b *brokerDaemon) worker(args ...string) string {
	b.t.Helper()
	return b.client("mosquitto_sub", append([]string{"-V", "mqttv5", "-i", "worker", "-c", "-x", "3600", "-t", "jobs/#"}, args...)...)
}

// TestSessionsGoOn has a client of mosquitto's find its session at the daemon that comes
// after the one where it subscribed, with what was published meanwhile: after an end, and
// where the one goes on for the other.
func TestSessionsGoOn(t *testing.T) {
	t.Parallel()
	for _, takeover := range []bool{false, true} {
		dir := t.TempDir()
		first := newBroker(t, dir, false)
		first.worker("-E")
		first.client("mosquitto_pub", "-t", "jobs/one", "-m", "first")
		if !takeover {
			first.cancel()
			first.end()
		}
		second := newBroker(t, dir, takeover)
		if takeover {
			first.end()
		}
		second.client("mosquitto_pub", "-t", "jobs/two", "-m", "second")
		if got, want := second.worker("-v", "-C", "3", "-W", "15"), "jobs/one first\njobs/start started\njobs/two second\n"; got != want {
			t.Errorf("takeover %v: %q, want %q", takeover, got, want)
		}
		second.cancel()
		second.end()
	}
}
