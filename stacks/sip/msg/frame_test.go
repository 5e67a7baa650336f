package msg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// frames divides what comes, in pieces of a size.
func frames(in string, step int, lim Limits) (got []string, err error) {
	var f Framer
	var buf []byte
	for len(in) != 0 {
		n := min(step, len(in))
		buf, in = append(buf, in[:n]...), in[n:]
		for {
			kind, n, err := f.Next(buf, lim)
			if err != nil {
				return got, err
			}
			if kind == Incomplete {
				break
			}
			switch kind {
			case Ping:
				got = append(got, "ping")
			case Whole:
				got = append(got, string(buf[:n]))
			}
			buf = buf[n:]
		}
	}
	return got, nil
}

func TestFramer(t *testing.T) {
	t.Parallel()
	one := request("Via: x", "Content-Length:\r\n 5", "To: y") + "hello"
	two := request("l : 0")
	lim := Limits{Size: 300, Head: 200, Fields: 10}
	for _, row := range []struct {
		name, in string
		want     []string
		err      error
	}{
		{"two messages", one + two, []string{one, two}, nil},
		{"keep-alive between them", "\r\n\r\n" + one + "\r\n\r\n" + two, []string{"ping", one, "ping", two}, nil},
		{"an answer to one", "\r\n" + one, []string{one}, nil},
		{"not all of it", one[:len(one)-1], nil, nil},
		{"no length", request("Via: x"), nil, ErrFrameLength},
		{"two lengths", request("l: 1", "Content-Length: 1"), nil, ErrFrameLength},
		{"a negative one", request("l: -1"), nil, ErrFrameLength},
		{"too long a body", request("l: 290"), nil, ErrFrameSize},
		{"too long a header", strings.Repeat("x", 250), nil, ErrFrameSize},
	} {
		for _, step := range []int{1, 2, 3, 7, 1000} {
			got, err := frames(row.in, step, lim)
			if err != row.err {
				t.Errorf("%s in steps of %d: %v, want %v", row.name, step, err, row.err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s in steps of %d: %s", row.name, step, diff)
			}
		}
	}
}
