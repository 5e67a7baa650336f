package netio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOrder is what a server's handler is told, in order, for what a peer does.
func TestOrder(t *testing.T) {
	consume := func(c *Conn, _ int) { c.Discard(c.Len()) }
	rows := []struct {
		name string
		h    hooks
		opt  Options
		peer func(t *testing.T, c *net.TCPConn, told func(line string)) // told waits for a line
		last string
		want []string
	}{
		{
			name: "echo, then the peer closes",
			h:    hooks{recv: echo},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "hello")
				if got := read(t, c, 5); got != "hello" {
					t.Errorf("echoed %q", got)
				}
				told("send 5") // the peer has the bytes before the loop knows
				_ = c.Close()
			},
			want: []string{"accept", "recv 5", "send 5", "eof", "close eof"},
		},
		{
			name: "what is not consumed stays, also at the close",
			h: hooks{closed: func(c *Conn, _ Reason) {
				if got := string(c.Bytes()); got != "helloyou" {
					panic("left at close: " + got)
				}
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "hello")
				told("recv 5")
				write(t, c, "you")
				_ = c.Close()
			},
			want: []string{"accept", "recv 5", "recv 3", "eof", "close eof"},
		},
		{
			name: "half close: the answer comes after the end",
			h: hooks{recv: consume, eof: func(c *Conn) bool {
				_ = c.Send([]byte("late"))
				c.Shutdown()
				return true
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				_ = c.CloseWrite()
				if got, _ := io.ReadAll(c); string(got) != "late" {
					t.Errorf("got %q", got)
				}
			},
			want: []string{"accept", "recv 1", "eof", "send 4", "close eof"},
		},
		{
			name: "reset by the peer: what it sent comes first",
			h:    hooks{recv: consume},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				told("recv 1")
				_ = c.SetLinger(0)
				_ = c.Close()
			},
			want: []string{"accept", "recv 1", "close reset"},
		},
		{
			name: "close flushes, and what comes meanwhile is told",
			h: hooks{recv: func(c *Conn, _ int) {
				c.Discard(c.Len())
				_ = c.Send([]byte("bye"))
				c.Close()
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			},
			want: []string{"accept", "recv 1", "send 3", "close local"},
		},
		{
			name: "abort in recv: nothing more",
			h: hooks{recv: func(c *Conn, _ int) {
				_ = c.Send([]byte("never"))
				c.Abort(Reason{Why: Limit, What: "mine"})
				if err := c.Send([]byte("x")); !errors.Is(err, ErrClosed) {
					panic(err)
				}
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				if got, _ := io.ReadAll(c); len(got) != 0 {
					t.Errorf("got %q", got)
				}
			},
			want: []string{"accept", "recv 1", "close limit:mine"},
		},
		{
			name: "reject with a banner",
			h: hooks{accept: func(c *Conn) Verdict {
				_ = c.Send([]byte("no"))
				return Reject
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				if got, _ := io.ReadAll(c); string(got) != "no" {
					t.Errorf("got %q", got)
				}
			},
			want: []string{"accept", "send 2", "close rejected"},
		},
		{
			name: "reject by reset",
			h:    hooks{accept: func(*Conn) Verdict { return RejectReset }},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				if c == nil {
					return // reset before the peer knew that it was connected
				}
				if _, err := io.ReadAll(c); reasonOf(err).Why != Reset {
					t.Errorf("got %v", err)
				}
			},
			want: []string{"accept", "close rejected"},
		},
		{
			name: "hold runs out",
			h:    hooks{accept: func(*Conn) Verdict { return Hold }},
			opt:  Options{Hold: 30 * time.Millisecond},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "unread")
				_, _ = io.ReadAll(c)
			},
			want: []string{"accept", "close timeout:hold"},
		},
		{
			name: "idle",
			h:    hooks{recv: echo},
			opt:  Options{Idle: 400 * time.Millisecond},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				_, _ = io.ReadAll(c)
			},
			want: []string{"accept", "recv 1", "send 1", "close timeout:idle"},
		},
		{
			name: "a deadline is not moved by bytes",
			h: hooks{accept: func(c *Conn) Verdict {
				c.Deadline("header", 400*time.Millisecond)
				return Accept
			}},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "x")
				_, _ = io.ReadAll(c)
			},
			want: []string{"accept", "recv 1", "close timeout:header"},
		},
		{
			name: "unconsumed at the limit: a leaving peer is noticed",
			opt:  Options{RecvLimit: 3, Linger: 50 * time.Millisecond},
			peer: func(t *testing.T, c *net.TCPConn, told func(string)) {
				write(t, c, "sixsix")
				_ = c.Close()
			},
			want: []string{"accept", "recv 3", "full recv", "eof", "close eof"},
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			both(t, func(t *testing.T, portable bool) {
				r := newRig(t, portable)
				var log []string
				h := row.h
				h.log = &log
				ls := r.listen(&h, row.opt)
				row.peer(t, r.peer(ls), func(line string) { r.logged(&log, line) })
				got := written(portable, row.want, r.logged(&log, "close"))
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// written puts the lines that a write is done where want has them, if they came
// later, as they can in a portable loop: another goroutine writes, and the peer may
// have answered or left before the loop hears of it. None comes after the close.
func written(portable bool, want, got []string) []string {
	if !portable || len(got) != len(want) {
		return got
	}
	got = slices.Clone(got)
	for i, line := range want {
		if !strings.HasPrefix(line, "send ") {
			continue
		}
		if at := slices.Index(got[i:len(got)-1], line); at > 0 {
			got = slices.Insert(slices.Delete(got, i+at, i+at+1), i, line)
		}
	}
	return got
}

// TestDialOrder is what a client's handler is told.
func TestDialOrder(t *testing.T) {
	free := func() string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		return ln.Addr().String()
	}
	lookup := func(ctx context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "both.test": // nobody listens at the first
			return []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("127.0.0.1")}, nil
		case "slow.test":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	rows := []struct {
		name    string
		address func(server string) string
		opt     Options
		want    []string
	}{
		{"echo", func(s string) string { return s }, Options{}, []string{"connect <nil>", "send 5", "recv 5", "close local"}},
		{"refused", func(string) string { return free() }, Options{}, []string{"connect refused", "close refused"}},
		{"no such name", func(string) string { return "none.test:80" }, Options{}, []string{"connect resolve", "close resolve"}},
		{"the resolver is slow", func(string) string { return "slow.test:80" }, Options{Connect: 50 * time.Millisecond}, []string{"connect timeout:connect", "close timeout:connect"}},
		{"the second address answers", func(s string) string {
			_, port, _ := net.SplitHostPort(s)
			return "both.test:" + port
		}, Options{}, []string{"connect <nil>", "send 5", "recv 5", "close local"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			both(t, func(t *testing.T, portable bool) {
				r := newRig(t, portable, func(c *Config) { c.Lookup = lookup })
				server := r.listen(&hooks{recv: echo}, Options{})
				var log []string
				h := &hooks{log: &log, recv: func(c *Conn, _ int) {
					c.Discard(c.Len())
					c.Close()
				}}
				r.do(func() {
					c, err := r.l.Dial(DialConfig{Network: "tcp", Address: row.address(server.Addr().String()), Options: row.opt}, h)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.Send([]byte("hello")); err != nil { // kept until it is up
						t.Error(err)
					}
					if len(log) != 0 {
						t.Error("told from inside the call")
					}
				})
				got := written(portable, row.want, r.logged(&log, "close"))
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestDialArguments(t *testing.T) {
	r := newRig(t, false)
	for _, cfg := range []DialConfig{
		{Network: "udp", Address: "127.0.0.1:1"},
		{Network: "tcp", Address: "127.0.0.1"},
		{Network: "tcp", Address: "127.0.0.1:0"},
		{Network: "tcp", Address: "127.0.0.1:65536"},
		{Network: "tcp", Address: ":80"},
		{Network: "tcp6", Address: "127.0.0.1:80"},
		{Network: "tcp4", Address: "[::1]:80"},
	} {
		r.do(func() {
			if _, err := r.l.Dial(cfg, &hooks{}); err == nil {
				t.Errorf("%+v: no error", cfg)
			}
		})
	}
}

// TestUnixAndIPv6 serves over what is not IPv4.
func TestUnixAndIPv6(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		for _, row := range []struct{ network, address string }{
			{"unix", filepath.Join(t.TempDir(), "s")},
			{"tcp", "[::1]:0"},
			{"tcp6", "[::1]:0"},
			{"tcp", ":0"},
		} {
			r := newRig(t, portable)
			ls := r.listen(&hooks{recv: echo}, Options{}, func(c *SocketConfig) { c.Network, c.Address = row.network, row.address })
			address := row.address
			if row.network != "unix" {
				address = ls.Addr().String()
				if row.address == ":0" {
					_, port, _ := net.SplitHostPort(address)
					address = "127.0.0.1:" + port
				}
			}
			var log []string
			h := &hooks{log: &log, recv: func(c *Conn, _ int) { c.Close() }}
			r.do(func() {
				c, err := r.l.Dial(DialConfig{Network: row.network, Address: address}, h)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Send([]byte("hello"))
			})
			got := r.logged(&log, "close")
			slices.Sort(got[1:3])
			if diff := cmp.Diff([]string{"connect <nil>", "recv 5", "send 5", "close local"}, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", row.network, row.address, diff)
			}
			r.stop()
		}
	})
}
