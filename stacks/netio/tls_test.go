package netio

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTLSPieces echoes over every version and cut of the bytes. It pins what the
// loop relies on in crypto/tls: a temporary error of its reader is not remembered.
func TestTLSPieces(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, piece := range []int{1, 100, 65536} {
				t.Run(fmt.Sprintf("%s/%d", tls.VersionName(version), piece), func(t *testing.T) {
					r := newRig(t, portable)
					ls := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS(func(c *tls.Config) { c.MaxVersion = version })))
					raw, err := net.Dial("tcp", chop(t, ls.Addr().String(), piece))
					if err != nil {
						t.Fatal(err)
					}
					_ = raw.SetDeadline(time.Now().Add(time.Minute))
					c := tls.Client(raw, clientTLS())
					size := 80_005
					if piece == 1 {
						size = 20_005
					}
					msg := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
					go func() {
						_, _ = c.Write(msg)
						_ = c.CloseWrite()
					}()
					got, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(got, msg) {
						t.Errorf("%d of %d bytes came back, %v", len(got), size, err)
					}
					if v := c.ConnectionState().Version; v != version {
						t.Errorf("version %s", tls.VersionName(v))
					}
					_ = c.Close()
				})
			}
		}
	})
}

// TestTLSOrder has both ends in one loop and looks at what handlers are told.
func TestTLSOrder(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		var server tls.ConnectionState
		client := testPKI().issue("client.test")
		srv := &hooks{name: "S ", log: &log, accept: func(c *Conn) Verdict {
			server, _ = c.TLS()
			return Accept
		}, recv: echo}
		ls := r.listen(srv, Options{}, withTLS(serverTLS(func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.NextProtos = tls.RequireAndVerifyClientCert, testPKI().pool, []string{"echo"}
		})))
		cli := &hooks{name: "C ", log: &log, recv: func(c *Conn, _ int) {
			if state, ok := c.TLS(); !ok || state.NegotiatedProtocol != "echo" || state.PeerCertificates[0].Subject.CommonName != "server.test" {
				t.Errorf("client sees %v %q", ok, state.NegotiatedProtocol)
			}
			c.Close()
		}}
		r.do(func() {
			c, err := r.l.Dial(DialConfig{Network: "tcp", Address: ls.Addr().String(), TLS: clientTLS(func(c *tls.Config) {
				c.Certificates, c.NextProtos = []tls.Certificate{client}, []string{"other", "echo"}
			})}, cli)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Send([]byte("hello")) // before it is connected
			if _, ok := c.TLS(); ok || c.Open() {
				t.Error("connected at once")
			}
		})
		r.logged(&log, "S close")
		r.logged(&log, "C close")
		got := r.logged(&log, "S close") // whichever was later
		var s, c []string
		for _, line := range got {
			if rest, ok := strings.CutPrefix(line, "S "); ok {
				s = append(s, rest)
			} else if line != "C eof" { // the other end can be as fast
				c = append(c, line[2:])
			}
		}
		wantS := []string{"accept", "recv 5", "send 5", "eof", "close eof"}
		if d := cmp.Diff(wantS, written(portable, wantS, s)); d != "" {
			t.Error("server", d)
		}
		wantC := []string{"connect <nil>", "send 5", "recv 5", "close local"}
		if d := cmp.Diff(wantC, written(portable, wantC, c)); d != "" {
			t.Error("client", d)
		}
		if server.ServerName != "server.test" || server.NegotiatedProtocol != "echo" || server.PeerCertificates[0].Subject.CommonName != "client.test" {
			t.Errorf("server sees %q %q", server.ServerName, server.NegotiatedProtocol)
		}
	})
}

// TestTLSHalfClose is TestEchoHalfClose with TLS.
func TestTLSHalfClose(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		size := int64(64 << 20)
		if testing.Short() {
			size = 16 << 20
		}
		r := newRig(t, portable)
		var log []string
		h := &hooks{recv: echo, closed: func(_ *Conn, why Reason) { log = append(log, "close "+why.String()) }}
		c := r.tlsPeer(r.listen(h, Options{}, withTLS(serverTLS())), clientTLS())
		source := rand.NewChaCha8([32]byte{1})
		sent, got := sha256.New(), sha256.New()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := io.CopyN(io.MultiWriter(c, sent), source, size); err != nil {
				t.Error(err)
			}
			_ = c.CloseWrite()
		})
		time.Sleep(50 * time.Millisecond)
		n, err := io.Copy(got, c)
		wg.Wait()
		if n != size || err != nil || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
			t.Errorf("%d of %d bytes came back, %v", n, size, err)
		}
		if got := r.logged(&log, "close"); got[0] != "close eof" {
			t.Error(got)
		}
	})
}

// TestTLSUnreadPeer is TestUnreadPeer with TLS.
func TestTLSUnreadPeer(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		full := 0
		h := &hooks{recv: echo, full: func(_ *Conn, s Side) {
			if s == SendSide {
				full++
			}
		}}
		c := r.tlsPeer(r.listen(h, Options{}, withTLS(serverTLS())), clientTLS())
		took := stuff(r, c, func() bool { return full > 0 })
		if took >= 20<<20 { // the kernel's buffers among it
			t.Errorf("%d MiB taken", took>>20)
		}
		r.do(func() {
			if full == 0 || r.l.queued > 1<<20+turnRead+2*tlsBatch {
				t.Errorf("full told %d times, %d bytes queued", full, r.l.queued)
			}
		})
		t.Logf("%d KiB taken", took>>10)
	})
}

// TestTLSPartialWrites sends through small buffers to a slow reader, then closes.
func TestTLSPartialWrites(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		msg := make([]byte, 3<<20)
		rnd := rand.NewChaCha8([32]byte{2})
		_, _ = rnd.Read(msg)
		var sent, closed int
		h := &hooks{accept: func(c *Conn) Verdict {
			for p := msg; len(p) > 0; p = p[min(len(p), 10_007):] {
				_ = c.Send(p[:min(len(p), 10_007)])
			}
			c.Close()
			return Accept
		}, send: func(_ *Conn, n int) { sent += n }, closed: func(*Conn, Reason) { closed++ }}
		ls := r.listen(h, Options{SendBuffer: 4 << 10, SendHigh: 8 << 20}, withTLS(serverTLS()))
		c := r.tlsPeer(ls, clientTLS())
		got, err := io.ReadAll(io.MultiReader(io.LimitReader(c, 5000), c))
		if err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%d of %d bytes, %v", len(got), len(msg), err)
		}
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = closed == 1 }); return ok }, "closed")
		if sent != len(msg) {
			t.Errorf("told of %d of %d bytes", sent, len(msg))
		}
	})
}

// TestTLSPaused consumes byte by byte under a small bound: what is decrypted and
// not told is told without the socket becoming ready.
func TestTLSPaused(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var got []byte
		h := &hooks{full: func(c *Conn, _ Side) {
			got = append(got, c.Bytes()...)
			c.Pause()
			c.Discard(c.Len())
			id := c.ID()
			r.l.Post(func() {
				if c := r.l.Conn(id); c != nil {
					c.Resume()
				}
			})
		}, closed: func(c *Conn, _ Reason) { got = append(got, c.Bytes()...) }}
		var log []string
		h.log = &log
		c := r.tlsPeer(r.listen(h, Options{RecvLimit: 7}, withTLS(serverTLS())), clientTLS())
		msg := strings.Repeat("hello world ", 200)
		write(t, c, msg)
		_ = c.Close()
		if last := slices.Concat(r.logged(&log, "close")); last[len(last)-1] != "close eof" || string(got) != msg {
			t.Errorf("%d of %d bytes, %q", len(got), len(msg), last[len(last)-1])
		}
	})
}

// TestTLSReload replaces a certificate while a connection is open.
func TestTLSReload(t *testing.T) {
	r := newRig(t, false)
	ls := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS()))
	old := r.tlsPeer(ls, clientTLS())
	if !ls.Socket().SetTLS(serverTLS(func(c *tls.Config) { c.Certificates[0] = testPKI().issue("other.test") })) {
		t.Fatal("not taken")
	}
	if ls.Socket().SetTLS(nil) {
		t.Error("TLS taken away from an open socket")
	}
	fresh := r.tlsPeer(ls, clientTLS(func(c *tls.Config) { c.ServerName = "other.test" }))
	for _, c := range []*tls.Conn{old, fresh} {
		write(t, c, "hello")
		if read(t, c, 5) != "hello" {
			t.Error("no echo")
		}
	}
	plain := r.listen(&hooks{}, Options{})
	if plain.Socket().SetTLS(serverTLS()) {
		t.Error("TLS given to a plain socket")
	}
}

// TestTLSResume has sessions go on, at either end.
func TestTLSResume(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := newRig(t, false)
		ls := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS()))
		cfg := clientTLS(func(c *tls.Config) { c.ClientSessionCache, c.MaxVersion = tls.NewLRUClientSessionCache(4), version })
		for i := range 2 {
			c := r.tlsPeer(ls, cfg)
			write(t, c, "hello")
			read(t, c, 5)
			if got := c.ConnectionState().DidResume; got != (i == 1) {
				t.Errorf("%s: connection %d resumed: %v", tls.VersionName(version), i, got)
			}
			_ = c.Close()
		}
		done := make(chan bool, 1)
		for range 2 {
			h := &hooks{recv: func(c *Conn, _ int) { c.Close() }, closed: func(c *Conn, _ Reason) {
				state, _ := c.TLS()
				done <- state.DidResume
			}}
			r.do(func() {
				c, err := r.l.Dial(DialConfig{Network: "tcp", Address: ls.Addr().String(), TLS: cfg}, h)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Send([]byte("hello"))
			})
			if !<-done {
				t.Errorf("%s: not resumed", tls.VersionName(version))
			}
		}
		if s := r.handshakes(); s.Resumed != 5 || s.Done != 6 || s.Failed() != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTLSFailures counts handshakes that fail; handlers of servers are told nothing,
// those of clients why.
func TestTLSFailures(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		modern := withTLS(serverTLS(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }))
		ls := r.listen(&hooks{log: &log}, Options{Handshake: time.Minute}, modern)
		hasty := r.listen(&hooks{log: &log}, Options{Handshake: 200 * time.Millisecond}, modern)
		r.do(func() {
			ls.Failed = func(from netip.AddrPort, why Reason) {
				if !from.IsValid() {
					t.Error("from nowhere")
				}
				log = append(log, "failed "+why.String())
			}
			hasty.Failed = ls.Failed
		})
		expect := func(what string) {
			t.Helper()
			got := r.logged(&log, "failed")
			if len(got) != 1 || got[0] != "failed "+what {
				t.Errorf("told %q, want %s", got, what)
			}
			r.do(func() { log = nil })
		}
		c := r.peer(ls)
		write(t, c, "GET / HTTP/1.0\r\n\r\n")
		if got, err := io.ReadAll(c); len(got) != 0 || err != nil {
			t.Errorf("one who speaks HTTP reads %q, %v", got, err)
		}
		expect("handshake:not_tls")
		_ = r.peer(ls).Close()
		expect("handshake:left")
		r.peer(hasty)
		expect("timeout:handshake")
		c = r.peer(hasty)
		write(t, c, "\x16\x03\x01\x02\x00\x01")
		expect("timeout:handshake")
		// The alert reaches those who can read it.
		if err := tls.Client(r.peer(ls), clientTLS(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })).Handshake(); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Error(err)
		}
		expect("handshake:protocol")
		if err := tls.Client(r.peer(ls), &tls.Config{ServerName: "server.test"}).Handshake(); err == nil {
			t.Error("an unknown authority was trusted")
		}
		expect("handshake:alert")
		if s := r.handshakes(); s != (HandshakeStats{Timeout: 2, NotTLS: 1, Left: 1, Alert: 1, Other: 1}) {
			t.Errorf("%+v", s)
		}
	})
}

// TestTLSDialFailures tells clients why there is no connection.
func TestTLSDialFailures(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		secure := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS()))
		talker := r.listen(&hooks{accept: func(c *Conn) Verdict { _ = c.Send([]byte("220 ready\r\n")); return Accept }}, Options{})
		silent := r.listen(&hooks{}, Options{})
		closer := r.listen(&hooks{accept: func(*Conn) Verdict { return Reject }}, Options{})
		for _, c := range []struct {
			to   *Listener
			cfg  *tls.Config
			want string
		}{
			{secure, &tls.Config{}, "handshake:certificate"},
			{secure, clientTLS(func(c *tls.Config) { c.ServerName = "wrong.test" }), "handshake:certificate"},
			{secure, clientTLS(func(c *tls.Config) { c.MaxVersion, c.MinVersion = tls.VersionTLS11, tls.VersionTLS10 }), "handshake:alert"},
			{secure, clientTLS(func(c *tls.Config) { c.ServerName = "" }), "<nil>"}, // the address is in the certificate
			{talker, clientTLS(), "handshake:not_tls"},
			{silent, clientTLS(), "timeout:handshake"},
			{closer, clientTLS(), "handshake:left"},
		} {
			var log []string
			h := &hooks{log: &log, connect: func(c *Conn, err error) {
				if err == nil {
					c.Close()
				} else if why := (Reason{}); !errors.As(err, &why) {
					t.Error(err)
				}
			}}
			r.do(func() {
				opt := Options{Handshake: time.Minute}
				if c.to == silent {
					opt.Handshake = 100 * time.Millisecond
				}
				if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: c.to.Addr().String(), TLS: c.cfg, Options: opt}, h); err != nil {
					t.Fatal(err)
				}
			})
			closing := c.want
			if closing == "<nil>" {
				closing = "local"
			}
			got := slices.DeleteFunc(r.logged(&log, "close"), func(s string) bool { return s == "eof" })
			if d := cmp.Diff([]string{"connect " + c.want, "close " + closing}, got); d != "" {
				t.Error(c.want, d)
			}
		}
	})
}

// TestTLSEnds looks at how connections end.
func TestTLSEnds(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		var log []string
		h := &hooks{log: &log, recv: func(c *Conn, _ int) {
			if what := string(c.Bytes()); what == "close" {
				_ = c.Send([]byte("bye"))
				c.Close()
			} else if what == "shut" {
				c.Shutdown()
			}
			c.Discard(c.Len())
		}}
		ls := r.listen(h, Options{}, withTLS(serverTLS()))
		// What was sent last comes, then close_notify.
		c := r.tlsPeer(ls, clientTLS())
		write(t, c, "close")
		if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
			t.Errorf("%q %v", got, err)
		}
		r.logged(&log, "close local")
		// Half a stream each way.
		r.do(func() { log = nil })
		c = r.tlsPeer(ls, clientTLS())
		write(t, c, "shut")
		if got, err := io.ReadAll(c); len(got) != 0 || err != nil {
			t.Errorf("%q %v", got, err)
		}
		write(t, c, "still heard")
		r.logged(&log, "recv 11")
		_ = c.CloseWrite()
		r.logged(&log, "close eof")
		// Cut in the middle of a record, after a whole one.
		r.do(func() { log = nil })
		raw := r.peer(ls)
		cut := &cutter{Conn: raw}
		c = tls.Client(cut, clientTLS())
		write(t, c, "whole")
		r.logged(&log, "recv 5")
		cut.on = true
		write(t, c, "half a record")
		_ = raw.CloseWrite()
		if got := r.logged(&log, "close"); got[len(got)-1] != "close reset:truncated" {
			t.Error(got)
		}
		// Junk instead of a record.
		r.do(func() { log = nil })
		raw = r.peer(ls)
		c = tls.Client(raw, clientTLS())
		write(t, c, "whole")
		r.logged(&log, "recv 5")
		write(t, raw, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))
		if got := r.logged(&log, "close"); got[len(got)-1] != "close failed:tls" {
			t.Error(got)
		}
	})
}

// cutter writes half of what it is given, once it is on.
type cutter struct {
	net.Conn
	on bool
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.on {
		_, err := c.Conn.Write(p[:len(p)/2])
		return len(p), err
	}
	return c.Conn.Write(p)
}
