package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// served are the examples that serve, by their folders, with what uses them.
var served = map[string]func(t *testing.T, s *serving){
	"http-hello": askHello,
	"json-api":   askNotes,
	"health":     askHealth,
	"chat":       chat,
}

// serving is an example whose listeners are open, at other ports than it says.
type serving struct {
	dir   string
	at    map[string]string // where it listens, by what the example says
	house *house
	loops *loop.Group
	lines *bytes.Buffer // in the shard
}

// TestServedExamples loads each example that serves, and has a client use it.
func TestServedExamples(t *testing.T) {
	for name, use := range served {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../../examples", name)
			for _, name := range []string{"README.md", "main.lua", "main_spec.lua"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Errorf("an example has a %s: %v", name, err)
				}
			}
			use(t, serve(t, dir))
		})
	}
}

var loopbackPort = regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`)

// serve opens an example at ports that are free.
func serve(t *testing.T, dir string) *serving {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "main.lua"))
	if err != nil {
		t.Fatal(err)
	}
	s := &serving{dir: dir, at: map[string]string{}, lines: &bytes.Buffer{}}
	text = loopbackPort.ReplaceAllFunc(text, func(said []byte) []byte {
		if s.at[string(said)] == "" {
			s.at[string(said)] = freeAddress(t)
		}
		return []byte(s.at[string(said)])
	})
	s.loops = newLoops(loop.Config{})
	s.house = newHouse(engineOptions{loops: s.loops}, true, s.lines, s.lines)
	e := s.house.engine
	if err := s.loops.Start(e.Shards()); err != nil {
		t.Fatal(err)
	}
	if _, diags := e.Apply([]engine.Source{{Path: "main.lua", Text: text, Root: dir}}); diags.HasErrors() {
		t.Fatal(diags)
	}
	e.Start(time.Now().UnixNano())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.loops.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		e.Stop(hookdev.StopReasonDone)
		if n := e.Stats().Errors; n > 0 {
			t.Errorf("%d errors", n)
		}
		e.Close()
		if t.Failed() {
			t.Log(s.lines.String())
		}
	})
	return s
}

// freeAddress is an address of the loopback with a [freePort].
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", freePort(t))
}

// freePort returns a port that nobody has, by UDP and by TCP, and that no other test is given
// until this one ends: it stays open at an address of the loopback that nobody asks for. It is
// below those that the kernel gives out, or a connection may have it before it is opened.
//
// [awaitPort] knows of that address.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		if port := 20_000 + rand.IntN(12_000); keepPort(t, port) {
			return port
		}
	}
	t.Fatal("no port is free by UDP and TCP")
	return 0
}

// keepPort keeps one from other tests, and reports whether it is free.
func keepPort(t *testing.T, port int) bool {
	t.Helper()
	kept, err := net.ListenPacket("udp", fmt.Sprint("127.255.255.254:", port))
	if err != nil {
		return false
	}
	t.Cleanup(func() { _ = kept.Close() })
	at := fmt.Sprint("127.0.0.1:", port)
	c, udp := net.ListenPacket("udp", at)
	l, tcp := net.Listen("tcp", at)
	if udp == nil {
		_ = c.Close()
	}
	if tcp == nil {
		_ = l.Close()
	}
	return udp == nil && tcp == nil
}

// get asks by HTTP and returns status and body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return ask(t, http.MethodGet, url, "")
}

func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func askHello(t *testing.T, s *serving) {
	at := "http://" + s.at["127.0.0.1:18080"]
	if code, body := get(t, at+"/"); code != 200 || body != "hello\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, _ := get(t, at+"/other"); code != 404 {
		t.Error(code)
	}
}

func askNotes(t *testing.T, s *serving) {
	at := "http://" + s.at["127.0.0.1:18091"] + "/notes"
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "", "", 200, `"count":0`},
		{"POST", "", `{"text":"buy milk"}`, 201, `{"id":1,"text":"buy milk"}`},
		{"POST", "", `{"text":"and bread"}`, 201, `{"id":2,"text":"and bread"}`},
		{"POST", "", `{"text":`, 400, "error"},
		{"POST", "", `{"words":1}`, 400, "a text is expected"},
		{"POST", "", `{"text":"` + strings.Repeat("x", 20<<10) + `"}`, 413, "too large"},
		{"GET", "", "", 200, `[{"id":1,"text":"buy milk"},{"id":2,"text":"and bread"}]`},
		{"GET", "/2", "", 200, `{"id":2,"text":"and bread"}`},
		{"PUT", "/2", "x", 405, "possible"},
		{"DELETE", "/2", "", 204, ""},
		{"GET", "/2", "", 404, "no such note"},
		{"GET", "/x", "", 404, "no such note"},
	} {
		code, body := ask(t, c.method, at+c.path, c.body)
		if code != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, code, body, c.status, c.want)
		}
	}
}

func askHealth(t *testing.T, s *serving) {
	at := "http://" + s.at["127.0.0.1:18092"] + "/health"
	wait := func(status int, words ...string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			code, body := get(t, at)
			found := code == status
			for _, w := range words {
				found = found && strings.Contains(body, w)
			}
			if found {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d %s, want %d %q", code, body, status, words)
			}
		}
	}
	wait(503, `"web":{"up":false`, `"api":{"up":false`, "refused")
	for _, target := range []string{"127.0.0.1:18080", "127.0.0.1:18091"} {
		l, err := net.Listen("tcp", s.at[target])
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
	}
	wait(200, `"web":{"up":true`, `"api":{"up":true`, "status 200")
}

// talker is somebody in the chat.
type talker struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	r    *wsframe.Reader
	w    *wsframe.Writer
	buf  []byte
}

// openWebSocket opens one.
func openWebSocket(t *testing.T, at, target string) *talker {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	key := wsframe.NewKey()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", target, at, key)
	k := &talker{t: t, conn: conn, in: bufio.NewReader(conn), r: wsframe.NewReader(wsframe.Config{}), w: wsframe.NewWriter(wsframe.Config{})}
	res, err := http.ReadResponse(k.in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != wsframe.AcceptKey(key) {
		t.Fatalf("%v %v", res, err)
	}
	return k
}

func (k *talker) say(text string) {
	k.t.Helper()
	if _, err := k.conn.Write(k.w.Append(nil, wsframe.Text, []byte(text))); err != nil {
		k.t.Fatal(err)
	}
}

// hear wants a message.
func (k *talker) hear(want string) {
	k.t.Helper()
	if got := k.next(); got != want {
		k.t.Errorf("heard %q, want %q", got, want)
	}
}

// next waits for a message.
func (k *talker) next() string {
	k.t.Helper()
	for {
		m, used, ok, err := k.r.Next(k.buf)
		if err != nil {
			k.t.Fatal(err)
		}
		got := string(m.Data)
		k.buf = k.buf[used:]
		if ok {
			return got
		}
		more := make([]byte, 4096)
		n, err := k.in.Read(more)
		if err != nil {
			k.t.Fatal(err)
		}
		k.buf = append(k.buf, more[:n]...)
	}
}

func chat(t *testing.T, s *serving) {
	at := s.at["127.0.0.1:18090"]
	if code, body := get(t, "http://"+at+"/"); code != 200 || !strings.Contains(body, "new WebSocket") {
		t.Errorf("%d %s", code, body)
	}
	ann := openWebSocket(t, at, "/ws?name=ann")
	ann.hear("* ann is here")
	bob := openWebSocket(t, at, "/ws?name=bob")
	ann.hear("* bob is here")
	bob.hear("* bob is here")
	ann.say("hello, bob")
	ann.hear("ann: hello, bob")
	bob.hear("ann: hello, bob")
	if _, err := bob.conn.Write(bob.w.AppendClose(nil, wsframe.Normal, "")); err != nil {
		t.Fatal(err)
	}
	ann.hear("* bob left")
}
