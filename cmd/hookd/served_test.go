package main

import (
	"bytes"
	"context"
	"io"
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
)

// served are the examples that serve, by their folders, with what uses them.
var served = map[string]func(t *testing.T, s *serving){
	"http-hello": askHello,
}

// serving is an example whose listeners are open, at other ports than it says.
type serving struct {
	dir   string
	at    map[string]string // where it listens, by what the example says
	house *house
	loops *loop.Group
	lines *bytes.Buffer // in the shard
}

// TestServedExamples loads each example that serves, has a client use it, and runs
// its specs.
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
			var out, logs bytes.Buffer
			if code := run([]string{"test", dir}, nil, &out, &logs); code != exitDone {
				t.Errorf("test: exit %d\n%s%s", code, &out, &logs)
			}
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
			s.at[string(said)] = freePort(t)
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

// freePort returns an address of the loopback that nobody listened at just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
