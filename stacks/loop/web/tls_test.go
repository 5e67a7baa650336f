package web

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/loop"
)

// secured is a rig whose listener is at https://, with its certificate in dir.
func secured(t *testing.T, handle func(e any) event.Verdict) (r *rig, dir string) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	pair := srv.TLS.Certificates[0]
	srv.Close()
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r = newRig(t, handle)
	ch, errs := r.g.Prepare([]loop.Listen{{Name: "secure", Dir: dir, Options: []event.KV{
		{Key: "url", Value: "https://127.0.0.1:0"},
		{Key: "tls", Value: []event.KV{{Key: "cert", Value: "cert.pem"}, {Key: "key", Value: "key.pem"}}},
	}}})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ch.Commit()
	r.do(func() {
		conns, _, _ := r.g.Conns(&event.Caller{Shard: r.sh}, []event.KV{{Key: "kind", Value: "listener"}})
		for _, c := range conns.([]any) {
			r.url = "https://" + c.(loopev.Conn).Server().Endpoint().String()
		}
	})
	return r, dir
}

// trusts is the table tls of who believes dir's certificate.
func trusts(dir string) []event.KV {
	return []event.KV{{Key: "ca", Value: filepath.Join(dir, "cert.pem")}}
}

// TestHTTPS is asked by other people's clients and by our own.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	r, dir := secured(t, tell)
	want := `200 GET /x? ""`
	if got, err := r.ask(loop.Ask{Method: "GET", URL: r.url + "/x", TLS: trusts(dir)}); got != want {
		t.Error(got, err)
	}
	for _, q := range []loop.Ask{
		{Method: "GET", URL: r.url + "/x"},
		{Method: "GET", URL: r.url + "/x", TLS: []event.KV{{Key: "what", Value: true}}},
		{Method: "GET", URL: r.url + "/x", TLS: []event.KV{{Key: "ca", Value: "absent.pem"}}},
	} {
		if got, err := r.ask(q); err == nil {
			t.Errorf("%v: %s", q.TLS, got)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	// HTTP/2 is offered, and not taken.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for range 3 {
		res, err := client.Get(r.url + "/x")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if got := fmt.Sprintf("%d %s", res.StatusCode, body); got != want || res.ProtoMajor != 1 {
			t.Errorf("%s %s", res.Proto, got)
		}
	}
	t.Run("curl", func(t *testing.T) {
		out := run(t, "", "curl", "-sS", "--cacert", filepath.Join(dir, "cert.pem"), "-d", "body", r.url+"/x")
		if out != `POST /x? "body"` {
			t.Error(out)
		}
	})
	t.Run("openssl", func(t *testing.T) {
		out := run(t, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "openssl", "s_client", "-quiet", "-ign_eof", "-verify_return_error",
			"-CAfile", filepath.Join(dir, "cert.pem"), "-connect", strings.TrimPrefix(r.url, "https://"))
		if !strings.HasPrefix(out, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(out, `GET /x? ""`) {
			t.Error(out)
		}
	})
}

// run runs a program.
func run(t *testing.T, in string, argv ...string) string {
	t.Helper()
	_, err := exec.LookPath(argv[0])
	testbed.Need(t, argv[0], err)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v %s", argv[0], err, out)
	}
	return string(out)
}

// TestOtherHTTPS asks Go's server, which sends on to another: what is trusted of the one
// is not of the other.
func TestOtherHTTPS(t *testing.T) {
	t.Parallel()
	r, dir := secured(t, tell)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/away" {
			http.Redirect(w, q, r.url+"/x", http.StatusFound)
			return
		}
		fmt.Fprint(w, "from ", q.Proto)
	}))
	defer srv.Close()
	if got, err := r.ask(loop.Ask{Method: "GET", URL: srv.URL, TLS: trusts(dir)}); got != "200 from HTTP/1.1" {
		t.Error(got, err)
	}
	if got, err := r.ask(loop.Ask{Method: "GET", URL: srv.URL + "/away", TLS: trusts(dir), Redirects: 1}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(got, err)
	}
}

// TestSecureSockets has both ends of a WebSocket over TLS.
func TestSecureSockets(t *testing.T) {
	t.Parallel()
	r, dir := secured(t, func(e any) event.Verdict {
		switch e := e.(type) {
		case *loopev.WSOpen:
			if !e.C.TLS() {
				t.Error("it is open without TLS")
			}
			if !e.C.Inbound() {
				_, _ = e.C.WSSend(nil, []byte("hello"), 0, false)
			}
		case *loopev.WSMessage:
			if !e.C.Inbound() {
				_ = e.C.WSClose(nil, 1000, true, "bye")
			}
		}
		return echoes(e)
	})
	r.bind(loopev.OnWSOpen.ID(), loopev.OnWSMessage.ID(), loopev.OnWSClose.ID())
	r.do(func() {
		options := []event.KV{{Key: "tls", Value: trusts(dir)}}
		if _, err := r.g.Dial(&event.Caller{Shard: r.sh}, strings.Replace(r.url, "https", "wss", 1), options); err != nil {
			t.Fatal(err)
		}
	})
	seen := strings.Join(r.logged(6), "\n")
	for _, want := range []string{`S text "hello"`, `C text "hello"`, "S ws_close 1000 bye", "C ws_close 1000"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}
