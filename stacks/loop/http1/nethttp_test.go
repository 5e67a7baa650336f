package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// tighter are the faults for which requests are refused here that net/http reads.
var tighter = map[*Error]string{
	ErrBareLF:       "net/http takes LF for a line's end in a head",
	ErrBareCR:       "net/http trims CR off the end of a line, however many",
	ErrControl:      "net/http leaves that to its server",
	ErrFold:         "net/http joins folded lines",
	ErrEmptyLines:   "net/http takes none; of its own accord it would take any number",
	ErrTarget:       "net/http takes fragments, bytes above 0x7f, other schemes, relative targets of CONNECT",
	ErrVersion:      "net/http takes lines with further words",
	ErrVersionMajor: "net/http's reader takes any version, its server refuses",
	ErrLengthTwice:  "net/http takes equal ones for one",
	ErrBothLengths:  "net/http drops the Content-Length and closes",
	ErrCodingOld:    "net/http ignores Transfer-Encoding of HTTP/1.0",
	ErrHeadLong:     "net/http's limit is larger",
	ErrRequestLine:  "net/http takes a CONNECT without target",
	ErrLineLong:     "net/http's limit is larger",
	ErrFields:       "net/http counts bytes only",
	ErrChunkSize:    "net/http takes spaces behind a size, and a size of sixteen digits",
	ErrChunkExt:     "net/http does not look into extensions",
	ErrTrailerField: "net/http drops such trailers, or not, by what the head announces",
	ErrTrailers:     "net/http's limit is larger",
	ErrNoColon:      "net/http does not parse trailers that the head does not announce",
	ErrFieldName:    "net/http takes spaces within names, and does not parse trailers",
	ErrSpaceColon:   "net/http does not parse trailers that the head does not announce",
	ErrLength:       "net/http ignores it where there is nothing to read",
	ErrChunkEnd:     "net/http reads on only when asked to",
	ErrCut:          "net/http ends with the bytes before",
}

// tighterThere says of an error of net/http that it is about more than the message's
// form: this package leaves that to who uses a target or a host.
func tighterThere(err error) bool {
	for _, s := range []string{"parse \"", "invalid URI", "malformed Host header", "invalid Host header", "too many transfer encodings"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// agree reads input with both readers and compares what the first request is.
func agree(t *testing.T, input []byte) {
	t.Helper()
	r := newReader(false)
	r.feed(input)
	r.close()
	in := bufio.NewReader(bytes.NewReader(input))
	for range maxEmptyLines {
		if p, _ := in.Peek(2); string(p) == "\r\n" {
			_, _ = in.Discard(2)
		}
	}
	req, err := http.ReadRequest(in)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(req.Body)
	}
	if len(r.got) == 0 {
		if e, ok := r.err.(*Error); ok && err == nil && tighter[e] == "" {
			t.Fatalf("refused with %v, net/http accepts\n%q", r.err, input)
		}
		return
	}
	m := r.got[0]
	if err != nil {
		if !tighterThere(err) && !(strings.Contains(err.Error(), "too many Host headers") && checked(input) == ErrHostTwice) {
			t.Fatalf("accepted, net/http says %v\n%q", err, input)
		}
		return
	}
	if got, want := m.first, req.Method+" "+req.RequestURI; got != want {
		t.Fatalf("request %q, net/http %q\n%q", got, want, input)
	}
	if m.body != string(body) {
		t.Fatalf("body %q, net/http %q\n%q", m.body, body, input)
	}
	if rest, _ := io.ReadAll(in); r.ends[0] != len(input)-len(rest) {
		t.Fatalf("ends at %d, with net/http at %d\n%q", r.ends[0], len(input)-len(rest), input)
	}
}

// agreeResponse reads input with both readers as the answer to a request and compares what
// the first response is: a client that takes another length than others do reads answers to
// requests that it did not send.
func agreeResponse(t *testing.T, input []byte, method string) {
	t.Helper()
	r := newReader(true)
	r.method = method
	r.feed(input)
	r.close()
	in := bufio.NewReader(bytes.NewReader(input))
	for range maxEmptyLines {
		if p, _ := in.Peek(2); string(p) == "\r\n" {
			_, _ = in.Discard(2)
		}
	}
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
	}
	if len(r.got) == 0 {
		if e, ok := r.err.(*Error); ok && err == nil && tighter[e] == "" && tighterResponse[e] == "" {
			t.Fatalf("%s: refused with %v, net/http accepts\n%q", method, r.err, input)
		}
		return
	}
	m := r.got[0]
	if err != nil {
		t.Fatalf("%s: accepted, net/http says %v\n%q", method, err, input)
	}
	if got := fmt.Sprint(res.StatusCode, " "); !strings.HasPrefix(m.first, got) {
		t.Fatalf("%s: response %q, net/http %q\n%q", method, m.first, got, input)
	}
	if m.body != string(body) {
		t.Fatalf("%s: body %q, net/http %q\n%q", method, m.body, body, input)
	}
	if rest, _ := io.ReadAll(in); r.ends[0] != len(input)-len(rest) {
		t.Fatalf("%s: ends at %d, with net/http at %d\n%q", method, r.ends[0], len(input)-len(rest), input)
	}
}

// tighterResponse are the further faults for which responses are refused.
var tighterResponse = map[*Error]string{
	ErrStatusLine:  "net/http takes lines without a space behind the status",
	ErrCoding:      "net/http takes content whose end is unclear",
	ErrCodingOther: "net/http takes content whose end is unclear",
}

// checked is what a server says of the first request, beside its form.
func checked(input []byte) error {
	p := NewParser(Limits{})
	if _, err := p.Request(input); err != nil {
		return err
	}
	return p.Check()
}

// TestGoFuzz reads what a fuzzer of net/http collected.
func TestGoFuzz(t *testing.T) {
	t.Parallel()
	n := 0
	corpus(t, "gofuzz-httpreq.jsonl", func(line []byte) {
		var c struct {
			Input []byte `json:"input_b64"`
			Node  struct {
				Messages int
				Err      string
			} `json:"node_llhttp"`
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		agree(t, c.Input)
		n++
	})
	corpus(t, "gofuzz-httpresp.jsonl", func(line []byte) {
		var c struct {
			Input []byte `json:"input_b64"`
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		splits(t, c.Input, true)
		agreeResponse(t, c.Input, "GET")
		agreeResponse(t, c.Input, "HEAD")
	})
	if n < 400 {
		t.Errorf("only %d cases", n)
	}
}

// splits reads input whole and in pieces: what comes of it must not depend on that.
func splits(t *testing.T, input []byte, response bool) {
	t.Helper()
	want := read(string(input), response).outcome()
	for _, size := range []int{1, 2, 3, 17} {
		r := newReader(response)
		for i := 0; i < len(input); i += size {
			r.feed(input[i:min(len(input), i+size)])
		}
		r.close()
		if got := r.outcome(); got != want {
			t.Fatalf("in pieces of %d:\n%s\nwhole:\n%s\n%q", size, got, want, input)
		}
	}
}

func seeds(f *testing.F) {
	for _, c := range refusals {
		if len(c.input) < 1000 {
			f.Add([]byte(c.input))
		}
	}
	for _, s := range []string{
		"GET /1 HTTP/1.1\nHost: a\n\nPOST /2 HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n3\nabc\n2;x=\"y\"\nde\n0\nX-Sum: 5\n\n\n",
		"POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\nokGET /4 HTTP/1.0\n\n",
		"OPTIONS * HTTP/1.1\nExpect: 100-continue\n\n", "CONNECT a:1 HTTP/1.1\n\n",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n", "HTTP/1.1 100 Continue\n\nHTTP/1.1 204\n\n",
	} {
		f.Add([]byte(crlf(s)))
	}
}

func FuzzRequest(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		agree(t, input)
		splits(t, input, false)
	})
}

func FuzzResponse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		splits(t, input, true)
		agreeResponse(t, input, "GET")
		agreeResponse(t, input, "HEAD")
	})
}
