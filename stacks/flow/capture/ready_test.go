package capture

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestReady feeds captures a byte at a time: what is said to be ready takes no
// further byte, and what is not does.
func TestReady(t *testing.T) {
	t.Parallel()
	record := func(n int, data string) []byte { return words(little, 1, 2, n, n, data) }
	for name, file := range map[string][]byte{
		"pcap":   pcapFile(little, 0xa1b2c3d4, 4, 1, record(3, "abc"), record(0, ""), record(2, "de")),
		"pcapng": join(section(little), iface(little, LinkTypeEthernet, 0), enhanced(little, 0, 1, 3, "abc"), enhanced(little, 0, 2, 2, "de")),
		"snoop":  snoopFile(4, snoopRecord(3, 1, 2, "abc"), snoopRecord(0, 1, 2, ""), snoopRecord(4, 1, 2, "four")),
	} {
		src := &dribble{rest: file}
		r, err := NewReader(src, name)
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		for n := 0; ; n++ {
			ready, given := r.Ready(), src.given
			err := r.Next(&f)
			if ready != (src.given == given) {
				t.Errorf("%s: packet %d: ready is %v, %d bytes were read", name, n, ready, src.given-given)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if read, size := r.Progress(); read != int64(len(file)) || size != 0 {
			t.Errorf("%s: %d of %d bytes were read", name, read, size)
		}
		if !r.Ready() {
			t.Errorf("%s: the end is not ready", name)
		}
	}
}

// dribble gives a byte a read.
type dribble struct {
	rest  []byte
	given int
}

// Read implements io.Reader.
func (d *dribble) Read(b []byte) (int, error) {
	if len(d.rest) == 0 {
		d.given++ // the end is news too
		return 0, io.EOF
	}
	b[0], d.rest = d.rest[0], d.rest[1:]
	d.given++
	return 1, nil
}

// TestProgressOfFile reads a file that is read in one go.
func TestProgressOfFile(t *testing.T) {
	t.Parallel()
	file := pcapFile(little, 0xa1b2c3d4, 4, 1, bytes.Repeat(words(little, 1, 2, 3, 3, "abc"), 10))
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if read, size := r.Progress(); read != size || size != int64(len(file)) || !r.Ready() {
		t.Errorf("%d of %d bytes were read", read, size)
	}
}
