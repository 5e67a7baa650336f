package multipart

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read feeds a body in pieces of so many bytes and notes what comes; errors end it.
func read(t testing.TB, boundary, body string, piece int) (parts []string, err error) {
	t.Helper()
	r, err := NewReader(boundary)
	if err != nil {
		return nil, err
	}
	var data strings.Builder
	for len(body) > 0 {
		n := min(piece, len(body))
		r.Feed([]byte(body[:n]))
		body = body[n:]
		for kind, p, err := r.Next(); kind != None || err != nil; kind, p, err = r.Next() {
			switch {
			case err != nil:
				return parts, err
			case kind == Data && len(p) == 0:
				t.Fatal("an empty piece")
			case kind == Data:
				data.Write(p)
			case kind == End:
				p := r.Part()
				parts = append(parts, strings.Join([]string{p.Name, p.Filename, p.Type, data.String()}, "|"))
				data.Reset()
			}
		}
		if left := len(r.buf) - r.off; left > MaxHead+n+len(r.delimiter)+4 {
			t.Fatalf("%d bytes are kept", left)
		}
	}
	return parts, r.Close()
}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       []string
		err        error
	}{
		{
			"fields and a file", "--b\nContent-Disposition: form-data; name=\"a\"\n\none\n--b\n" +
				"Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\nContent-Type: text/plain\n\ntwo\nlines\n\n--b--\n",
			[]string{"a|||one", "f|x.txt|text/plain|two\r\nlines\r\n"},
			nil,
		},
		{"no parts", "--b--", nil, nil},
		{"preamble and epilogue", "not for you\n--b\n\nx\n--b--\nnor this --b", []string{"|||x"}, nil},
		{"an empty part", "--b\nContent-Disposition: form-data; name=a\n\n\n--b--", []string{"a|||"}, nil},
		{"nothing behind a head", "--b\nContent-Disposition: form-data; name=a\n\n--b--", []string{"a|||"}, nil},
		{"spaces behind a boundary", "--b \t\n\nx\n--b--", []string{"|||x"}, nil},
		{"what only looks like it", "--b\n\nx\n--bc\n--b-\n--b--", []string{"|||x\r\n--bc\r\n--b-"}, nil},
		{"cut", "--b\n\nx", nil, ErrCut},
		{"empty", "", nil, ErrCut},
		{"more behind a boundary", "--b  x\n\n--b--", nil, ErrLine},
		{"a head without end", "--b\nX: " + strings.Repeat("x", MaxHead), nil, ErrHead},
		{"too many", strings.Repeat("--b\n\nx\n", MaxParts+1) + "--b--", nil, ErrParts},
	} {
		body := strings.ReplaceAll(c.body, "\n", "\r\n")
		for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
			got, err := read(t, "b", body, piece)
			if d := cmp.Diff(c.want, got); d != "" && c.err == nil || !errors.Is(err, c.err) {
				t.Errorf("%s in pieces of %d: %v %s", c.name, piece, err, d)
			}
		}
	}
	if _, err := NewReader(strings.Repeat("b", 71)); !errors.Is(err, ErrBoundary) {
		t.Error(err)
	}
	for kind, want := range map[string]string{
		"multipart/form-data; boundary=b": "b", `Multipart/Form-Data; charset=x; boundary="a b"`: "a b",
		"multipart/mixed; boundary=b": "no", "text/plain": "no", "": "no",
	} {
		got, ok := Boundary(kind)
		if !ok {
			got = "no"
		}
		if got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

// FuzzReader compares with mime/multipart what is accepted, and with itself in pieces.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=x\r\n\r\none\r\n--b\r\n\r\n\r\n--b--\r\n",
		"x\r\n--b \r\n\r\n--b-- ", "--b\r\nA: b\r\n c\r\n\r\n--bb\r\n--b-\r\n--b--",
	} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, body string, piece uint8) {
		want, err := read(t, "b", body, len(body)+1)
		got, inPieces := read(t, "b", body, int(piece)+1)
		if d := cmp.Diff(want, got); d != "" || fmt.Sprint(err) != fmt.Sprint(inPieces) {
			t.Fatalf("in pieces: %v, whole %v: %s", inPieces, err, d)
		}
		if err != nil {
			return
		}
		if strings.Contains(strings.ReplaceAll(body, "\r\n", ""), "\n") {
			return // net/http takes LF for a line's end
		}
		in := multipart.NewReader(strings.NewReader(body), "b")
		for i := range want {
			p, err := in.NextRawPart()
			if err != nil {
				return // it does not take all heads
			}
			data, err := io.ReadAll(p)
			if err != nil || !strings.HasSuffix(want[i], "|"+string(data)) {
				t.Fatalf("part %d: %q, theirs %q %v", i, want[i], data, err)
			}
		}
	})
}
