package web

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop"
)

// uploader is a script that uploads.
type uploader struct {
	r *rig
	u *upload
}

func (r *rig) upload(q loop.Ask, expect bool) *uploader {
	r.t.Helper()
	x := &uploader{r: r}
	if q.Method == "" {
		q.Method = "POST"
	}
	r.do(func() {
		u, err := r.p.Upload(r.g.Stack(r.sh), q, expect)
		if err != nil {
			r.t.Fatal(err)
		}
		x.u = u.(*upload)
	})
	r.g.Wake()
	return x
}

// wait has begin called in the shard, and returns what its done was called with.
func (x *uploader) wait(begin func(by *event.Caller, done func(any, error))) (any, error) {
	x.r.t.Helper()
	type result struct {
		v   any
		err error
	}
	ch := make(chan result, 2)
	x.r.do(func() {
		begin(&event.Caller{Shard: x.r.sh, Waiter: &event.Waiter{}}, func(v any, err error) { ch <- result{v, err} })
	})
	x.r.g.Wake()
	select {
	case got := <-ch:
		return got.v, got.err
	case <-time.After(time.Minute):
		x.r.t.Fatal("nothing becomes of it")
		return nil, nil
	}
}

func (x *uploader) write(p string) error {
	x.r.t.Helper()
	_, err := x.wait(func(by *event.Caller, done func(any, error)) {
		x.u.Write(by, []byte(p), func(err error) { done(nil, err) })
	})
	return err
}

func (x *uploader) finish() string {
	x.r.t.Helper()
	v, err := x.wait(func(by *event.Caller, done func(any, error)) { x.u.Finish(by, done) })
	x.r.do(func() {
		if !x.u.Ended() || !x.u.Answered() {
			x.r.t.Error("it is not over")
		}
	})
	if err != nil {
		return "!" + err.Error()
	}
	list := v.([]event.KV)
	return fmt.Sprint(list[0].Value, " ", list[3].Value)
}

// TestUpload sends parts to net/http's server, and uses the connection again.
func TestUpload(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s %s %v %d %v", q.Method, q.Header.Get("X-Test"), q.TransferEncoding, len(body), err)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	r := newRig(t, nil)
	for _, expect := range []bool{false, true} {
		up := r.upload(loop.Ask{Method: "PUT", URL: srv.URL, Headers: []event.KV{{Key: "X-Test", Value: "yes"}}}, expect)
		for _, part := range []string{"one", "", "two", strings.Repeat("x", 100_000)} {
			if err := up.write(part); err != nil {
				t.Fatal(err)
			}
		}
		if up.u.Sent() != 100_006 || up.u.Answered() {
			t.Errorf("%d bytes, answered %v", up.u.Sent(), up.u.Answered())
		}
		if got := up.finish(); got != "200 PUT yes [chunked] 100006 <nil>" {
			t.Error(got)
		}
		if got, err := r.ask(loop.Ask{Method: "GET", URL: srv.URL}); err != nil || got != "200 GET  [] 0 <nil>" {
			t.Error(got, err)
		}
	}
	// An upload begins a connection, and leaves it to who asks next.
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	if got := r.upload(loop.Ask{URL: srv.URL}, false).finish(); got != "200 POST  [chunked] 0 <nil>" {
		t.Error("an empty one:", got)
	}
}

// TestUploadRefused stops where a server does not want the body, and tells its answer.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/limit" {
			_, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 1000))
			var long *http.MaxBytesError
			if !errors.As(err, &long) {
				http.Error(w, "what?", http.StatusInternalServerError)
				return
			}
		}
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	}))
	defer srv.Close()
	r := newRig(t, nil)
	for _, c := range []struct {
		path   string
		expect bool
	}{{"/", false}, {"/", true}, {"/limit", false}, {"/limit", true}} {
		up := r.upload(loop.Ask{URL: srv.URL + c.path}, c.expect)
		var err error
		n := 0
		for part := strings.Repeat("x", 100_000); err == nil && n < 1000; n++ {
			err = up.write(part)
		}
		if err == nil {
			t.Errorf("%+v: everything was taken", c)
		}
		if got := up.finish(); got != "413 too much\n" {
			t.Errorf("%+v: %s after %d parts and %v", c, got, n, err)
		}
		if err := up.write("more"); err != errNoMore {
			t.Error(err)
		}
	}
	r.do(func() {
		if d := r.p.desk(r.g.Stack(r.sh)); d.asking != 0 || d.pooled != 0 {
			t.Errorf("%d asking, %d pooled", d.asking, d.pooled)
		}
	})
}

// serve has f speak with each connection.
func serve(t *testing.T, f func(c net.Conn, in *bufio.Reader)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				f(c, bufio.NewReader(c))
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// head reads up to the end of a head.
func head(in *bufio.Reader) (text string) {
	for !strings.HasSuffix(text, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		text += line
		if err != nil {
			return text + " " + err.Error()
		}
	}
	return text
}

// TestExpect sends nothing of a body before the server wants it, or said nothing for a
// while, and sends the request again without asking where the server knows no such thing.
func TestExpect(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, c := range []struct {
		name   string
		speak  func(c net.Conn, in *bufio.Reader) (fault string)
		answer string
		write  error
		least  time.Duration
	}{
		{"wanted", func(c net.Conn, in *bufio.Reader) string {
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if b, err := in.Peek(1); err == nil {
				return fmt.Sprintf("%q came unasked", b)
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			b := make([]byte, len("4\r\nbody\r\n0\r\n\r\n"))
			_, _ = io.ReadFull(in, b)
			_, _ = io.WriteString(c, ok)
			return strings.TrimPrefix(string(b), "4\r\nbody\r\n0\r\n\r\n")
		}, "200 ok", nil, 50 * time.Millisecond},
		{"hints first", func(c net.Conn, in *bufio.Reader) string {
			_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
			b := make([]byte, len("4\r\nbody\r\n0\r\n\r\n"))
			_, _ = io.ReadFull(in, b)
			_, _ = io.WriteString(c, ok)
			return strings.TrimPrefix(string(b), "4\r\nbody\r\n0\r\n\r\n")
		}, "200 ok", nil, 0},
		{"silent", func(c net.Conn, in *bufio.Reader) string {
			b := make([]byte, len("4\r\nbody\r\n0\r\n\r\n"))
			_, _ = io.ReadFull(in, b)
			_, _ = io.WriteString(c, ok)
			return strings.TrimPrefix(string(b), "4\r\nbody\r\n0\r\n\r\n")
		}, "200 ok", nil, expectTime},
		{"refused", func(c net.Conn, in *bufio.Reader) string {
			_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
			b, err := io.ReadAll(in)
			return strings.TrimPrefix(fmt.Sprintf("%q %v", b, err), `"" <nil>`)
		}, "401 no", errNoMore, 0},
		{"not wanted, and all right", func(c net.Conn, in *bufio.Reader) string {
			_, _ = io.WriteString(c, ok)
			b, err := io.ReadAll(in)
			return strings.TrimPrefix(fmt.Sprintf("%q %v", b, err), `"" <nil>`)
		}, "200 ok", errNoMore, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fault := make(chan string, 1)
			url := serve(t, func(s net.Conn, in *bufio.Reader) {
				if h := head(in); !strings.Contains(h, "\r\nExpect: 100-continue\r\n") || !strings.Contains(h, "\r\nTransfer-Encoding: chunked\r\n") || strings.Contains(h, "Content-Length") {
					t.Error(h)
				}
				fault <- c.speak(s, in)
			})
			r := newRig(t, nil)
			began := time.Now()
			up := r.upload(loop.Ask{URL: url}, true)
			// It is written and ended before it is known whether the server wants it.
			wrote := make(chan error, 1)
			r.do(func() {
				up.u.Write(&event.Caller{Shard: r.sh, Waiter: &event.Waiter{}}, []byte("body"), func(err error) { wrote <- err })
			})
			if got := up.finish(); got != c.answer {
				t.Error(got)
			}
			if err := <-wrote; err != c.write {
				t.Error(err)
			}
			if d := time.Since(began); d < c.least {
				t.Errorf("after %s", d)
			}
			if what := <-fault; what != "" {
				t.Error(what)
			}
		})
	}
}

// TestExpectUnknown sends a request again without asking where the answer is 417.
func TestExpectUnknown(t *testing.T) {
	t.Parallel()
	url := serve(t, func(c net.Conn, in *bufio.Reader) {
		if strings.Contains(head(in), "Expect:") {
			_, _ = io.WriteString(c, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.ReadAll(in)
			return
		}
		b := make([]byte, len("4\r\nbody\r\n4\r\nmore\r\n0\r\n\r\n"))
		_, _ = io.ReadFull(in, b)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	})
	r := newRig(t, nil)
	up := r.upload(loop.Ask{URL: url}, true)
	if err := errors.Join(up.write("body"), up.write("more")); err != nil {
		t.Error(err)
	}
	if got := up.finish(); got != "200 4\r\nbody\r\n4\r\nmore\r\n0\r\n\r\n" {
		t.Error(got)
	}
}

// TestUploadCut ends connections in the middle of a body wherever that is not to be taken
// for whole, and tells scripts what became of it.
func TestUploadCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer string // at the body's first byte; none: the connection closes
		then   func(up *uploader) string
		want   string
	}{
		{"early and all right", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly", nil, "200 early"},
		{"early, and more to come", "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nearly", nil, "!"},
		{"lost", "", nil, "!http: POST"},
		{"late", "HTTP/1.1 100 Continue\r\n\r\n", nil, "!http: timeout"},
		{"malformed", "HTTP/1.1 200 OK\r\nno field\r\n\r\n", nil, "!http: POST"},
		{"given up", "HTTP/1.1 100 Continue\r\n\r\n", func(up *uploader) string {
			up.r.do(func() {
				if err := up.u.Cancel(nil); err != nil {
					t.Error(err)
				}
			})
			up.r.g.Wake()
			return fmt.Sprint("!", up.write("more"))
		}, "!http: the upload was given up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sawEnd := make(chan string, 1)
			url := serve(t, func(s net.Conn, in *bufio.Reader) {
				head(in)
				_, _ = in.ReadByte()
				_, _ = io.WriteString(s, c.answer)
				if c.answer == "" {
					sawEnd <- ""
					return
				}
				if strings.HasSuffix(c.name, "to come") {
					_ = s.(*net.TCPConn).CloseWrite()
				}
				b, _ := io.ReadAll(in)
				sawEnd <- string(b)
			})
			r := newRig(t, nil)
			up := r.upload(loop.Ask{URL: url, Timeout: 300 * time.Millisecond}, false)
			_ = up.write("part")
			for range 1000 {
				if strings.HasSuffix(c.name, "late") || c.then != nil || up.write("part") != nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			then := (*uploader).finish
			if c.then != nil {
				then = c.then
			}
			if got := then(up); !strings.HasPrefix(got, c.want) {
				t.Error(got)
			}
			if got := <-sawEnd; strings.Contains(got, "0\r\n\r\n") && c.name != "late" {
				t.Errorf("the server takes %q for the whole", got)
			}
			r.do(func() {
				if d := r.p.desk(r.g.Stack(r.sh)); d.asking != 0 || d.pooled != 0 {
					t.Errorf("%d asking, %d pooled", d.asking, d.pooled)
				}
			})
		})
	}
}

// TestUploadPressure holds a script back while the server does not read: nothing but the
// part at hand is queued. What arrives is what was sent.
func TestUploadPressure(t *testing.T) {
	t.Parallel()
	read := make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		<-read
		sum := sha256.New()
		_, err := io.Copy(sum, q.Body)
		fmt.Fprintf(w, "%x %v", sum.Sum(nil), err)
	}))
	defer srv.Close()
	r := newRig(t, nil)
	up := r.upload(loop.Ask{URL: srv.URL}, false)
	part := strings.Repeat("0123456789abcdef", 8<<10) // 128 KiB
	wrote := make(chan error, 1)
	total := 0
	sum := sha256.New()
	write := func() bool {
		_, _ = io.WriteString(sum, part)
		total += len(part)
		r.do(func() {
			up.u.Write(&event.Caller{Shard: r.sh, Waiter: &event.Waiter{}}, []byte(part), func(err error) { wrote <- err })
		})
		r.g.Wake()
		select {
		case err := <-wrote:
			if err != nil {
				t.Fatal(err)
			}
			return true
		case <-time.After(300 * time.Millisecond):
			return false
		}
	}
	for write() {
		if total > 64<<20 {
			t.Fatal("nothing holds it back")
		}
	}
	r.do(func() {
		if n := up.u.a.conn.c.Net().Queued(); n > len(part)+100 {
			t.Errorf("%d bytes are queued", n)
		}
	})
	close(read)
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if !write() {
			t.Fatal("it stands still")
		}
	}
	if got, want := up.finish(), fmt.Sprintf("200 %x <nil>", sum.Sum(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestUploadGivenUp has a script give up in the moment when it hears that the server wants
// no more, and when its part was written.
func TestUploadGivenUp(t *testing.T) {
	t.Parallel()
	url := serve(t, func(c net.Conn, in *bufio.Reader) {
		if strings.HasPrefix(head(in), "POST /no") {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		}
		_, _ = io.ReadAll(in)
	})
	r := newRig(t, nil)
	for _, path := range []string{"/no", "/yes"} {
		up := r.upload(loop.Ask{URL: url + path}, path == "/no")
		told := make(chan error, 1)
		r.do(func() {
			up.u.Write(&event.Caller{Shard: r.sh, Waiter: &event.Waiter{}}, []byte("part"), func(err error) {
				_ = up.u.Cancel(nil)
				told <- err
			})
		})
		r.g.Wake()
		if err := <-told; (err == errNoMore) != (path == "/no") {
			t.Error(path, err)
		}
		r.do(func() {
			if d := r.p.desk(r.g.Stack(r.sh)); !up.u.Ended() || d.asking != 0 || d.pooled != 0 {
				t.Errorf("%s: %d asking, %d pooled", path, d.asking, d.pooled)
			}
		})
	}
}

// TestUploadBounds refuses what cannot be sent, and what is not held.
func TestUploadBounds(t *testing.T) {
	t.Parallel()
	url := serve(t, func(_ net.Conn, in *bufio.Reader) { _, _ = io.ReadAll(in) })
	r := newRig(t, nil)
	r.do(func() {
		for _, q := range []loop.Ask{
			{Method: "PUT", URL: "ftp://127.0.0.1/"},
			{Method: "P T", URL: url},
			{Method: "PUT", URL: url, Headers: []event.KV{{Key: "Transfer-Encoding", Value: "gzip"}}},
			{Method: "PUT", URL: url, Headers: []event.KV{{Key: "Expect", Value: "100-continue"}}},
		} {
			if u, err := r.p.Upload(r.g.Stack(r.sh), q, false); err == nil || u != nil {
				t.Errorf("%+v is sent", q)
			}
		}
		if d := r.p.desk(r.g.Stack(r.sh)); d.asking != 0 {
			t.Errorf("%d asking", d.asking)
		}
	})
	up := r.upload(loop.Ask{URL: url}, true)
	r.do(func() {
		by := &event.Caller{Shard: r.sh, Waiter: &event.Waiter{}}
		up.u.Write(by, make([]byte, maxHeld), func(error) {})
		up.u.Write(by, make([]byte, 1), func(err error) {
			if err != errHeld {
				t.Error(err)
			}
		})
		if up.u.Sent() != maxHeld {
			t.Error(up.u.Sent())
		}
		// Who waited is told nothing any more, and the end is the script's.
		by.Waiter.Cancel()
		_ = up.u.Cancel(nil)
	})
}
