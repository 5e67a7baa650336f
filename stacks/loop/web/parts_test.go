package web

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// partPoints are those of forms, with what a request begins and ends by.
var partPoints = []event.PointID{
	loopev.OnHTTPHeaders.ID(), loopev.OnHTTPPartBegin.ID(), loopev.OnHTTPPartData.ID(), loopev.OnHTTPPartEnd.ID(),
	loopev.OnHTTPRequest.ID(), loopev.OnHTTPError.ID(), loopev.OnClose.ID(),
}

// TestParts has forms told part by part, whole ones and others.
func TestParts(t *testing.T) {
	t.Parallel()
	body := "--b\nContent-Disposition: form-data; name=\"a\"\n\none\n--b\n" +
		"Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\nContent-Type: text/plain\n\ntwo\n--b--\n"
	head := func(kind string, n int) string {
		return fmt.Sprintf("POST /f HTTP/1.1\nHost: x\nContent-Type: %s\nContent-Length: %d\n\n", kind, n)
	}
	lines := func(s string) int { // what it is with CR
		n := len(s)
		for _, c := range s {
			if c == '\n' {
				n++
			}
		}
		return n
	}
	whole := []string{`begin a  `, `data a 0 "one"`, `end a 3 true`, `begin f x.txt text/plain`, `data f 0 "two"`, `end f 3 true`}
	for _, c := range []struct {
		name, send, want string
		log              []string
	}{
		{"whole", head("multipart/form-data; boundary=b", lines(body)) + body, `200 POST /f? ""`, whole},
		{
			"chunked", "POST /f HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=b\nTransfer-Encoding: chunked\n\n" +
				fmt.Sprintf("%x\n%s\n0\n\n", lines(body), body), `200 POST /f? ""`, whole,
		},
		{"something else", head("text/plain", lines(body)) + body, `200 POST /f? ""`, nil},
		{"cut", head("multipart/form-data; boundary=b", 8) + "--b\n\nx", "400 bad request!", []string{
			"begin   ", "error 400 form: multipart: the body ends before its last boundary", "end  0 false",
		}},
		{"malformed", head("multipart/form-data; boundary=b", 6) + "--b x\n", "400 bad request!", []string{
			"error 400 multipart: something stands behind a boundary",
		}},
		{"no boundary", head("multipart/form-data", 6) + "--b--\n", "400 bad request!", []string{
			"error 400 multipart: no boundary, or none that can be one",
		}},
	} {
		r := newRig(t, func(e any) event.Verdict {
			if _, ok := e.(*loopev.HTTPHeaders); ok {
				return event.Verdict{Kind: loopev.VerdictStream}
			}
			return tell(e)
		})
		r.bind(partPoints...)
		p := r.peer()
		p.send(c.send)
		if got := p.answer("POST"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		r.do(func() {
			log := r.log
			if n := len(log); n > 0 && log[n-1] == "close failed:http" {
				log = log[:n-1]
			}
			if d := cmp.Diff(c.log, log); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		})
	}
}

// TestPartOfWhoLeaves ends the part that a client left in.
func TestPartOfWhoLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, tell)
	r.bind(partPoints...)
	p := r.peer()
	p.send("POST /f HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=b\nContent-Length: 100\n\n--b\n\n0123456789")
	r.logged(2)
	_ = p.Close()
	if d := cmp.Diff([]string{"begin   ", `data  0 "012345"`, "end  6 false", "close eof"}, r.logged(4)); d != "" {
		t.Error(d)
	}
}

// TestAnswerWithinAPart answers before the body is there, by its handler.
func TestAnswerWithinAPart(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(e any) event.Verdict {
		if b, ok := e.(*loopev.HTTPPartBegin); ok && b.Name == "no" {
			if err := b.C.Reply(nil, 403, []byte("no\n"), nil, false); err != nil {
				t.Error(err)
			}
		}
		return tell(e)
	})
	r.bind(partPoints...)
	p := r.peer()
	p.send("POST /f HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=b\nContent-Length: 1000\n\n--b\nContent-Disposition: form-data; name=no\n\n")
	if got := p.answer("POST"); got != "403 no!" {
		t.Error(got)
	}
}

// TestLongUpload sends more than may be in memory: the parts come as they were sent, and
// none of it is kept.
func TestLongUpload(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 32 << 20
	}
	sum, most := crc32.NewIEEE(), uint64(0)
	var pieces atomic.Int64
	r := newRig(t, func(e any) event.Verdict {
		switch e := e.(type) {
		case *loopev.HTTPHeaders:
			return event.Verdict{Kind: loopev.VerdictStream}
		case *loopev.HTTPPartData:
			_, _ = sum.Write(e.Chunk)
			if pieces.Add(1)%256 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
		return tell(e)
	})
	r.bind(partPoints...)
	r.do(func() { r.quiet = true })
	sent := crc32.NewIEEE()
	in, out := io.Pipe()
	form := multipart.NewWriter(out)
	go func() {
		w, err := form.CreateFormFile("f", "long")
		block := make([]byte, 64<<10)
		src := rand.NewChaCha8([32]byte{1})
		for left := size; left > 0 && err == nil; left -= int64(len(block)) {
			_, _ = src.Read(block)
			_, _ = sent.Write(block)
			_, err = w.Write(block)
		}
		_ = form.Close()
		out.CloseWithError(err)
	}()
	res, err := http.Post(r.url+"/f", form.FormDataContentType(), in)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	r.do(func() {
		if sum.Sum32() != sent.Sum32() || res.StatusCode != 200 {
			t.Errorf("status %d, other bytes", res.StatusCode)
		}
		if want := []string{"begin f long application/octet-stream", fmt.Sprintf("end f %d true", size)}; len(r.log) < 2 || cmp.Diff(want, r.log[:2]) != "" { // that it closed may be told by now
			t.Errorf("%q", r.log)
		}
		t.Logf("%d MiB in %d pieces, at most %d MiB of heap in use", size>>20, pieces.Load(), most>>20)
		if most > 24<<20 {
			t.Errorf("%d MiB of heap in use", most>>20)
		}
	})
}
