package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sipp runs a load generator's scenario and returns what it said.
func sipp(t *testing.T, wait time.Duration, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sipp", append(args, "-nostdin", "-i", "127.0.0.1", "-timeout", fmt.Sprint(int(wait.Seconds()), "s"))...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// scenario is one of sipp's own, made to follow Record-Route.
func scenario(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := exec.Command("sipp", "-sd", name).Output()
	if len(text) == 0 {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".xml")
	writeFile(t, path, strings.NewReplacer(replace...).Replace(string(text)))
	return path
}

// freePort returns a UDP port that nobody has.
func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// TestSipp has sipp call sipp through the example's rules: no call fails, and reloads
// meanwhile cost none.
func TestSipp(t *testing.T) {
	if _, err := exec.LookPath("sipp"); err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal("sipp is needed: ", err)
		}
		t.Skip("sipp is not installed: ", err)
	}
	dir := t.TempDir()
	uas := scenario(t, "uas", "      [last_Via:]\n", "      [last_Via:]\n      [last_Record-Route:]\n")
	uac := scenario(t, "uac", `<recv response="200" rtd="true">`, `<recv response="200" rtd="true" rrs="true">`,
		"ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0", "ACK [next_url] SIP/2.0",
		"BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0", "BYE [next_url] SIP/2.0",
		"      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]\n      To: [service] <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\n",
		"      [routes]\n      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]\n      To: [service] <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\n")
	edge, callee, caller := freePort(t), freePort(t), freePort(t)
	text, err := os.ReadFile("../../examples/sip-relay/main.lua")
	if err != nil {
		t.Fatal(err)
	}
	policy := strings.NewReplacer("127.0.0.1:15060", fmt.Sprint("127.0.0.1:", edge), "127.0.0.1:15080", fmt.Sprint("127.0.0.1:", callee)).Replace(string(text))
	script := filepath.Join(dir, "relay.lua")
	writeFile(t, script, policy)
	p := start(t, dir, script)
	answers := exec.Command("sipp", "-sf", uas, "-p", fmt.Sprint(callee), "-nostdin", "-i", "127.0.0.1")
	answers.Dir = t.TempDir()
	if err := answers.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = answers.Process.Kill()
		_ = answers.Wait()
	})
	stop := make(chan bool)
	reloaded := make(chan int, 1)
	go func() {
		n := 0
		for tick := time.NewTicker(200 * time.Millisecond); ; n++ {
			select {
			case <-stop:
				reloaded <- n
				return
			case <-tick.C:
				_ = os.WriteFile(script, []byte(fmt.Sprint(policy, "\n-- ", n, "\n")), 0o644)
			}
		}
	}()
	out, err := sipp(t, 20*time.Second, "-sf", uac, "-p", fmt.Sprint(caller), "-rsa", fmt.Sprint("127.0.0.1:", edge), fmt.Sprint("127.0.0.1:", callee),
		"-m", "60", "-r", "60", "-d", "300")
	close(stop)
	if err != nil {
		logs, _ := os.ReadFile(p.logs)
		t.Errorf("%v\n%s\n%s", err, out, logs)
	}
	t.Logf("60 calls over %d reloads", <-reloaded)
}
