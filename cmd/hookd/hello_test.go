package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestHelloAsks has a rule ask a web server, the resolver and the clock about a client's
// name before its TLS handshake goes on, while others come in.
func TestHelloAsks(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan string, 2), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked <- q.URL.Path
		<-goOn
		if q.URL.Path == "/no.example" {
			http.Error(w, "no", http.StatusForbidden)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	writeCertificate(t, dir)
	h := newLoopHouse(t, fmt.Sprintf(`
local pair = { cert = %q, key = %q }
loop.listen "web" { url = "tls://127.0.0.1:0", tls = { cert = pair.cert, key = pair.key, certs = { ["known"] = pair } } }
rule "ask" { on = loop.tls_hello, when = function(l, name) return name ~= "fast.example" end, run = function(l, name)
  sleep "5ms"
  local at = dns.lookup "127.0.0.1"
  local r = http.get { url = %q .. "/" .. name, timeout = "5s" }
  if not at or not r or r.status ~= 200 then return loop.refuse end
  return loop.certificate "known"
end }
rule "hello" { on = loop.accept, run = function(c) c:send("hello " .. c.sni .. "\n") c:close() end }
`, dir+"/cert.pem", dir+"/key.pem", srv.URL))
	greet := func(name string) string {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 8 * time.Second}, "tcp", h.at("web"), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	got := make(chan string, 2)
	for _, name := range []string{"yes.example", "no.example"} {
		go func() { got <- name + ": " + greet(name) }()
		<-asked
	}
	if text := greet("fast.example"); text != "hello fast.example\n" {
		t.Errorf("meanwhile: %s", text)
	}
	close(goOn)
	for range 2 {
		if text := <-got; text != "yes.example: hello yes.example\n" && text != "no.example: remote error: tls: unrecognized name" {
			t.Error(text)
		}
	}
}
