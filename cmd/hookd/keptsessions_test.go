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

// TestSessionsOverRestart has a client of mosquitto's find its session at the daemon that
// comes after the one where it subscribed, with what was published meanwhile.
func TestSessionsOverRestart(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mosquitto_sub", "mosquitto_pub"} {
		_, err := exec.LookPath(name)
		testbed.Need(t, name, err)
	}
	dir := t.TempDir()
	scripts := filepath.Join(dir, "scripts")
	script := `store "sessions" { kind = "map", key = "string", persist = true }
loop.listen "mqtt" { url = "mqtt://127.0.0.1:0", mqtt = { sessions = "sessions" } }
rule "early" { on = hookd.start, run = function() mqtt.publish { topic = "jobs/start", payload = "started", qos = 1 } end }
`
	if err := errors.Join(os.Mkdir(scripts, 0o755), os.WriteFile(filepath.Join(scripts, "t.lua"), []byte(script), 0o644)); err != nil {
		t.Fatal(err)
	}
	serve := func(f func(client func(name string, args ...string) string)) {
		o := runOptions{control: filepath.Join(dir, "sock"), start: "files"}
		o.state = filepath.Join(dir, "state")
		var logs safeLines
		d, err := newDaemon(&o, []string{scripts}, new(strings.Builder), &logs)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.run(ctx) }()
		defer func() {
			cancel()
			if err := errors.Join(<-ended, d.close()); err != nil {
				t.Error(err, logs.String())
			}
		}()
		for end := time.Now().Add(5 * time.Second); len(d.loops.Listeners()) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it does not listen", logs.String())
			}
		}
		_, port, _ := strings.Cut(d.loops.Listeners()[0].Addr, ":")
		f(func(name string, args ...string) string {
			out, err := exec.CommandContext(t.Context(), name, append([]string{"-h", "127.0.0.1", "-p", port, "-q", "1"}, args...)...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
			return string(out)
		})
	}
	serve(func(client func(string, ...string) string) {
		client("mosquitto_sub", "-V", "mqttv5", "-i", "worker", "-c", "-x", "3600", "-t", "jobs/#", "-E")
		client("mosquitto_pub", "-t", "jobs/one", "-m", "first")
	})
	serve(func(client func(string, ...string) string) {
		client("mosquitto_pub", "-t", "jobs/two", "-m", "second")
		got := client("mosquitto_sub", "-V", "mqttv5", "-i", "worker", "-c", "-x", "3600", "-t", "jobs/#", "-v", "-C", "3", "-W", "5")
		if want := "jobs/one first\njobs/start started\njobs/two second\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
