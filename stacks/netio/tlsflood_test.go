package netio

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hello records the first flight of a client.
func hello(t *testing.T) []byte {
	t.Helper()
	a, b := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { _ = tls.Client(a, clientTLS()).Handshake() })
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = b.Close(), a.Close()
	wg.Wait()
	return buf[:n]
}

// TestTLSFlood has 1,000 handshakes begin and not go on: some silent, some with half
// a hello, some with a whole one and no answer. Others are served meanwhile, goroutines
// are bounded, and all of them are gone at the deadline.
func TestTLSFlood(t *testing.T) {
	flood := 1000
	if testing.Short() {
		flood = 300
	}
	r := newRig(t, false, func(c *Config) { c.Handshakes = 64 })
	ls := r.listen(&hooks{recv: echo}, Options{Handshake: 4 * time.Second}, withTLS(serverTLS()))
	first := hello(t)
	idle := runtime.NumGoroutine()
	for i := range flood {
		c := r.peer(ls)
		switch i % 3 {
		case 1:
			_, _ = c.Write(first[:len(first)/2])
		case 2:
			_, _ = c.Write(first)
		}
	}
	within(t, time.Minute, func() bool { return r.handshakes().Evicted >= uint64(flood/3-64) }, "the oldest are given up")
	within(t, time.Minute, func() bool { return runtime.NumGoroutine() <= idle+64+8 }, "goroutines are bounded")
	var worst time.Duration
	for range 30 {
		began := time.Now()
		c := r.tlsPeer(ls, clientTLS())
		write(t, c, "hello")
		read(t, c, 5)
		worst = max(worst, time.Since(began))
		_ = c.Close()
	}
	t.Logf("the slowest of 30 honest clients took %v", worst)
	if worst > 3*time.Second { // less than the others may take
		t.Errorf("an honest client took %v", worst)
	}
	within(t, time.Minute, func() bool { return r.handshakes().Failed() == uint64(flood) }, "all are gone")
	r.do(func() {
		if s := r.l.Stats().Handshakes; s.Done != 30 || s.Timeout == 0 || len(r.l.shaking) > 64+2*65 {
			t.Errorf("%+v, %d remembered", s, len(r.l.shaking))
		}
	})
}

// TestTLSDrain ends a loop in the middle of handshakes.
func TestTLSDrain(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		ls := r.listen(&hooks{}, Options{}, withTLS(serverTLS()))
		first := hello(t)
		for range 8 {
			write(t, r.peer(ls), string(first))
			r.peer(ls)
		}
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = r.l.shakers == 8 && r.l.open == 16 }); return ok }, "they are under way")
		r.do(func() { r.l.Drain(5 * time.Second) })
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = r.l.ended.Load() }); return ok }, "the loop ends")
		r.stop()
	})
}

// TestTLSClients has clients by others.
func TestTLSClients(t *testing.T) {
	r := newRig(t, false)
	h := &hooks{recv: func(c *Conn, _ int) {
		if strings.Contains(string(c.Bytes()), "\r\n\r\n") || strings.HasPrefix(string(c.Bytes()), "Q") {
			_ = c.Send([]byte("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"))
			c.Close()
		}
	}}
	ls := r.listen(h, Options{}, withTLS(serverTLS()))
	for _, args := range [][]string{
		{"curl", "-sSk", "--tlsv1.2", "--tls-max", "1.2", "https://" + ls.Addr().String()},
		{"curl", "-sSk", "--tlsv1.3", "https://" + ls.Addr().String()},
		{"openssl", "s_client", "-quiet", "-connect", ls.Addr().String(), "-servername", "server.test", "-tls1_2"},
		{"openssl", "s_client", "-quiet", "-connect", ls.Addr().String(), "-servername", "server.test", "-tls1_3"},
		{"openssl", "s_client", "-quiet", "-connect", ls.Addr().String(), "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "-groups", "P-384"},
	} {
		if _, err := exec.LookPath(args[0]); err != nil {
			if os.Getenv("HOOKD_CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader("Q\r\n\r\n")
		cmd.WaitDelay = 5 * time.Second
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "hello\n") {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	if s := r.handshakes(); s.Failed() != 0 || s.Done != 5 {
		t.Errorf("%+v", s)
	}
}
