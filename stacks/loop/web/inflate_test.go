package web

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
)

func gzipped(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, p)
		_ = z.Close()
	}
	return b.String()
}

func deflated(text string) string {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func zlibbed(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// damaged is what one flipped bit at some place makes of it; counted from the end where
// negative.
func damaged(text string, at int) string {
	b := []byte(text)
	b[(at+len(b))%len(b)] ^= 0x10
	return string(b)
}

// sameParts serves bodies as they are, in pieces of so many bytes, with these fields.
type sameParts struct {
	coding, body string
	status       int
	piece        int  // 0: with a length
	close        bool // the connection
}

// ServeHTTP implements [http.Handler].
func (s sameParts) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Encoding", s.coding)
	w.Header().Set("X-Asked", q.Header.Get("Accept-Encoding"))
	if s.close {
		w.Header().Set("Connection", "close")
	}
	if s.piece == 0 && s.status != 204 && s.status != 304 {
		w.Header().Set("Content-Length", fmt.Sprint(len(s.body)))
	}
	w.WriteHeader(max(200, s.status))
	if s.piece == 0 {
		_, _ = io.WriteString(w, s.body)
		return
	}
	for b := s.body; b != ""; {
		n := min(s.piece, len(b))
		_, _ = io.WriteString(w, b[:n])
		w.(http.Flusher).Flush()
		b = b[n:]
	}
}

// TestInflate asks net/http's server for what is compressed rightly, wrongly and not at
// all.
func TestInflate(t *testing.T) {
	t.Parallel()
	const text = "hello hello hello hello hello hello"
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	flat := strings.Repeat("so flat ", 150_000)
	bomb := gzipped(strings.Repeat("\x00", 2<<20))
	own := []event.KV{{Key: "Accept-Encoding", Value: "gzip, br"}}
	for _, c := range []struct {
		name   string
		served sameParts
		ask    loop.Ask // Method GET where it has none
		want   string   // or the error behind "!"
	}{
		{"gzip", sameParts{coding: "gzip", body: gzipped(text)}, loop.Ask{}, text},
		{"in capitals", sameParts{coding: "GZip", body: gzipped(text)}, loop.Ask{}, text},
		{"x-gzip", sameParts{coding: "x-gzip", body: gzipped(text)}, loop.Ask{}, text},
		{"in pieces", sameParts{coding: "gzip", body: gzipped(text), piece: 1}, loop.Ask{}, text},
		{"chunked", sameParts{coding: "gzip", body: gzipped(string(noise)), piece: 7000}, loop.Ask{}, string(noise)},
		{"several members", sameParts{coding: "gzip", body: gzipped("one,", "", "two,", "three")}, loop.Ask{}, "one,two,three"},
		{"members in pieces", sameParts{coding: "gzip", body: gzipped("one,", "two"), piece: 3}, loop.Ask{}, "one,two"},
		{"zlib", sameParts{coding: "deflate", body: zlibbed(text)}, loop.Ask{}, text},
		{"zlib in pieces", sameParts{coding: "deflate", body: zlibbed(text), piece: 1}, loop.Ask{}, text},
		{"bare deflate", sameParts{coding: "deflate", body: deflated(text)}, loop.Ask{}, text},
		{"bare deflate in pieces", sameParts{coding: "deflate", body: deflated(text), piece: 1}, loop.Ask{}, text},
		{"to the end of the connection", sameParts{coding: "gzip", body: gzipped(text), close: true, piece: 5}, loop.Ask{}, text},
		{"long", sameParts{coding: "gzip", body: gzipped(flat)}, loop.Ask{Max: 4 << 20}, flat},
		{"long, and closed behind it", sameParts{coding: "gzip", body: gzipped(flat), close: true}, loop.Ask{Max: 4 << 20}, flat},
		{"as long as may be", sameParts{coding: "gzip", body: gzipped(string(noise))}, loop.Ask{Max: int64(len(noise))}, string(noise)},
		{"nothing", sameParts{coding: "gzip", body: ""}, loop.Ask{}, ""},
		{"nothing, compressed", sameParts{coding: "gzip", body: gzipped("")}, loop.Ask{}, ""},
		{"none", sameParts{coding: "", body: text}, loop.Ask{}, text},
		{"identity", sameParts{coding: "identity", body: text}, loop.Ask{}, text},
		{"another coding", sameParts{coding: "br", body: "\x0b\x02\x80hi"}, loop.Ask{}, "\x0b\x02\x80hi"},
		{"asked for by the script", sameParts{coding: "gzip", body: gzipped(text)}, loop.Ask{Headers: own}, gzipped(text)},
		{"a part", sameParts{coding: "gzip", status: 206, body: gzipped(text)[3:9]}, loop.Ask{Headers: []event.KV{{Key: "Range", Value: "bytes=3-8"}}}, gzipped(text)[3:9]},
		{"a part unasked", sameParts{coding: "gzip", status: 206, body: gzipped(text)[3:9]}, loop.Ask{}, gzipped(text)[3:9]},
		{"HEAD", sameParts{coding: "gzip", body: gzipped(text)}, loop.Ask{Method: "HEAD"}, ""},
		{"204", sameParts{coding: "gzip", status: 204}, loop.Ask{}, ""},
		{"304", sameParts{coding: "gzip", status: 304}, loop.Ask{}, ""},
		{"an error's", sameParts{coding: "gzip", status: 404, body: gzipped(text)}, loop.Ask{}, text},
		{"a bomb", sameParts{coding: "gzip", body: bomb}, loop.Ask{}, "!longer than 1048576 bytes"},
		{"a bomb in pieces", sameParts{coding: "gzip", body: bomb, piece: 100}, loop.Ask{Max: 1000}, "!longer than 1000 bytes"},
		{"a bomb of zlib", sameParts{coding: "deflate", body: zlibbed(strings.Repeat("\x00", 2<<20))}, loop.Ask{}, "!longer than 1048576 bytes"},
		{"a byte too long", sameParts{coding: "gzip", body: gzipped(text)}, loop.Ask{Max: int64(len(text) - 1)}, "!longer than 34 bytes"},
		{"empty members for ever", sameParts{coding: "gzip", body: strings.Repeat(gzipped(""), 5000), piece: 9000}, loop.Ask{Max: 1000}, "!longer than 1000 bytes"},
		{"cut", sameParts{coding: "gzip", body: gzipped(text)[:20]}, loop.Ask{}, "!unexpected EOF"},
		{"cut in its head", sameParts{coding: "gzip", body: gzipped(text)[:5], piece: 2}, loop.Ask{}, "!unexpected EOF"},
		{"cut in the sum", sameParts{coding: "gzip", body: strings.TrimSuffix(gzipped(text), gzipped(text)[len(gzipped(text))-1:])}, loop.Ask{}, "!unexpected EOF"},
		{"cut zlib", sameParts{coding: "deflate", body: zlibbed(text)[:10]}, loop.Ask{}, "!unexpected EOF"},
		{"one byte of zlib", sameParts{coding: "deflate", body: "x"}, loop.Ask{}, "!unexpected EOF"},
		{"cut to the end of the connection", sameParts{coding: "gzip", body: gzipped(text)[:20], piece: 5, close: true}, loop.Ask{}, "!unexpected EOF"},
		{"damaged", sameParts{coding: "gzip", body: damaged(gzipped(text), 13)}, loop.Ask{}, "!inflate"},
		{"damaged sum", sameParts{coding: "gzip", body: damaged(gzipped(text), -6)}, loop.Ask{}, "!invalid checksum"},
		{"damaged zlib", sameParts{coding: "deflate", body: damaged(zlibbed(text), -1)}, loop.Ask{}, "!invalid checksum"},
		{"no gzip", sameParts{coding: "gzip", body: text}, loop.Ask{}, "!invalid header"},
		{"more behind it", sameParts{coding: "gzip", body: gzipped(text) + "and more"}, loop.Ask{}, "!inflate"},
		{"more behind zlib", sameParts{coding: "deflate", body: zlibbed(text) + "x"}, loop.Ask{}, "!behind the end"},
		{"more behind deflate", sameParts{coding: "deflate", body: deflated(text) + strings.Repeat("x", 9000)}, loop.Ask{}, "!behind the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(c.served)
			defer srv.Close()
			r := newRig(t, nil)
			q := c.ask
			q.URL = srv.URL
			if q.Method == "" {
				q.Method = "GET"
			}
			for range 2 { // the second time by a connection that was used, where it may be
				got, err := r.ask(q)
				if err != nil {
					got = "!" + err.Error()
				}
				want := fmt.Sprint(max(200, c.served.status), " ", c.want)
				if got != want && (!strings.HasPrefix(c.want, "!") || got[0] != '!' || !strings.Contains(got, c.want[1:])) {
					t.Errorf("got %d bytes: %.200q, want %.200q", len(got), got, want)
				}
			}
		})
	}
}

// TestInflateHeaders tells fields that are true of the body that is there, asks as the
// script says, and counts.
func TestInflateHeaders(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(sameParts{coding: "gzip", body: gzipped("text")})
	defer srv.Close()
	r := newRig(t, nil)
	for _, c := range []struct {
		fields                      []event.KV
		method, asked, coding, size string
	}{
		{nil, "GET", "gzip", "", ""},
		{[]event.KV{{Key: "accept-encoding", Value: "zstd"}}, "GET", "zstd", "gzip", fmt.Sprint(len(gzipped("text")))},
		{[]event.KV{{Key: "range", Value: "bytes=0-"}}, "GET", "", "gzip", fmt.Sprint(len(gzipped("text")))},
		{nil, "HEAD", "", "gzip", fmt.Sprint(len(gzipped("text")))},
	} {
		fields := map[string]any{}
		list, err := r.response(loop.Ask{Method: c.method, URL: srv.URL, Headers: c.fields})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list[2].Value.([]event.KV) {
			fields[f.Key] = f.Value
		}
		text := func(key string) string {
			s, _ := fields[key].(string)
			return s
		}
		if text("x-asked") != c.asked || text("content-encoding") != c.coding || text("content-length") != c.size {
			t.Errorf("%s %v: %v", c.method, c.fields, fields)
		}
	}
	if _, err := r.ask(loop.Ask{Method: "GET", URL: srv.URL, Max: 3}); err == nil {
		t.Error("longer than was wanted")
	}
	bad := httptest.NewServer(sameParts{coding: "gzip", body: "text"})
	defer bad.Close()
	if _, err := r.ask(loop.Ask{Method: "GET", URL: bad.URL}); err == nil {
		t.Error("no gzip at all")
	}
	if got := r.p.Stats(); got != (Stats{Inflated: 1, Damaged: 1, TooLong: 1}) {
		t.Errorf("%+v", got)
	}
}

// TestInflateCut takes what came before a connection ended, though a part of it waits for
// its turn; and nothing that is not whole.
func TestInflateCut(t *testing.T) {
	t.Parallel()
	flat := gzipped(strings.Repeat("so flat ", 150_000))
	for _, sized := range []bool{true, false} {
		for _, reset := range []bool{true, false} {
			for _, whole := range []bool{true, false} {
				head := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
				if sized {
					head += fmt.Sprintf("Content-Length: %d\r\n", len(flat))
				}
				body := flat
				if !whole {
					body = body[:len(body)-1]
				}
				at := serveOnce(t, head+"\r\n"+body, reset && sized) // a reset is no end
				r := newRig(t, nil)
				got, err := r.ask(loop.Ask{Method: "GET", URL: "http://" + at, Max: 4 << 20})
				if whole != (err == nil) || whole && len(got) != len("200 ")+8*150_000 {
					t.Errorf("sized %v, reset %v, whole %v: %d bytes, %v", sized, reset, whole, len(got), err)
				}
			}
		}
	}
}

// TestInflateEndsStream keeps no connection whose server ended its stream while a part of
// the response waited for its turn, or right behind it.
func TestInflateEndsStream(t *testing.T) {
	t.Parallel()
	flat := gzipped(strings.Repeat("so flat ", 150_000))
	at := serveOnce(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(flat), flat), false)
	r := newRig(t, nil)
	s, done := r.g.Stack(r.sh), make(chan struct{})
	r.do(func() {
		q := loop.Ask{Method: "GET", URL: "http://" + at, Max: 4 << 20}
		r.p.Ask(&event.Caller{Shard: r.sh}, s, q, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
			close(done)
		})
	})
	<-done
	for end, kept := time.Now().Add(poolTime/2), 1; kept > 0; time.Sleep(time.Millisecond) {
		if r.do(func() { kept = r.p.desk(s).pooled }); kept > 0 && time.Now().After(end) {
			t.Fatalf("%d connections are kept", kept)
		}
	}
}

// TestInflateDetached has a handler that is bound to its thread use the connection for
// something else: in the middle of a compressed response, and when it is told of it.
func TestInflateDetached(t *testing.T) {
	t.Parallel()
	body := gzipped(strings.Repeat("hello ", 1000))
	for _, whole := range []bool{false, true} {
		came := body + "behind it"
		if !whole {
			came = body[:len(body)-20]
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if s, err := l.Accept(); err == nil {
				_, _ = fmt.Fprintf(s, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), came)
				_, _ = io.Copy(io.Discard, s) // until the client leaves
				_ = s.Close()
			}
		}()
		use := func(c loopev.Conn) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := c.Use(nil, ""); err != nil {
				t.Error(err)
			}
		}
		r := newRig(t, func(e any) event.Verdict {
			if e, ok := e.(*loopev.HTTPResponse); ok {
				use(e.C)
			}
			return event.Verdict{}
		})
		r.bind(loopev.OnHTTPResponse.ID())
		told := make(chan error, 1)
		var a *asker
		r.do(func() {
			q := loop.Ask{Method: "GET", URL: "http://" + l.Addr().String()}
			r.p.Ask(&event.Caller{Shard: r.sh}, r.g.Stack(r.sh), q, func(_ any, err error) { told <- err })
			list, _, _ := r.g.Conns(&event.Caller{Shard: r.sh}, nil)
			a = list.([]any)[0].(*loop.Conn).Session().(*asker)
		})
		end := time.Now().Add(time.Minute)
		for begun := whole; !begun && time.Now().Before(end); time.Sleep(time.Millisecond) {
			r.do(func() {
				if begun = a.content.z != nil; begun {
					use(a.c)
				}
			})
		}
		r.g.Wake()
		if err := <-told; err == nil || !strings.Contains(err.Error(), "something else") {
			t.Errorf("whole %v: %v", whole, err)
		}
		for left := true; left && time.Now().Before(end); time.Sleep(time.Millisecond) {
			r.do(func() { left = a.content.z != nil })
		}
		r.do(func() {
			if a.content.z != nil {
				t.Errorf("whole %v: the inflater is left", whole)
			}
			if n := a.c.Unread(); whole && n != uint64(len("behind it")) || a.d.pooled != 0 {
				t.Errorf("whole %v: %d bytes are left, %d connections are kept", whole, n, a.d.pooled)
			}
		})
	}
}

// serveOnce answers one request with that, and closes or resets the connection.
func serveOnce(t *testing.T, response string, reset bool) (at string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		s, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = s.Read(make([]byte, 1000))
		_, _ = io.WriteString(s, response)
		if reset {
			_ = s.(*net.TCPConn).SetLinger(0)
		}
		_ = s.Close()
	}()
	return l.Addr().String()
}

// FuzzInflate has decoders see anything in any pieces: they never make more than is
// wanted, and make of what is whole what the standard library makes of it.
func FuzzInflate(f *testing.F) {
	for _, text := range []string{gzipped("hello"), gzipped("one", "two"), zlibbed("hello"), deflated("hello"), gzipped(strings.Repeat("x", 5000)), ""} {
		f.Add([]byte(text), uint8(3), true)
		f.Add([]byte(text), uint8(200), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, piece uint8, gz bool) {
		coding := "deflate"
		if gz {
			coding = "gzip"
		}
		z := newInflater(coding)
		defer z.stop()
		const most = 4000
		var got []byte
		var err error
		for p := body; err == nil; {
			n := min(len(p), int(piece)+1)
			last := n == len(p)
			if got, err = z.append(got, p[:n], last, most); last {
				break
			}
			p = p[n:]
		}
		if len(got) > most {
			t.Fatalf("%d bytes", len(got))
		}
		if !gz || len(body) == 0 || err == errInflateMost {
			return
		}
		want, wantErr := []byte(nil), error(nil)
		r, wantErr := gzip.NewReader(bytes.NewReader(body))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(r, most+1))
		}
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%q, %v; want %q, %v", got, err, want, wantErr)
		}
	})
}
