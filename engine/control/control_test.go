package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/spec/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server that setup filled and returns a client of it.
func serve(t *testing.T, setup func(*control.Server)) (*control.Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := control.NewServer(nil)
	setup(s)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	c := control.NewClient(path)
	t.Cleanup(func() {
		c.Close()
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	return c, path
}

func TestHandle(t *testing.T) {
	c, path := serve(t, func(s *control.Server) {
		s.Handle("GET /status", func(*http.Request) (any, error) { return map[string]any{"generation": 7, "word": "<>"}, nil })
		s.Handle("POST /echo", func(r *http.Request) (any, error) {
			b, err := io.ReadAll(r.Body)
			return string(b), err
		})
		s.Handle("POST /rules/{name}", func(r *http.Request) (any, error) {
			return nil, control.Errorf(http.StatusNotFound, "no rule %q", r.PathValue("name"))
		})
		s.Handle("GET /broken", func(*http.Request) (any, error) { return nil, errors.New("a wheel came off") })
		s.HandleRaw("GET /metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hookd_up 1\n") }))
	})
	ctx := t.Context()
	var st struct {
		Generation int
		Word       string
	}
	if err := c.Do(ctx, "GET", "/status", nil, &st); err != nil || st.Generation != 7 || st.Word != "<>" {
		t.Errorf("%+v, %v", st, err)
	}
	var echo string
	if err := c.Do(ctx, "POST", "/echo", []int{1, 2}, &echo); err != nil || echo != "[1,2]" {
		t.Errorf("%q, %v", echo, err)
	}
	if text, err := c.Get(ctx, "/metrics"); err != nil || string(text) != "hookd_up 1\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
		message      string
	}{
		{"POST", "/rules/x", nil, 404, `no rule "x"`},
		{"GET", "/broken", nil, 500, "a wheel came off"},
		{"GET", "/nothing", nil, 404, "404 Not Found: 404 page not found"},
		{"DELETE", "/status", nil, 405, "405 Method Not Allowed: Method Not Allowed"},
		{"POST", "/echo", strings.Repeat("x", control.MaxBody), 500, "http: request body too large"},
	} {
		err := c.Do(ctx, tt.method, tt.path, tt.body, nil)
		var e *control.Error
		if !errors.As(err, &e) || e.Status != tt.status || e.Message != tt.message {
			t.Errorf("%s %s: %+v", tt.method, tt.path, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := control.Listen(path); !errors.Is(err, control.ErrInUse) {
		t.Errorf("a second daemon: %v", err)
	}
}

// TestNotRunning checks what is said where nobody answers, and that what a dead
// daemon left is replaced.
func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control")
	c := control.NewClient(path)
	if err := c.Do(t.Context(), "GET", "/status", nil, nil); !errors.Is(err, control.ErrNotRunning) || err.Error() != "no hookd answers at "+path {
		t.Errorf("%v", err)
	}
	if _, err := c.Talk(t.Context(), "/console"); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("%v", err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := c.Do(t.Context(), "GET", "/status", nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("%v", err)
	}
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if _, err := control.Listen(filepath.Join(dir, strings.Repeat("x", 200))); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestStream checks lines, their order, what is dropped, and both ways to end.
func TestStream(t *testing.T) {
	begun := make(chan *control.Stream, 1)
	ended := make(chan struct{}, 1)
	c, _ := serve(t, func(s *control.Server) {
		s.HandleStream("GET /trace", func(r *http.Request, st *control.Stream) (func(), error) {
			if r.URL.Query().Get("pattern") == "" {
				return nil, control.Errorf(http.StatusBadRequest, "a pattern is needed")
			}
			begun <- st
			return func() { ended <- struct{}{} }, nil
		})
	})
	var e *control.Error
	if err := c.Lines(t.Context(), "/trace", nil); !errors.As(err, &e) || e.Status != 400 {
		t.Errorf("%v", err)
	}
	go func() {
		st := <-begun
		for i := range 10 {
			st.Send(fmt.Appendf(nil, "line %d", i))
		}
	}()
	n := 0
	err := c.Lines(t.Context(), "/trace?pattern=x", func(line []byte) bool {
		if string(line) != fmt.Sprintf("line %d", n) {
			t.Errorf("%q", line)
		}
		n++
		return n < 10
	})
	if err != nil || n != 10 {
		t.Errorf("%d lines, %v", n, err)
	}
	c.Close() // leaves
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the stream goes on without its client")
	}
}

// TestSlowClient checks that a client that does not read costs lines and nothing
// else.
func TestSlowClient(t *testing.T) {
	const n = 200_000
	sent := make(chan uint64, 1)
	c, _ := serve(t, func(s *control.Server) {
		s.HandleStream("GET /trace", func(_ *http.Request, st *control.Stream) (func(), error) {
			line := []byte(strings.Repeat("x", 100))
			// The client reads nothing before this returns: one that waits for it waits for ever.
			for range n {
				st.Send(line)
			}
			sent <- st.Dropped()
			return func() {}, nil
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines, told := 0, 0
	err := c.Lines(ctx, "/trace", func(line []byte) bool {
		if _, err := fmt.Sscanf(string(line), `{"dropped":%d}`, &told); err == nil {
			return false
		}
		lines++
		return true
	})
	if err != nil || lines != control.MaxLines || told != n-lines || <-sent != uint64(told) {
		t.Errorf("%d lines, %d dropped, %v", lines, told, err)
	}
}

func TestTalk(t *testing.T) {
	c, _ := serve(t, func(s *control.Server) {
		s.HandleTalk("POST /console", func(ctx context.Context, _ *http.Request, conn net.Conn) {
			r := bufio.NewReader(conn)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				fmt.Fprintf(conn, "you said %s", line)
			}
		})
	})
	conn, err := c.Talk(t.Context(), "/console")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i := range 3 {
		fmt.Fprintf(conn, "%d\n", i)
		if got, err := r.ReadString('\n'); err != nil || got != fmt.Sprintf("you said %d\n", i) {
			t.Errorf("%q, %v", got, err)
		}
	}
	var e *control.Error
	if err := c.Do(t.Context(), "POST", "/console", nil, nil); !errors.As(err, &e) || e.Status != http.StatusUpgradeRequired {
		t.Errorf("%v", err)
	}
	if _, err := c.Talk(t.Context(), "/nothing"); !errors.As(err, &e) || e.Status != 404 {
		t.Errorf("%v", err)
	}
	// The server is closed while this conversation is open: see serve.
}

// TestOtherUser checks that another user is refused even where the socket's mode
// would let it in.
func TestOtherUser(t *testing.T) {
	if path := os.Getenv("HOOKD_TEST_SOCKET"); path != "" {
		err := control.NewClient(path).Do(t.Context(), "GET", "/status", nil, nil)
		fmt.Println("answer:", err)
		return
	}
	if os.Geteuid() != 0 {
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatal("needs root to become another user")
		}
		t.Skip("needs root to become another user")
	}
	_, path := serve(t, func(s *control.Server) {
		s.Handle("GET /status", func(*http.Request) (any, error) { return "in", nil })
	})
	for _, open := range []bool{false, true} {
		dir := t.TempDir()
		binary := filepath.Join(dir, "test")
		text, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(binary, text, 0o755), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(filepath.Dir(path), 0o755), os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)); err != nil {
			t.Fatal(err)
		}
		want := "permission denied"
		if open {
			want = "user 65534 may not use this socket"
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(binary, "-test.run=^TestOtherUser$")
		cmd.Env = append(os.Environ(), "HOOKD_TEST_SOCKET="+path)
		testbed.AsNobody(cmd)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("open %v: %v\n%s", open, err, out)
		}
	}
}

// TestManyClients checks that clients beyond the limit wait and are served.
func TestManyClients(t *testing.T) {
	_, path := serve(t, func(s *control.Server) {
		s.Handle("GET /status", func(*http.Request) (any, error) { return 1, nil })
	})
	done := make(chan error)
	const n = 3 * control.MaxConns
	for range n {
		go func() {
			c := control.NewClient(path)
			defer c.Close()
			done <- c.Do(t.Context(), "GET", "/status", nil, nil)
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestCloseWaits checks that what a stream began has ended when Close returns.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control")
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := control.NewServer(nil)
	ended := false
	begun := make(chan struct{})
	s.HandleStream("GET /trace", func(*http.Request, *control.Stream) (func(), error) {
		close(begun)
		return func() {
			time.Sleep(50 * time.Millisecond)
			ended = true
		}, nil
	})
	served, read := make(chan error), make(chan error)
	go func() { served <- s.Serve(l) }()
	c := control.NewClient(path)
	go func() { read <- c.Lines(t.Context(), "/trace", func([]byte) bool { return true }) }()
	<-begun
	if err := s.Close(); err != nil || !ended {
		t.Errorf("closed: %v; the stream ended: %t", err, ended)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	<-read
	c.Close()
}
