package web

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

func file(root, path string) event.Verdict {
	return event.Verdict{Kind: loopev.VerdictFile, Args: &loopev.FileArgs{Root: root, Path: path, Headers: []event.KV{{Key: "Cache-Control", Value: "no-store"}}}}
}

// TestFiles serves a folder to net/http's client.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "public")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	for name, text := range map[string][]byte{
		"public/index.html": []byte("<p>home"), "public/sub/index.html": []byte("<p>sub"), "public/a b.txt": []byte("0123456789"),
		"public/big.bin": big, "public/.secret": []byte("no"), "secret.txt": []byte("no"), "public/empty": nil,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.txt", filepath.Join(root, "link.txt")); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(e any) event.Verdict {
		if _, ok := e.(*loopev.HTTPRequest); ok {
			return file(root, "")
		}
		return event.Verdict{}
	})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := func(method, path string, fields ...string) (*http.Response, string) {
		t.Helper()
		q, err := http.NewRequest(method, r.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.URL.Opaque = path // as it is
		for i := 0; i < len(fields); i += 2 {
			q.Header.Set(fields[i], fields[i+1])
		}
		res, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body, kind   string
	}{
		{"GET", "/", 200, "<p>home", "text/html; charset=utf-8"},
		{"GET", "/sub/", 200, "<p>sub", "text/html; charset=utf-8"},
		{"GET", "/a%20b.txt", 200, "0123456789", "text/plain; charset=utf-8"},
		{"HEAD", "/a%20b.txt", 200, "", "text/plain; charset=utf-8"},
		{"GET", "/empty", 200, "", "text/plain; charset=utf-8"},
		{"GET", "/nothing", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/../secret.txt", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/%2e%2e/secret.txt", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/..%2fsecret.txt", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/link.txt", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/.secret", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/a%00b", 404, "not found\n", "text/plain; charset=utf-8"},
		{"GET", "/a%zz", 404, "not found\n", "text/plain; charset=utf-8"},
		{"POST", "/", 405, "method not allowed\n", "text/plain; charset=utf-8"},
	} {
		res, body := ask(c.method, c.path)
		if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %s %q %q", c.method, c.path, res.Status, body, res.Header.Get("Content-Type"))
		}
	}
	res, body := ask("GET", "/big.bin")
	if res.ContentLength != int64(len(big)) || body != string(big) || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d bytes, %v", len(body), res.Header)
	}
	if res, body := ask("GET", "/a%20b.txt", "Range", "bytes=2-4"); res.StatusCode != 206 || body != "234" || res.Header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("range: %s %q", res.Status, body)
	}
	// RFC 9110 section 14: parts of "0123456789".
	plain, _ := ask("GET", "/a%20b.txt")
	for _, c := range []struct {
		method, ranges string
		fields         []string
		status         int
		body, part     string
	}{
		{"GET", "bytes=0-0", nil, 206, "0", "bytes 0-0/10"},
		{"GET", "bytes=7-", nil, 206, "789", "bytes 7-9/10"},
		{"GET", "bytes=-3", nil, 206, "789", "bytes 7-9/10"},
		{"GET", "bytes=-30", nil, 206, "0123456789", "bytes 0-9/10"},
		{"GET", "bytes=8-99", nil, 206, "89", "bytes 8-9/10"},
		{"GET", "bytes=10-", nil, 416, "*", "bytes */10"},
		{"GET", "bytes=20-", nil, 416, "*", "bytes */10"},
		{"GET", "bytes=5-2", nil, 416, "*", ""},
		{"GET", "bytes=x-2", nil, 416, "*", ""},
		{"GET", "lines=1-2", nil, 416, "*", ""},
		{"HEAD", "bytes=2-4", nil, 206, "", "bytes 2-4/10"},
		{"GET", "bytes=2-4", []string{"If-Range", plain.Header.Get("Etag")}, 206, "234", "bytes 2-4/10"},
		{"GET", "bytes=2-4", []string{"If-Range", `"another"`}, 200, "0123456789", ""},
		{"GET", "bytes=2-4", []string{"If-Match", `"another"`}, 412, "*", ""},
		{"GET", "bytes=2-4", []string{"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:01 GMT"}, 412, "*", ""},
		{"GET", "bytes=0-1,4-5", nil, 206, "*", ""},
	} {
		res, body := ask(c.method, "/a%20b.txt", append(c.fields, "Range", c.ranges)...)
		if res.StatusCode != c.status || c.body != "*" && body != c.body || res.Header.Get("Content-Range") != c.part {
			t.Errorf("%s %s %v: %s %q %q", c.method, c.ranges, c.fields, res.Status, body, res.Header.Get("Content-Range"))
		}
	}
	parted, parts := ask("GET", "/a%20b.txt", "Range", "bytes=0-1,4-5")
	_, params, err := mime.ParseMediaType(parted.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var several []string
	for in := multipart.NewReader(strings.NewReader(parts), params["boundary"]); ; {
		part, err := in.NextPart()
		if err != nil {
			break
		}
		text, _ := io.ReadAll(part)
		several = append(several, part.Header.Get("Content-Range")+" "+string(text))
	}
	if d := cmp.Diff([]string{"bytes 0-1/10 01", "bytes 4-5/10 45"}, several); d != "" {
		t.Error(d)
	}
	for name, value := range map[string]string{"If-None-Match": res.Header.Get("Etag"), "If-Modified-Since": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		if res, body := ask("GET", "/big.bin", name, value); res.StatusCode != 304 || body != "" {
			t.Errorf("%s: %s %q", name, res.Status, body)
		}
	}
}

// TestFileOfWhoLeaves ends the reading when nobody is there any more.
func TestFileOfWhoLeaves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 32<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(e any) event.Verdict {
		if _, ok := e.(*loopev.HTTPRequest); ok {
			return file(dir, "big")
		}
		return event.Verdict{}
	})
	p := r.peer()
	p.send("GET / HTTP/1.1\nHost: x\n\n")
	if _, err := io.ReadFull(p.in, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	r.sh.Enter() // after the loop began with the file
	r.sh.Leave()
	r.p.Wait()
}
