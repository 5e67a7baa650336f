package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crlf makes the lines of a test's text end as HTTP's do.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestRequest(t *testing.T) {
	t.Parallel()
	input := crlf("\nPOST /a/b?x=1&y=2 HTTP/1.1\nHost: example.net:80\nX-Empty:\nX:  two words \t\ncontent-LENGTH: 5\n\nhello" +
		"GET http://other.example?q HTTP/1.0\nConnection: Keep-Alive, foo\n\n")
	p := NewParser(Limits{})
	n, err := p.Request([]byte(input))
	if err != nil || n != strings.Index(input, "hello") {
		t.Fatalf("n %d, %v", n, err)
	}
	query, ok := p.Query()
	value, _ := p.Get("x")
	empty, has := p.Get("x-empty")
	_, lacks := p.Get("y")
	got := fmt.Sprintf("%s %s %s %s %v %s 1.%d %d [%s] [%s] %v %v %v", p.Method(), p.Target(), p.Path(), query, ok, p.Host(), p.Minor, p.Length, value, empty, has, lacks, p.KeepAlive)
	want := "POST /a/b?x=1&y=2 /a/b x=1&y=2 true example.net:80 1.1 5 [two words] [] true false true"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.Reset()
	if n, err = p.Request([]byte(input)[n+5:]); err != nil || n == 0 {
		t.Fatalf("n %d, %v", n, err)
	}
	query, ok = p.Query()
	got = fmt.Sprintf("%s %s %v %s %v %v", p.Path(), query, ok, p.Host(), p.KeepAlive, p.Framing)
	if got != "/ q true other.example true 0" {
		t.Error(got)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, path, host string }{
		{"GET / HTTP/1.1", "/", "h"},
		{"OPTIONS * HTTP/1.1", "*", "h"},
		{"CONNECT a.example:443 HTTP/1.1", "", "a.example:443"},
		{"CONNECT [::1]:443 HTTP/1.1", "", "[::1]:443"},
		{"GET HTTPS://a.example/x?y HTTP/1.1", "/x", "a.example"},
		{"GET http://a.example HTTP/1.1", "/", "a.example"},
		{"GET //a.example/x HTTP/1.1", "//a.example/x", "h"},
	} {
		p := NewParser(Limits{})
		if n, err := p.Request([]byte(c.line + "\r\nHost: h\r\n\r\n")); n == 0 || err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := string(p.Path()); got != c.path {
			t.Errorf("%s: path %q", c.line, got)
		}
		if got := string(p.Host()); got != c.host {
			t.Errorf("%s: host %q", c.line, got)
		}
	}
}

// refusals are requests that must not pass, each with what is wrong.
var refusals = []struct {
	name, input string
	want        *Error
}{
	{"LF", "GET / HTTP/1.1\nHost: a\n\n", ErrBareLF},
	{"LF in the head", "GET / HTTP/1.1\r\nHost: a\n\r\n", ErrBareLF},
	{"LF for the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", ErrBareLF},
	{"CR in a value", "GET / HTTP/1.1\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n", ErrBareCR},
	{"CR CR LF", "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", ErrBareCR},
	{"CR before colon", "GET / HTTP/1.1\r\nA\r: b\r\n\r\n", ErrFieldName},
	{"NUL in a value", "GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", ErrControl},
	{"DEL in a value", "GET / HTTP/1.1\r\nA: b\x7fc\r\n\r\n", ErrControl},
	{"NUL in a name", "GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", ErrFieldName},
	{"space before colon", "GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", ErrSpaceColon},
	{"tab before colon", "GET / HTTP/1.1\r\nContent-Length\t: 5\r\n\r\n", ErrSpaceColon},
	{"no colon", "GET / HTTP/1.1\r\nA\r\n\r\n", ErrNoColon},
	{"no colon, words", "GET / HTTP/1.1\r\nA b\r\n\r\n", ErrNoColon},
	{"empty name", "GET / HTTP/1.1\r\n: b\r\n\r\n", ErrFieldName},
	{"quoted name", "GET / HTTP/1.1\r\n\"A\": b\r\n\r\n", ErrFieldName},
	{"fold", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", ErrFold},
	{"fold with tab", "GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", ErrFold},
	{"space before the first field", "GET / HTTP/1.1\r\n A: b\r\n\r\n", ErrFold},

	{"two equal lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", ErrLengthTwice},
	{"two lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", ErrLengthTwice},
	{"list of lengths", "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", ErrLength},
	{"plus", "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", ErrLength},
	{"minus", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", ErrLength},
	{"hexadecimal", "POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\n", ErrLength},
	{"no length", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", ErrLength},
	{"underscore", "POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", ErrLength},
	{"inner space", "POST / HTTP/1.1\r\nContent-Length: 4 2\r\n\r\n", ErrLength},
	{"overflow", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n", ErrLength},

	{"length and chunked", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ErrBothLengths},
	{"chunked and length", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", ErrBothLengths},
	{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ErrCodingOld},
	{"chunked twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ErrCoding},
	{"chunked, chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", ErrCoding},
	{"chunked, identity", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", ErrCoding},
	{"chunked, then identity", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", ErrCoding},
	{"identity", "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", ErrCoding},
	{"xchunked", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", ErrCoding},
	{"quoted", "POST / HTTP/1.1\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", ErrCoding},
	{"with parameter", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked;a=b\r\n\r\n", ErrCoding},
	{"vertical tab", "POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", ErrControl},
	{"trailing comma", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked,\r\n\r\n", ErrCoding},
	{"empty coding", "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", ErrCoding},
	{"gzip", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ErrCodingOther},

	{"tab in the line", "GET /\tHTTP/1.1\r\n\r\n", ErrRequestLine},
	{"two spaces", "GET  / HTTP/1.1\r\n\r\n", ErrRequestLine},
	{"two spaces before version", "GET /  HTTP/1.1\r\n\r\n", ErrVersion},
	{"space at the end", "GET / HTTP/1.1 \r\n\r\n", ErrVersion},
	{"space at the front", " GET / HTTP/1.1\r\n\r\n", ErrMethod},
	{"no version", "GET /\r\n\r\n", ErrRequestLine},
	{"no target", "GET\r\n\r\n", ErrRequestLine},
	{"version 2", "GET / HTTP/2.0\r\n\r\n", ErrVersionMajor},
	{"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrVersionMajor},
	{"version of two digits", "GET / HTTP/1.10\r\n\r\n", ErrVersion},
	{"lower case version", "GET / http/1.1\r\n\r\n", ErrVersion},
	{"another protocol", "GET / RTSP/1.0\r\n\r\n", ErrVersion},
	{"method with a brace", "G{T / HTTP/1.1\r\n\r\n", ErrMethod},
	{"TLS", "\x16\x03\x01\x02\x00", ErrMethod},
	{"fragment", "GET /#x HTTP/1.1\r\n\r\n", ErrTarget},
	{"UTF-8", "GET /\xc3\xa9 HTTP/1.1\r\n\r\n", ErrTarget},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\n\r\n", ErrTarget},
	{"relative", "GET a HTTP/1.1\r\n\r\n", ErrTarget},
	{"star", "GET * HTTP/1.1\r\n\r\n", ErrTarget},
	{"other scheme", "GET ftp://a/ HTTP/1.1\r\n\r\n", ErrTarget},
	{"no host", "GET http:///x HTTP/1.1\r\n\r\n", ErrTarget},
	{"userinfo", "GET http://a@b/x HTTP/1.1\r\n\r\n", ErrTarget},
	{"connect to a path", "CONNECT / HTTP/1.1\r\n\r\n", ErrTarget},
	{"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", ErrEmptyLines},
	{"long line", "GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\n\r\n", ErrLineLong},
	{"long line without end", "GET /" + strings.Repeat("a", 9<<10), ErrLineLong},
	{"long head", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 32<<10) + "\r\n\r\n", ErrHeadLong},
	{"many fields", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", ErrFields},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		for _, size := range []int{1, 7, len(c.input)} {
			r := newReader(false)
			for i := 0; i < len(c.input); i += size {
				r.feed([]byte(c.input)[i:min(len(c.input), i+size)])
			}
			if r.err != error(c.want) {
				t.Errorf("%s, in pieces of %d: got %v, want %v", c.name, size, r.err, c.want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields string
		want   error
	}{
		{"Host: a\r\n", nil},
		{"Host:\r\n", nil}, // of a target without authority
		{"", ErrHostMissing},
		{"Host: a\r\nHost: a\r\n", ErrHostTwice},
		{"Host: a b\r\n", ErrHost},
		{"Host: a/b\r\n", ErrHost},
		{"Host: a@b\r\n", ErrHost},
		{"Host: a\r\nExpect: 100-Continue\r\n", nil},
		{"Host: a\r\nExpect: more\r\n", ErrExpect},
	} {
		p := NewParser(Limits{})
		if _, err := p.Request([]byte("GET / HTTP/1.1\r\n" + c.fields + "\r\n")); err != nil {
			t.Errorf("%q: %v", c.fields, err)
		} else if err := p.Check(); err != c.want {
			t.Errorf("%q: %v, want %v", c.fields, err, c.want)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, fields string
		keep, upgrade   bool
	}{
		{"1.1", "", true, false},
		{"1.0", "", false, false},
		{"1.0", "Connection: keep-alive\r\n", true, false},
		{"1.1", "Connection: close\r\n", false, false},
		{"1.1", "Connection: keep-alive, CLOSE\r\n", false, false},
		{"1.1", "Connection: foo\r\nConnection: ,close\r\n", false, false},
		{"1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true, true},
		{"1.1", "Upgrade: websocket\r\n", true, false},
		{"1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false, false},
		{"1.7", "", true, false},
	} {
		p := NewParser(Limits{})
		if _, err := p.Request([]byte("GET / HTTP/" + c.version + "\r\n" + c.fields + "\r\n")); err != nil {
			t.Error(err)
		}
		if p.KeepAlive != c.keep || p.Upgrade != c.upgrade {
			t.Errorf("%s %q: keep %v, upgrade %v", c.version, c.fields, p.KeepAlive, p.Upgrade)
		}
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, method, input, want string }{
		{"length", "", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "200 OK 1.1 keep=true\nContent-Length: 2\n\"ok\"\n"},
		{"until close", "", "HTTP/1.1 200 OK\n\nall\nthis", "200 OK 1.1 keep=false\n\"all\\r\\nthis\"\n"},
		{"no reason", "", "HTTP/1.1 200\nContent-Length: 0\n\n", "200  1.1 keep=true\nContent-Length: 0\n\"\"\n"},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\nContent-Length: 9\n\n", "200 OK 1.1 keep=true\nContent-Length: 9\n\"\"\n"},
		{"not modified", "", "HTTP/1.1 304 Not Modified\nContent-Length: 9\n\n", "304 Not Modified 1.1 keep=true\nContent-Length: 9\n\"\"\n"},
		{"continue first", "", "HTTP/1.1 100 Continue\n\nHTTP/1.1 204 No Content\n\n", "100 Continue 1.1 keep=true\n\"\"\n204 No Content 1.1 keep=true\n\"\"\n"},
		{"cut", "", "HTTP/1.1 200 OK\nContent-Length: 9\n\nabc", "error http1: 400: message cut short\n"},
		{"old", "", "HTTP/1.0 200 OK\n\n", "200 OK 1.0 keep=false\n\"\"\n"},
		{"switching", "", "HTTP/1.1 101 Switching Protocols\n\nxyz", "101 Switching Protocols 1.1 keep=true\n\"\"\nupgraded, rest \"xyz\"\n"},
		{"both", "", "HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\n\n", "error http1: 400: Content-Length beside Transfer-Encoding\n"},
		{"no number", "", "HTTP/1.1 2x0 OK\n\n", "error http1: 400: status line is not version, status and reason\n"},
		{"two spaces", "", "HTTP/1.1  200 OK\n\n", "error http1: 400: status line is not version, status and reason\n"},
	} {
		r := newReader(true)
		r.method = c.method
		r.feed([]byte(crlf(c.input)))
		r.close()
		if d := cmp.Diff(c.want, r.outcome()); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestPipeline reads several requests from one slice, and in bytes.
func TestPipeline(t *testing.T) {
	t.Parallel()
	input := crlf("GET /1 HTTP/1.1\nHost: a\n\nPOST /2 HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n3\nabc\n2;x=\"y\"\nde\n0\nX-Sum: 5\n\n\nPOST /3 HTTP/1.1\nHost: a\nContent-Length: 2\n\nokGET /4 HTTP/1.0\n\n")
	want := "GET /1 1.1 keep=true\nHost: a\n\"\"\nPOST /2 1.1 keep=true\nHost: a\nTransfer-Encoding: Chunked\n\"abcde\"\n" +
		"POST /3 1.1 keep=true\nHost: a\nContent-Length: 2\n\"ok\"\nGET /4 1.0 keep=false\n\"\"\n"
	if d := cmp.Diff(want, read(input, false).outcome()); d != "" {
		t.Error(d)
	}
	r := newReader(false)
	for i := range len(input) {
		r.feed([]byte{input[i]})
	}
	r.close()
	if d := cmp.Diff(want, r.outcome()); d != "" {
		t.Error(d)
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name, body string
		want       error
		content    string
	}{
		{"two", "1\na\n02\nbc\n0\n\n", nil, "abc"},
		{"upper and lower", "A\n0123456789\na\n0123456789\n0\n\n", nil, "01234567890123456789"},
		{"extensions", "1 ;a\n", ErrChunkSize, ""},
		{"extension", "1;a=b; c=\"d\"\nx\n0;e\n\n", nil, "x"},
		{"empty extension", "1;\nx\n0\n\n", ErrChunkExt, ""},
		{"long extension", "1;" + long + "\n", ErrChunkExt, ""},
		{"many extensions", strings.Repeat("1;"+long[:200]+"\nx\n", 100), ErrChunkExt, ""},
		{"trailers", "0\nA: b\nC:\n\n", nil, ""},
		{"trailer of the head", "0\nContent-Length: 1\n\n", ErrTrailerField, ""},
		{"trailer without colon", "0\nA\n\n", ErrNoColon, ""},
		{"long trailers", "0\n" + strings.Repeat("A: "+long+"\n", 30) + "\n", ErrTrailers, ""},
		{"no size", "\nx\n", ErrChunkSize, ""},
		{"sign", "-1\n", ErrChunkSize, ""},
		{"0x", "0x1\na\n", ErrChunkSize, ""},
		{"sixteen digits", "0000000000000001\na\n0\n\n", ErrChunkSize, ""},
		{"overflow", "fffffffffffffffff\n", ErrChunkSize, ""},
		{"space", "1 \na\n", ErrChunkSize, ""},
		{"too long", "1\nab\n0\n\n", ErrChunkEnd, ""},
		{"no end", "1\na0\n\n", ErrChunkEnd, ""},
		{"cut", "5\nabc", ErrCut, ""},
		{"no last chunk", "1\na\n", ErrCut, ""},
		{"no empty line", "0\n", ErrCut, ""},
	} {
		r := read(crlf("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n"+c.body), false)
		if r.err != c.want {
			t.Errorf("%s: got %v, want %v", c.name, r.err, c.want)
		}
		if c.want == nil && (len(r.got) != 1 || r.got[0].body != c.content) {
			t.Errorf("%s: got %q", c.name, r.outcome())
		}
	}
	for input, want := range map[string]error{
		"1\na\r\n0\r\n\r\n": ErrBareLF, "1\r\na\n0\r\n\r\n": ErrChunkEnd, "1\r\na\r\n0\n\r\n": ErrBareLF,
		"1\r\na\r\n0\r\n\n": ErrBareLF, "1\r\r\na": ErrBareCR, "1;a\nb": ErrBareLF, "1;a\x00b": ErrChunkExt,
	} {
		if r := read("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"+input, false); r.err != want {
			t.Errorf("%q: got %v, want %v", input, r.err, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	input := []byte(crlf("POST /upload?x HTTP/1.1\nHost: example.net\nUser-Agent: test\nAccept: */*\nConnection: keep-alive\nTransfer-Encoding: chunked\n\n4\nabcd\n0\n\n"))
	p := NewParser(Limits{})
	var body Body
	var date Date
	out := make([]byte, 0, 512)
	n := testing.AllocsPerRun(100, func() {
		p.Reset()
		n, err := p.Request(input)
		if err != nil || p.Check() != nil {
			t.Fatal(err)
		}
		body.Begin(&p.Head, &p.limits)
		for rest := input[n:]; !body.Done(); {
			_, n, err := body.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		out = AppendStatus(out[:0], 404)
		out = date.Append(out, 1)
		out = AppendField(out, "Content-Type", "text/plain")
		out = AppendLength(out, 3)
	})
	if n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}
