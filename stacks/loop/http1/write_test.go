package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestWrite has net/http read what is written.
func TestWrite(t *testing.T) {
	t.Parallel()
	var date Date
	out := AppendStatus(nil, 404)
	out = date.Append(out, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC).UnixNano())
	out = AppendField(out, "Transfer-Encoding", []byte("chunked"))
	out = append(out, "\r\n"...)
	out = AppendChunk(out, "hello, ")
	out = AppendChunk(out, "")
	out = AppendChunk(out, bytes.Repeat([]byte("x"), 17))
	out = AppendLast(out)
	out = AppendStatus(out, 200)
	out = AppendLength(out, 2)
	out = append(out, "\r\nok"...)
	out = AppendStatus(out, 799)
	out = append(out, "\r\n"...)

	in := bufio.NewReader(bytes.NewReader(out))
	for _, want := range []struct{ status, date, body string }{
		{"404 Not Found", "Fri, 02 Jan 2026 03:04:05 GMT", "hello, xxxxxxxxxxxxxxxxx"},
		{"200 OK", "", "ok"},
		{"799", "", ""},
	} {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != want.body || r.Header.Get("Date") != want.date || r.Status != want.status && r.Status != want.status+" " {
			t.Errorf("got %q, %q, %q, %v", r.Status, r.Header.Get("Date"), body, err)
		}
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(AppendField(AppendRequest(nil, "PUT", "/x?y"), "Host", "a"), "\r\n"...))))
	if err != nil || req.Method != "PUT" || req.RequestURI != "/x?y" || req.Host != "a" {
		t.Errorf("%v, %v", req, err)
	}
}

// TestDate wants the text of each second.
func TestDate(t *testing.T) {
	t.Parallel()
	var d Date
	for _, now := range []int64{0, 1, int64(time.Second) - 1, int64(time.Second), 10 * int64(time.Hour)} {
		want := "Date: " + time.Unix(0, now).UTC().Format(http.TimeFormat) + "\r\n"
		if got := string(d.Append(nil, now)); got != want {
			t.Errorf("at %d: %q, want %q", now, got, want)
		}
	}
}

func TestBodyless(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{100: true, 101: true, 200: false, 204: true, 304: true, 404: false} {
		if Bodyless(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	if !IsToken("GET") || IsToken("") || IsToken("a b") || IsToken([]byte("a\r")) {
		t.Error("tokens")
	}
	if !IsValue("") || !IsValue("a b\tc\xff") || IsValue("a\r\nb") || IsValue([]byte{0}) {
		t.Error("values")
	}
}
