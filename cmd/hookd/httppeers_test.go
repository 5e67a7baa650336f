package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// nginx runs one before a server, and returns its URL: /gz compresses what that one says, /up
// passes on what is uploaded, of which /small takes 64 KiB.
func nginx(t *testing.T, behind string) string {
	t.Helper()
	_, err := exec.LookPath("nginx")
	testbed.Need(t, "nginx", err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	conf := `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { }
http {
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {
    listen ` + at + `;
    proxy_http_version 1.1;
    location /gz { gzip on; gzip_types text/plain; gzip_proxied any; gzip_min_length 1; proxy_pass ` + behind + `; }
    location /up { client_max_body_size 0; proxy_request_buffering off; proxy_pass ` + behind + `; }
    location /small { client_max_body_size 64k; proxy_pass ` + behind + `; }
  }
}`
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
			return "http://" + at
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestHTTPThroughNginx asks another program's server, as scripts do: for what it
// compresses as it passes it on, with bodies whose length nobody knows, and with one that it
// refuses.
func TestHTTPThroughNginx(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("so flat ", 20_000)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if strings.HasPrefix(q.URL.Path, "/gz") {
			_, _ = io.WriteString(w, text)
			return
		}
		sum := sha256.New()
		n, err := io.Copy(sum, q.Body)
		fmt.Fprintf(w, "%s %v %d %x %v", q.Method, q.TransferEncoding, n, sum.Sum(nil)[:4], err)
	}))
	defer behind.Close()
	url := nginx(t, behind.URL)
	sum := sha256.Sum256([]byte(strings.Repeat(strings.Repeat("x", 10_000), 100)))
	h := newLoopHouse(t, `
local url, part = "`+url+`", string.rep("x", 10000)
local function upload(path, expect)
  local up = http.upload { url = url .. path, method = "PUT", expect = expect, timeout = "8s" }
  for i = 1, 100 do if not up:write(part) then break end end
  local r, why = up:finish()
  log.info("upload", { path = path, answer = r and r.status .. " " .. r.body:sub(1, 50):gsub("%s+", " "), why = why, sent = up.sent })
end
rule "ask" { on = hookd.start, run = function() spawn(function()
  local r = http.get { url = url .. "/gz" }
  log.info("compressed", { n = #r.body, flat = r.body == string.rep("so flat ", 20000), coding = r.headers["content-encoding"] or "none" })
  local raw = http.get { url = url .. "/gz", headers = { ["accept-encoding"] = "gzip" } }
  log.info("as it is", { less = #raw.body < 2000, coding = raw.headers["content-encoding"] })
  upload("/up", false)
  upload("/up", true)
  upload("/small", false)
  upload("/small", true)
  local again = http.get { url = url .. "/gz" }
  log.info("at last", { n = #again.body })
end) end }
`)
	h.said(`msg="at last"`)
	for _, want := range []string{
		"n=160000 flat=true coding=none", "less=true coding=gzip",
		fmt.Sprintf(`path=/up answer="200 PUT [chunked] 1000000 %x <nil>" sent=1000000`, sum[:4]),
		`path=/small answer="413 <html>`,
	} {
		if !strings.Contains(h.lines.String(), want) {
			t.Errorf("nobody said %s", want)
		}
	}
	if n := strings.Count(h.lines.String(), "path=/up answer=\"200"); n != 2 {
		t.Errorf("%d uploads", n)
	}
	if n := strings.Count(h.lines.String(), "path=/small answer=\"413"); n != 2 {
		t.Errorf("%d uploads were refused", n)
	}
}
