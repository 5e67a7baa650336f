package socks

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules decide: port 1 and host "no" are not for anybody.
type rules struct{ asked []string }

func (r *rules) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	q, ok := e.(*loopev.SocksRequest)
	if !ok {
		return event.Verdict{}
	}
	r.asked = append(r.asked, q.User+":"+q.Password+"@"+q.Host)
	if q.Host == "no" || q.User == "eve" {
		return event.Verdict{Kind: loopev.VerdictRefuse}
	}
	return event.Verdict{Kind: loopev.VerdictAccept}
}

func (r *rules) Await(sh *event.Shard, id event.PointID, e any, then func(event.Verdict, error)) {
	then(r.Dispatch(sh, id, e), nil)
}

func (r *rules) CancelWaits(*event.Shard, event.Kept) {}

// serve runs a server and returns where, without login and with.
func serve(t *testing.T) (r *rules, open, login string) {
	t.Helper()
	g, err := loop.New(loop.Config{Protocols: []loop.Protocol{New()}})
	if err != nil {
		t.Fatal(err)
	}
	set := event.NewShards(1, event.Together, 0)
	if err := g.Start(set); err != nil {
		t.Fatal(err)
	}
	r = &rules{}
	sh := set.At(0)
	sh.Enter()
	sh.Bind(r, func(id event.PointID) bool { return id == loopev.OnSocksRequest.ID() })
	sh.Leave()
	url := event.KV{Key: "url", Value: "socks5://127.0.0.1:0"}
	change, errs := g.Prepare([]loop.Listen{
		{Name: "open", Options: []event.KV{url}}, {Name: "login", Options: []event.KV{url, {Key: "login", Value: true}}},
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	change.Commit()
	sh.Enter()
	list, _, _ := g.Conns(&event.Caller{Shard: sh}, []event.KV{{Key: "kind", Value: "listener"}})
	for _, c := range list.([]any) {
		at := c.(*loop.Conn).Server().Endpoint().String()
		if name, _ := c.(*loop.Conn).Listener(); name == "open" {
			open = at
		} else {
			login = at
		}
	}
	sh.Leave()
	ctx, cancel := context.WithCancel(context.Background())
	var live sync.WaitGroup
	live.Go(func() { _ = g.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		live.Wait()
	})
	return r, open, login
}

// target answers every connection with a page.
func target(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var live sync.WaitGroup
	live.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nhello\n")
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		live.Wait()
	})
	return ln.Addr().String()
}

// TestCurl asks through the server as others do.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r, open, login := serve(t)
	at := target(t)
	port := at[strings.LastIndex(at, ":")+1:]
	for _, c := range []struct{ proxy, url, want string }{
		{"socks5://" + open, "http://" + at, "hello"},
		{"socks5h://" + open, "http://localhost:" + port, "hello"},
		{"socks5h://bob:pw@" + login, "http://localhost:" + port, "hello"},
		{"socks5h://eve:pw@" + login, "http://localhost:" + port, "(2)"},
		{"socks5h://" + login, "http://localhost:" + port, "curl"},
		{"socks5h://" + open, "http://no:80", "(2)"},
		{"socks5h://" + open, "http://127.0.0.1:1", "(5)"},
		{"socks5h://" + open, "http://nothing.invalid", "(4)"},
	} {
		out, _ := exec.Command(curl, "-sS", "-m", "8", "-x", c.proxy, c.url).CombinedOutput()
		if !strings.Contains(string(out), c.want) {
			t.Errorf("%s %s: %s", c.proxy, c.url, out)
		}
	}
	if len(r.asked) != 7 || r.asked[2] != "bob:pw@localhost" {
		t.Error(r.asked)
	}
}

// TestBytes sends what is wrong, and bytes behind the request.
func TestBytes(t *testing.T) {
	t.Parallel()
	_, open, login := serve(t)
	to := netip.MustParseAddrPort(target(t))
	request := "\x05\x01\x00\x01\x7f\x00\x00\x01" + string([]byte{byte(to.Port() >> 8), byte(to.Port())})
	for _, c := range []struct{ at, in, want string }{
		{open, "GET / HTTP/1.0\r\n\r\n", ""},
		{open, "\x05\x01\x02", "\x05\xff"},
		{login, "\x05\x01\x00", "\x05\xff"},
		{login, "\x05\x01\x02\x07", "\x05\x02"},
		{open, "\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"},
		{open, "\x05\x01\x00\x05\x01\x00\x09\x7f\x00\x00\x01\x00\x50", "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00"},
		{open, "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"},
		{open, "\x05\x01\x00" + request + "early", "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01??HTTP/1.0 200 OK\r\n\r\nhello\n"},
	} {
		conn, err := net.Dial("tcp", c.at)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, c.in); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(conn)
		if i := strings.Index(c.want, "??"); i >= 0 && len(got) > i+2 {
			copy(got[i:], "??")
		}
		if string(got) != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
		_ = conn.Close()
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := New().Options([]event.KV{{Key: "what", Value: true}}, true); err == nil {
		t.Error("an unknown key was taken")
	}
	if _, err := New().Options(nil, false); err == nil {
		t.Error("dialled")
	}
}
