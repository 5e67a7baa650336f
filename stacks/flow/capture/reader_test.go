package capture

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// samples returns a small file of each kind and its frames.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	record := words(big, 1, 2, 5, 60, "hello")
	ng := join(section(little), iface(little, LinkTypeEthernet, 0, option(little, ngOptionTSResol, uint8(9))),
		enhanced(little, 0, 1, 60, "hello"), block(little, 0xbad, "skipped"), enhanced(little, 0, 2, 60, "world"))
	return map[string][]byte{
		"pcap":   pcapFile(big, 0xa1b2c3d4, 4, 1, record, record, words(big, 1, 3, 0, 0)),
		"pcapng": ng,
		"snoop":  snoopFile(4, snoopRecord(60, 1, 2, "hello"), snoopRecord(4, 1, 3, "four")),
		"gzip":   zip(t, ng),
	}
}

func zip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTruncation cuts each sample at every byte: what comes before the cut is
// delivered, and the cut is an error unless it is between two records.
func TestTruncation(t *testing.T) {
	t.Parallel()
	for name, file := range samples(t) {
		whole, err := readAll(bytes.NewReader(file))
		if err != io.EOF {
			t.Fatalf("%s: %v", name, err)
		}
		clean := 0
		for n := range len(file) {
			got, err := readAll(bytes.NewReader(file[:n]))
			if len(got) > 0 && !cmp.Equal(got, whole[:len(got)]) {
				t.Errorf("%s cut at %d: frames differ from the whole file's", name, n)
			}
			switch fe := new(FormatError); {
			case err == io.EOF:
				clean++
			case !errors.As(err, &fe) || !errors.Is(err, io.ErrUnexpectedEOF) || fe.Offset > int64(n) && name != "gzip":
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
		if want := map[string]int{"pcap": 3, "pcapng": 4, "snoop": 2, "gzip": 0}[name]; clean != want {
			t.Errorf("%s: %d cuts are between records, want %d", name, clean, want)
		}
	}
}

// TestSources reads through sources that give little at a time, together with
// their error, or nothing.
func TestSources(t *testing.T) {
	t.Parallel()
	for name, file := range samples(t) {
		want, _ := readAll(bytes.NewReader(file))
		for how, src := range map[string]io.Reader{
			"one byte":        iotest.OneByteReader(bytes.NewReader(file)),
			"half":            iotest.HalfReader(bytes.NewReader(file)),
			"error with data": iotest.DataErrReader(bytes.NewReader(file)),
			"both":            iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(file))),
		} {
			got, err := readAll(src)
			if err != io.EOF || !cmp.Equal(got, want) {
				t.Errorf("%s, %s: %d of %d frames, %v", name, how, len(got), len(want), err)
			}
		}
	}
}

type badCount struct{}

func (badCount) Read(b []byte) (int, error) { return len(b) + 1, nil }

type noProgress struct{}

func (noProgress) Read([]byte) (int, error) { return 0, nil }

func TestFailingSources(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for name, file := range samples(t) {
		whole, _ := readAll(bytes.NewReader(file))
		for _, tc := range []struct {
			src  io.Reader
			want error
		}{
			{iotest.ErrReader(broken), broken},
			{badCount{}, errBadRead},
			{noProgress{}, io.ErrNoProgress},
		} {
			for _, n := range []int{0, 1, 2, 3, len(file)} {
				got, err := readAll(io.MultiReader(bytes.NewReader(file[:n]), tc.src))
				if fe := new(FormatError); !errors.As(err, &fe) || !errors.Is(err, tc.want) {
					t.Errorf("%s and then %v: %v", name, tc.want, err)
				}
				if n == len(file) && len(got) != len(whole) {
					t.Errorf("%s and then %v: %d of %d frames", name, tc.want, len(got), len(whole))
				}
			}
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	plain := samples(t)["pcap"]
	want, _ := readAll(bytes.NewReader(plain))
	parts := join(zip(t, plain[:30]), zip(t, plain[30:])) // gzip files may be concatenated
	if got, err := readAll(bytes.NewReader(parts)); err != io.EOF || !cmp.Equal(got, want) {
		t.Errorf("two members: %v, %v", got, err)
	}
	for what, file := range map[string][]byte{
		"empty: no capture header":                zip(t, nil),
		"gzip inside gzip":                        zip(t, zip(t, plain)),
		"compressed stream: gzip: invalid header": []byte("\x1f\x8bgarbage, not gzip"),
		"compressed stream: unexpected EOF":       zip(t, plain)[:9],
		"reading the capture header: flate: ":     append(zip(t, plain)[:10], "garbage"...),
		"record header: gzip: invalid checksum":   append(bytes.Clone(parts[:len(parts)-8]), "badcheck"...),
		"record header: gzip: invalid header":     append(zip(t, plain), "trailing words"...),
	} {
		_, err := readAll(bytes.NewReader(file))
		if fe := new(FormatError); !errors.As(err, &fe) || !strings.Contains(fe.What, what) {
			t.Errorf("error %v, want one with %q", err, what)
		}
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]int64{
		"pcap": {24, 45, 66, 82}, "pcapng": {28, 96, 156}, "snoop": {16, 48, 76}, "gzip": {28, 96, 156},
	} {
		r, err := NewReader(iotest.HalfReader(bytes.NewReader(samples(t)[name])), name)
		if err != nil {
			t.Fatal(err)
		}
		got := []int64{r.Offset()}
		for f := (Frame{}); r.Next(&f) == nil; {
			got = append(got, r.Offset())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, samples(t)["pcap"], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var f Frame
	if err := r.Next(&f); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Next(&f); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
	}
	if _, err := Open(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	_, err = Open(filepath.Dir(path))
	if fe := new(FormatError); !errors.As(err, &fe) || fe.Name != filepath.Dir(path) {
		t.Errorf("a directory: %v", err)
	}
}

// TestErrorsStick asks again after the end and after damage.
func TestErrorsStick(t *testing.T) {
	t.Parallel()
	file := samples(t)["pcap"]
	for _, n := range []int{len(file), len(file) - 3} {
		r, err := NewReader(bytes.NewReader(file[:n]), "test")
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		for err == nil {
			err = r.Next(&f)
		}
		for range 3 {
			if again := r.Next(&f); again != err {
				t.Errorf("%v, then %v", err, again)
			}
		}
	}
}

// endless gives a pcap header and then zeros, and counts.
type endless struct {
	head  []byte
	given int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.head)
	e.head = e.head[n:]
	clear(b[n:])
	e.given += len(b)
	return len(b), nil
}

// TestNoOverAllocation lets records claim what they like: the window grows with
// the bytes that came, not with the claims.
func TestNoOverAllocation(t *testing.T) {
	t.Parallel()
	claims := []byte(pcapFile(little, 0xa1b2c3d4, 4, 1, words(little, 0, 0, MaxFrame, 0, "only this")))
	r, err := NewReader(bytes.NewReader(claims), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Next(&Frame{}); err == nil || len(r.win.buf) != firstWindow {
		t.Errorf("window of %d bytes for a record that never came (%v)", len(r.win.buf), err)
	}
	src := &endless{head: join(section(little), words(little, 77, 0xfffffffc, 0))}
	if r, err = NewReader(io.LimitReader(src, 1<<24), "test"); err != nil {
		t.Fatal(err)
	}
	if err := r.Next(&Frame{}); err == nil || len(r.win.buf) != firstWindow || src.given < 1<<24 {
		t.Errorf("window of %d bytes after skipping %d (%v)", len(r.win.buf), src.given, err)
	}
}

// TestPlace reads frames again by their places, after all were read.
func TestPlace(t *testing.T) {
	t.Parallel()
	for name, file := range samples(t) {
		path := filepath.Join(t.TempDir(), "capture")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		type part struct {
			at   int64
			want string
		}
		var parts []part
		for f := (Frame{}); r.Next(&f) == nil; {
			for i := range f.Data {
				at, ok := r.Place(f.Data[i:])
				if ok != (name != "gzip") {
					t.Fatalf("%s: place %v", name, ok)
				}
				parts = append(parts, part{at, string(f.Data[i:])})
			}
			if _, ok := r.Place(make([]byte, 4)); ok {
				t.Errorf("%s: bytes of somewhere else have a place", name)
			}
		}
		if name == "gzip" {
			continue
		}
		for _, p := range parts {
			got := make([]byte, len(p.want))
			if _, err := r.ReadAt(got, p.at); err != nil || string(got) != p.want {
				t.Errorf("%s: at %d: %q, %v, want %q", name, p.at, got, err, p.want)
			}
		}
		if n, err := r.ReadAt(make([]byte, 10), int64(len(file))-4); n != 4 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: behind the end: %d, %v", name, n, err)
		}
	}
	r, err := NewReader(bytes.NewReader(samples(t)["pcap"]), "memory")
	if err != nil {
		t.Fatal(err)
	}
	var f Frame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Place(f.Data); ok {
		t.Error("what is in no file has a place")
	}
}
