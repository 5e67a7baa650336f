package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/control"
)

// ladderDaemon runs a daemon with a script and returns its control socket.
func ladderDaemon(t *testing.T, script string, o runOptions) (*daemon, string) {
	t.Helper()
	dir := t.TempDir()
	scripts := filepath.Join(dir, "scripts")
	if err := errors.Join(os.Mkdir(scripts, 0o755), os.WriteFile(filepath.Join(scripts, "t.lua"), []byte(script), 0o644)); err != nil {
		t.Fatal(err)
	}
	o.control, o.start = filepath.Join(dir, "sock"), "files"
	d, err := newDaemon(&o, []string{scripts}, new(strings.Builder), new(strings.Builder))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, d.close()); err != nil {
			t.Error(err)
		}
	})
	return d, o.control
}

// laddered asks a daemon for calls until it has them.
func laddered(t *testing.T, path, id string) string {
	t.Helper()
	var out bytes.Buffer
	for range 6000 {
		out.Reset()
		if run([]string{"sip", "ladder", "--ascii", "--control", path, "--call-id", id}, nil, &out, &out) == exitDone {
			return out.String()
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no call %s: %s", id, &out)
	return ""
}

// TestLadderOfADaemon shows calls that a daemon served, by its command and at a console.
func TestLadderOfADaemon(t *testing.T) {
	t.Parallel()
	d, path := ladderDaemon(t, `sip.listen "edge" { url = "udp://127.0.0.1:0" }
		rule "no" { on = sip.request_in, verdict = sip.reply(486) }`, runOptions{})
	for len(d.sips.Listeners()) == 0 {
		time.Sleep(time.Millisecond)
	}
	to := netip.MustParseAddrPort(d.sips.Listeners()[0].Addr)
	caller := newSIPPeer(t)
	caller.send(to, []byte("OPTIONS sip:x@"+to.String()+" SIP/2.0\r\nVia: SIP/2.0/UDP "+caller.String()+";branch=z9hG4bKk\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: kept\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"))
	caller.take("SIP/2.0 486")
	got := laddered(t, path, "ke*")
	for _, want := range []string{"kept: OPTIONS from a to x, 486", caller.String(), to.String(), " OPTIONS ", "486 Busy Here (OPTIONS)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c := control.NewClient(path)
	defer c.Close()
	at, conn := dial(t, c, func(string) {})
	defer conn.Close()
	for text, want := range map[string]string{":ladder kept": "kept: OPTIONS from a to x, 486", ":ladder other": "no message is kept of a call other", ":help": ":ladder CALL-ID"} {
		if r, err := at.Run(text); err != nil || !strings.Contains(r.Text, want) {
			t.Errorf("%s: %v\n%s", text, err, r.Text)
		}
	}
}

// TestLadderOfWhatPasses shows calls of a capture that a daemon reads.
func TestLadderOfWhatPasses(t *testing.T) {
	t.Parallel()
	_, path := ladderDaemon(t, `rule "see" { on = sip.request_in, run = function() end }`,
		runOptions{pcap: []string{"../../examples/sip-calls/capture.pcap"}, speed: "max", loop: 0})
	// What is kept begins anywhere in a pass, in the middle of the call now and then.
	got := ""
	for range 100 {
		if got = laddered(t, path, "erin@192.0.2.3"); strings.Contains(got, "erin@192.0.2.3: INVITE from dave to erin, 200") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error(got)
}
