package wsframe

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// frame builds a masked frame as a client sends it.
func frame(op Opcode, fin bool, payload string) string {
	w := NewWriter(Config{})
	w.Key = func() [4]byte { return key }
	return string(w.frame(nil, Header{Opcode: op, Fin: fin}, []byte(payload)))
}

// plain builds an unmasked frame as a server sends it.
func plain(op Opcode, fin bool, payload string) string {
	return string(NewWriter(Config{Server: true}).frame(nil, Header{Opcode: op, Fin: fin}, []byte(payload)))
}

// readAll feeds in to a Reader in pieces of that size, keeping what is not consumed,
// and returns what it told in short.
func readAll(r *Reader, in string, piece int) string {
	var told []string
	var buf []byte
	for i := 0; i < len(in); i += piece {
		buf = append(buf, in[i:min(len(in), i+piece)]...)
		for {
			m, n, ok, err := r.Next(buf)
			if ok {
				part := ""
				if !m.Fin {
					part = "+"
				}
				told = append(told, fmt.Sprintf("%v%s %q", m.Opcode, part, m.Data))
			}
			if n > len(buf) || err == nil && !ok && n == 0 && len(buf) >= MaxHeader+MaxControl {
				told = append(told, fmt.Sprintf("consumed %d of %d", n, len(buf)))
			}
			buf = buf[n:]
			if err != nil {
				e := new(Error)
				if !errors.As(err, &e) {
					return err.Error()
				}
				return strings.Join(append(told, fmt.Sprintf("error %d", e.Code)), ", ")
			}
			if !ok {
				break
			}
		}
	}
	return strings.Join(told, ", ")
}

// TestExamples has the examples of RFC 6455 section 5.7.
func TestExamples(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 65536)
	for _, c := range []struct {
		name   string
		server bool
		in     string
		want   string
	}{
		{"unmasked text", false, "\x81\x05Hello", `text "Hello"`},
		{"masked text", true, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", `text "Hello"`},
		{"fragmented", false, "\x01\x03Hel\x80\x02lo", `text "Hello"`},
		{"ping", false, "\x89\x05Hello", `ping "Hello"`},
		{"pong", true, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", `pong "Hello"`},
		{"256 bytes", false, "\x82\x7e\x01\x00" + big[:256], fmt.Sprintf("binary %q", big[:256])},
		{"64 KiB", false, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + big, fmt.Sprintf("binary %q", big)},
	} {
		for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
			if got := readAll(NewReader(Config{Server: c.server}), c.in, piece); got != c.want {
				t.Errorf("%s in pieces of %d: %.80s", c.name, piece, got)
			}
		}
	}
	if got := frame(Text, true, "Hello"); got != "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" {
		t.Errorf("written: %q", got)
	}
}

// TestRules has what RFC 6455 sections 5, 7 and 8.1 demand, by the cases that test
// suites for it count.
func TestRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("p", 125)
	for _, c := range []struct{ name, in, want string }{
		{"empty text", frame(Text, true, ""), `text ""`},
		{"empty ping", frame(Ping, true, ""), `ping ""`},
		{"ping of 125", frame(Ping, true, long), `ping "` + long + `"`},
		{"ping of 126", frame(Ping, true, long+"p"), "error 1002"},
		{"fragmented ping", frame(Ping, false, "a"), "error 1002"},
		{"RSV1", "\xc1\x80\x00\x00\x00\x00", "error 1002"},
		{"RSV2", "\xa1\x80\x00\x00\x00\x00", "error 1002"},
		{"RSV3 of a ping", "\x99\x80\x00\x00\x00\x00", "error 1002"},
		{"opcode 3", "\x83\x80\x00\x00\x00\x00", "error 1002"},
		{"opcode 15", "\x8f\x80\x00\x00\x00\x00", "error 1002"},
		{"unmasked", plain(Text, true, "a"), "error 1002"},
		{"16 bits for a short length", "\x82\xfe\x00\x7d", "error 1002"},
		{"64 bits for a middle length", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", "error 1002"},
		{"top bit of a length", "\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00", "error 1002"},
		{"too big", "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01\x00\x00\x00\x00", "error 1009"},
		{"ping inside", frame(Text, false, "a") + frame(Ping, true, "p") + frame(Continuation, true, "b"), `ping "p", text "ab"`},
		{"three parts", frame(Binary, false, "a") + frame(Continuation, false, "") + frame(Continuation, true, "b"), `binary "ab"`},
		{"continuation first", frame(Continuation, true, "a"), "error 1002"},
		{"continuation after the end", frame(Text, true, "a") + frame(Continuation, false, "b"), `text "a", error 1002`},
		{"text inside text", frame(Text, false, "a") + frame(Text, true, "b"), "error 1002"},
		{"bad UTF-8", frame(Text, true, "\xce\xba\xed\xa0\x80edited"), "error 1007"},
		{"character in two parts", frame(Text, false, "\xce") + frame(Continuation, true, "\xba"), `text "κ"`},
		{"character cut", frame(Text, true, "a\xce"), "error 1007"},
		{"bad in the first part", frame(Text, false, "\xf4\x90") + frame(Ping, true, ""), "error 1007"},
		{"binary is anything", frame(Binary, true, "\xff"), `binary "\xff"`},
		{"close", frame(Close, true, ""), `close ""`},
		{"close 1000", frame(Close, true, "\x03\xe8bye"), `close "\x03\xe8bye"`},
		{"close of one byte", frame(Close, true, "\x03"), "error 1002"},
		{"close 1005", frame(Close, true, "\x03\xed"), "error 1002"},
		{"close reason", frame(Close, true, "\x03\xe8\xff"), "error 1007"},
		{"after close", frame(Close, true, "") + frame(Text, true, "a") + "junk", `close ""`},
	} {
		for _, piece := range []int{1, 5, 1 << 20} {
			if got := readAll(NewReader(Config{Server: true}), c.in, piece); got != c.want {
				t.Errorf("%s in pieces of %d: %s, want %s", c.name, piece, got, c.want)
			}
		}
	}
	if got := readAll(NewReader(Config{}), frame(Text, true, "a"), 9); got != "error 1002" {
		t.Errorf("masked from a server: %s", got)
	}
}

// TestFragments tells parts as they come.
func TestFragments(t *testing.T) {
	t.Parallel()
	in := frame(Text, false, "a\xce") + frame(Ping, true, "") + frame(Continuation, false, "\xbab") + frame(Continuation, true, "") + frame(Binary, true, "c")
	want := `text+ "a\xce", ping "", continuation+ "\xbab", continuation "", binary "c"`
	for _, piece := range []int{1, 4, 100} {
		if got := readAll(NewReader(Config{Server: true, Fragments: true}), in, piece); got != want {
			t.Errorf("pieces of %d: %s", piece, got)
		}
	}
}

// TestMessageBound adds fragments up.
func TestMessageBound(t *testing.T) {
	t.Parallel()
	r := NewReader(Config{Server: true, MaxMessage: 10})
	if got := readAll(r, frame(Binary, false, "123456")+frame(Continuation, true, "7890")+frame(Binary, false, "1234567")+frame(Continuation, true, "8901"), 3); got != `binary "1234567890", error 1009` {
		t.Error(got)
	}
	// Many small fragments keep no more than their bytes, and what was told keeps nothing.
	r = NewReader(Config{Server: true})
	one := frame(Binary, false, "x")
	readAll(r, one, 100)
	one = frame(Continuation, false, "x")
	for range 9999 {
		readAll(r, one, 100)
	}
	if r.told || len(r.buf) != 10000 || cap(r.buf) > 40000 {
		t.Errorf("%d bytes pending in %d", len(r.buf), cap(r.buf))
	}
	readAll(r, frame(Continuation, true, "x")+frame(Ping, true, ""), 100)
	if len(r.buf) != 0 || cap(r.buf) > keptBuffer {
		t.Errorf("%d bytes pending in %d after the message", len(r.buf), cap(r.buf))
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		p := make([]byte, rnd.IntN(130))
		off := rnd.Uint64() % 9
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		want := bytes.Clone(p)
		for i := range want {
			want[i] ^= key[(off+uint64(i))%4]
		}
		if Mask(p, key, off); !bytes.Equal(p, want) {
			t.Fatalf("%d bytes at %d", len(p), off)
		}
	}
}

// TestText compares with the whole text at each cut.
func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in string
		ok bool
	}{
		{"κόσμε", true},
		{"\xf0\x9f\x98\x80€é a", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\xef\xbf\xbf", true},
		{"\xed\x9f\xbf\xee\x80\x80", true},
		{"\x00\x7f", true},
		{"\xed\xa0\x80", false},
		{"\xf4\x90\x80\x80", false},
		{"\xc0\xaf", false},
		{"\xe0\x80\xaf", false},
		{"\xf8\x88\x80\x80\x80", false},
		{"\x80", false},
		{"abc\xe2\x82", false},
	} {
		for i := range len(c.in) + 1 {
			for j := i; j <= len(c.in); j++ {
				var x text
				if got := x.add([]byte(c.in[:i])) && x.add([]byte(c.in[i:j])) && x.add([]byte(c.in[j:])) && x.end(); got != c.ok {
					t.Errorf("%q cut at %d and %d: %v", c.in, i, j, got)
				}
			}
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code Code
		ok   bool
	}{
		{0, false},
		{999, false},
		{1000, true},
		{1003, true},
		{1004, false},
		{1005, false},
		{1006, false},
		{1007, true},
		{1014, true},
		{1015, false},
		{1016, false},
		{2999, false},
		{3000, true},
		{4999, true},
		{5000, false},
		{65535, false},
	} {
		code, reason, err := ParseClose(append([]byte{byte(c.code >> 8), byte(c.code)}, "why"...))
		if (err == nil) != c.ok || code != c.code || c.ok && string(reason) != "why" {
			t.Errorf("%d: %d %q %v", c.code, code, reason, err)
		}
	}
	if got := AppendClose(nil, NoStatus, "why"); len(got) != 0 {
		t.Errorf("no status: %q", got)
	}
	long := AppendClose(nil, Normal, strings.Repeat("é", 100))
	if _, reason, err := ParseClose(long); err != nil || len(reason) != 122 || len(long) > MaxControl {
		t.Errorf("long reason: %d bytes, %v", len(reason), err)
	}
}

// TestAllocations reads and writes messages that are whole without any.
func TestAllocations(t *testing.T) {
	in := []byte(frame(Text, true, strings.Repeat("hello ", 100)))
	r, w := NewReader(Config{Server: true}), NewWriter(Config{Server: true})
	buf, out := make([]byte, len(in)), make([]byte, 0, 1<<12)
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, in)
		m, _, ok, err := r.Next(buf)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		out = w.Append(out[:0], m.Opcode, m.Data)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMask(b *testing.B) {
	p := make([]byte, 16<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		Mask(p, key, 1)
	}
}

func BenchmarkEcho(b *testing.B) {
	in := []byte(frame(Text, true, strings.Repeat("hello ", 10)))
	r, w := NewReader(Config{Server: true}), NewWriter(Config{Server: true})
	buf, out := make([]byte, len(in)), make([]byte, 0, 1<<12)
	for b.Loop() {
		copy(buf, in)
		m, _, _, _ := r.Next(buf)
		out = w.Append(out[:0], m.Opcode, m.Data)
	}
}
