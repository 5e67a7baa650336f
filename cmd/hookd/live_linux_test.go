package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow"
)

// needs fails in CI, and skips elsewhere, where a machine cannot do the test.
func needs(t *testing.T, err error) {
	t.Helper()
	testbed.Need(t, "root, iproute2, util-linux and the traffic's programs", err)
}

// wires are two network namespaces with a pair of interfaces between them: a0,
// 10.99.0.1, where the test's thread is, and b0, 10.99.0.2, where [wires.there]
// runs programs.
type wires struct {
	t    *testing.T
	peer int // the process that holds the other namespace
}

func newWires(t *testing.T, programs ...string) *wires {
	t.Helper()
	if os.Geteuid() != 0 {
		needs(t, errors.New("not root"))
	}
	for _, p := range append(programs, "ip", "nsenter", "unshare") {
		_, err := exec.LookPath(p)
		needs(t, err)
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	needs(t, unix.Unshare(unix.CLONE_NEWNET))
	hold := exec.Command("unshare", "-n", "cat")
	stdin, err := hold.StdinPipe()
	needs(t, err)
	needs(t, hold.Start())
	w := &wires{t, hold.Process.Pid}
	t.Cleanup(func() {
		stdin.Close()
		_ = hold.Wait()
	})
	// It has its namespace when that is another than ours.
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		theirs, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", w.peer))
		ours, _ := os.Readlink("/proc/thread-self/ns/net")
		if theirs != "" && theirs != ours {
			break
		}
		if time.Now().After(end) {
			needs(t, errors.New("no second namespace"))
		}
	}
	w.connect()
	return w
}

// connect makes the pair of interfaces.
func (w *wires) connect() {
	w.t.Helper()
	w.here("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0", "netns", strconv.Itoa(w.peer))
	for _, line := range []string{"addr add 10.99.0.1/24 dev a0", "link set a0 up", "link set lo up"} {
		w.here("ip", strings.Fields(line)...)
	}
	w.there("ip", "addr", "add", "10.99.0.2/24", "dev", "b0")
	w.there("ip", "link", "set", "b0", "up")
}

func (w *wires) here(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (w *wires) there(name string, args ...string) string {
	w.t.Helper()
	return w.here("nsenter", append([]string{"-t", strconv.Itoa(w.peer), "-n", name}, args...)...)
}

// sharedDir returns a folder that others may look into.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// process is a daemon that runs as a process of its own.
type process struct {
	t             *testing.T
	cmd           *exec.Cmd
	socket        string
	logs, records string
	client        *control.Client
	ended         bool
}

// start runs `hookd run` with a control socket and a log of its own in dir.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, socket: filepath.Join(dir, "control"), logs: filepath.Join(dir, "stderr"), records: filepath.Join(dir, "records")}
	logs, err := os.OpenFile(p.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	p.cmd = exec.Command(exe)
	p.cmd.Args = append([]string{"hookd", "run", "--control", p.socket, "--log", p.records}, args...)
	p.cmd.Stderr = logs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.client = control.NewClient(p.socket)
	t.Cleanup(func() {
		p.client.Close()
		if !p.ended {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		if t.Failed() {
			text, _ := os.ReadFile(p.logs)
			t.Logf("%.8000s", text)
		}
	})
	p.until(func(st *status) bool { return st.Phase == "running" })
	return p
}

// until waits for a status that satisfies done and returns it.
func (p *process) until(done func(*status) bool) *status {
	p.t.Helper()
	var st status
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		st = status{}
		if err = p.client.Do(context.Background(), http.MethodGet, "/status", nil, &st); err == nil && done(&st) {
			return &st
		}
	}
	text, _ := json.Marshal(&st)
	p.t.Fatalf("it did not come to this: %s, %v", text, err)
	return nil
}

// quiet waits until nothing comes in any more and all of it was taken.
func (p *process) quiet() *status {
	p.t.Helper()
	last := uint64(0)
	return p.until(func(st *status) bool {
		time.Sleep(30 * time.Millisecond)
		n := last
		last = st.Interfaces[0].Packets
		return last == n && st.Packets+st.Interfaces[0].Drops == last
	})
}

// end has the daemon stop and returns its exit code.
func (p *process) end(sig os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	p.ended = true
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0
}

// countingRules raise an alert for each connection that starts and one that ends.
const countingRules = `rule "starts" { on = flow.conn_start, scope = "tcp port 8080", run = function(c) alert "start" end }
rule "ends" { on = flow.conn_end, scope = "tcp port 8080", run = function(c) alert "end" end }
`

// site is a web server that counts the connections it had.
func site(t *testing.T, addr string) *atomic.Int64 {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int64
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("hello\n", 100)) }),
		ConnState: func(_ net.Conn, st http.ConnState) {
			if st == http.StateNew {
				conns.Add(1)
			}
		},
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return &conns
}

// TestLiveConnections checks that each connection of real programs is seen, while
// rules are reloaded all the time, by a daemon that gave up being root.
func TestLiveConnections(t *testing.T) {
	w := newWires(t, "curl")
	dir := sharedDir(t)
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, countingRules)
	p := start(t, dir, script, "-i", "a0", "--user", "nobody", "--filter", "ip")
	conns := site(t, "10.99.0.1:8080")
	stop, over := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				over <- n
				return
			case <-time.After(60 * time.Millisecond):
				n++
				text := fmt.Sprintf("%s-- %d\n", countingRules, n)
				if n%5 == 0 {
					text = "rule {"
				}
				writeFile(t, script, text)
			}
		}
	}()
	for range 10 {
		w.there("curl", "-s", "-o", "/dev/null", "-H", "Connection: close", "http://10.99.0.1:8080/[1-20]")
		time.Sleep(50 * time.Millisecond)
	}
	close(stop)
	saves := <-over
	st := p.quiet()
	if n := conns.Load(); n != 200 || st.Connections != 200 || st.Interfaces[0].Drops != 0 || st.Interfaces[0].Filtered != "kernel" {
		t.Errorf("the server had %d connections: %+v", n, st)
	}
	if saves < 5 || st.Reloads == 0 || st.ReloadFailures == 0 {
		t.Errorf("%d saves: %+v", saves, st)
	}
	// An end that waits in TIME_WAIT ends with the daemon.
	code := p.end(os.Interrupt)
	text, err := os.ReadFile(p.records)
	if err != nil {
		t.Fatal(err)
	}
	records := string(text)
	if starts, ends := strings.Count(records, `"name":"start"`), strings.Count(records, `"name":"end"`); code != 0 || starts != 200 || ends != 200 {
		t.Errorf("exit %d, %d starts, %d ends", code, starts, ends)
	}
}

// TestLiveShards checks what several shards see of an interface, each with a ring
// and a goroutine of its own, while rules are reloaded: both directions of every
// connection, datagrams that come in fragments, and the counters of all.
func TestLiveShards(t *testing.T) {
	w := newWires(t, "curl")
	dir := sharedDir(t)
	script := filepath.Join(dir, "a.lua")
	const rules = countingRules + `rule "whole" { on = flow.conn_end, scope = "tcp port 8080", run = function(c)
  if c.client.bytes > 0 and c.server.bytes > 600 then alert("whole") end
end }
`
	writeFile(t, script, rules)
	p := start(t, dir, script, "-i", "a0", "--shards", "2", "--user", "nobody")
	conns := site(t, "10.99.0.1:8080")
	const datagrams = 20
	for i := range 10 {
		writeFile(t, script, fmt.Sprintf("%s-- %d\n", rules, i))
		time.Sleep(60 * time.Millisecond)
		w.there("curl", "-s", "-o", "/dev/null", "-H", "Connection: close", "http://10.99.0.1:8080/[1-20]")
	}
	for i := range datagrams {
		w.there("bash", "-c", fmt.Sprintf("head -c 4000 /dev/zero >/dev/udp/10.99.0.1/%d", 9000+i))
	}
	st := p.quiet()
	if n := conns.Load(); n != 200 || st.Interfaces[0].Drops != 0 || st.Interfaces[0].Rings != 2 || st.Reloads == 0 {
		t.Errorf("the server had %d connections: %+v", n, st)
	}
	var v flow.Survey
	if err := p.client.Do(t.Context(), http.MethodGet, "/conns?limit=1000", nil, &v); err != nil {
		t.Fatal(err)
	}
	large, shards := 0, map[int]int{}
	for i := range v.Conns {
		c := &v.Conns[i]
		shards[c.Shard]++
		if c.Proto == "udp" && c.Client.Bytes == 4000 {
			large++
		}
	}
	if large != datagrams || shards[0] == 0 || shards[1] == 0 {
		t.Errorf("%d datagrams of %d, connections by shard: %v", large, datagrams, shards)
	}
	code := p.end(os.Interrupt)
	text, err := os.ReadFile(p.records)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"start", "end", "whole"} {
		if n := strings.Count(string(text), `"name":"`+name+`"`); n != 200 || code != 0 {
			t.Errorf("exit %d, %d times %s", code, n, name)
		}
	}
}

// TestLiveDrops checks that what the kernel drops is known: packets that came are
// those that were taken and those that were dropped, whatever the load.
func TestLiveDrops(t *testing.T) {
	w := newWires(t, "iperf3")
	dir := sharedDir(t)
	script := filepath.Join(dir, "slow.lua")
	writeFile(t, script, `rule "slow" { on = flow.pkt_in, run = function(c) local s = 0 for i = 1, 20000 do s = s + i end end }`+"\n")
	p := start(t, dir, script, "-i", "a0", "--ring", "1")
	server := exec.Command("iperf3", "-s", "-1", "-B", "10.99.0.1")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	awaitPort(t, "10.99.0.1:5201") // it has one client
	w.there("iperf3", "-c", "10.99.0.1", "-u", "-b", "200M", "-l", "200", "-t", "1")
	if err := server.Wait(); err != nil {
		t.Error(err)
	}
	st := p.quiet()
	if i := st.Interfaces[0]; i.Drops == 0 || st.Packets == 0 || st.Packets+i.Drops != i.Packets {
		t.Errorf("%d taken, %+v", st.Packets, i)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestLiveInterfaceComesBack checks that a daemon without rights goes on when its
// interface is removed and made anew.
func TestLiveInterfaceComesBack(t *testing.T) {
	w := newWires(t, "curl")
	dir := sharedDir(t)
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, countingRules)
	p := start(t, dir, script, "-i", "a0", "--user", "nobody", "--filter", "ip")
	site(t, "0.0.0.0:8080")
	get := func() {
		w.there("curl", "-s", "-o", "/dev/null", "-H", "Connection: close", "http://10.99.0.1:8080/[1-5]")
	}
	get()
	if st := p.quiet(); st.Connections != 5 {
		t.Errorf("%+v", st)
	}
	w.here("ip", "link", "del", "a0")
	p.until(func(st *status) bool { return st.Interfaces[0].Downs == 1 })
	w.connect()
	for end := time.Now().Add(time.Minute); ; {
		text, err := os.ReadFile(p.logs)
		if err != nil || time.Now().After(end) {
			t.Fatalf("it did not come back: %v", err)
		}
		if strings.Contains(string(text), "interface came back") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	get()
	if st := p.quiet(); st.Connections != 10 {
		t.Errorf("%+v", st)
	}
}

// TestOthersAreRefused checks that another user neither reaches the control socket
// nor, where its mode would let them, is answered.
func TestOthersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		needs(t, errors.New("not root"))
	}
	curl, err := exec.LookPath("curl")
	needs(t, err)
	dir := sharedDir(t)
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, countingRules)
	p := start(t, dir, script)
	ask := func() (string, error) {
		cmd := exec.Command(curl, "-s", "--unix-socket", p.socket, "http://hookd/status")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := ask(); err == nil || out != "" {
		t.Errorf("%q, %v", out, err)
	}
	if err := os.Chmod(p.socket, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := ask(); err != nil || out != `{"error":"user 65534 may not use this socket"}`+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	// The log has a writer of its own, so that it may come after the answer.
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(p.logs)
		if err == nil && strings.Contains(string(text), "user 65534 may not use this socket") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%s, %v", text, err)
		}
	}
}
