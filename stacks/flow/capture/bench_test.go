package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"
)

// manyFrames returns a capture with count frames of size bytes.
func manyFrames(format string, count, size int) []byte {
	data := string(bytes.Repeat([]byte("x"), size))
	var file, record []byte
	if format == "pcapng" {
		file = join(section(little), iface(little, LinkTypeEthernet, 0))
		record = enhanced(little, 0, 1_700_000_000_000_000, size, data)
	} else {
		file = pcapFile(little, 0xa1b2c3d4, 4, 1)
		record = words(little, 1_700_000_000, 1, size, size, data)
	}
	return append(file, bytes.Repeat(record, count)...)
}

// TestNextAllocatesNothing asserts what Next and WriteFrame promise.
func TestNextAllocatesNothing(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		r, err := NewReader(bytes.NewReader(manyFrames(format, 20_000, 60)), format)
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		allocs := testing.AllocsPerRun(10_000, func() {
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a packet", format, allocs)
		}
		w, err := NewWriter(io.Discard, LinkTypeEthernet, true)
		if err != nil {
			t.Fatal(err)
		}
		if allocs := testing.AllocsPerRun(1000, func() { err = w.WriteFrame(&f) }); allocs != 0 || err != nil {
			t.Errorf("%v allocations a written frame, %v", allocs, err)
		}
	}
}

// BenchmarkNext reads a file from the page cache; one operation is one packet.
func BenchmarkNext(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		for _, size := range []int{60, 800} {
			const count = 100_000
			path := filepath.Join(b.TempDir(), "many")
			if err := os.WriteFile(path, manyFrames(format, count, size), 0o600); err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s/%dB", format, size)
			b.Run(name+"/ours", func(b *testing.B) { benchOurs(b, path) })
			b.Run(name+"/gopacket", func(b *testing.B) { benchGopacket(b, path, format, false) })
			b.Run(name+"/gopacket-zerocopy", func(b *testing.B) { benchGopacket(b, path, format, true) })
		}
	}
}

func benchOurs(b *testing.B, path string) {
	b.ReportAllocs()
	var f Frame
	for n := b.N; n > 0; {
		r, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		for n > 0 && r.Next(&f) == nil {
			n--
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchGopacket(b *testing.B, path, format string, zeroCopy bool) {
	b.ReportAllocs()
	for n := b.N; n > 0; {
		file, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		next, err := gopacketNext(file, format, zeroCopy)
		for err == nil && n > 0 {
			if err = next(); err == nil {
				n--
			}
		}
		if err != nil && err != io.EOF {
			b.Fatal(err)
		}
		_ = file.Close()
	}
}

func gopacketNext(file io.Reader, format string, zeroCopy bool) (func() error, error) {
	if format == "pcapng" {
		r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
		if zeroCopy {
			return func() error { _, _, err := r.ZeroCopyReadPacketData(); return err }, err
		}
		return func() error { _, _, err := r.ReadPacketData(); return err }, err
	}
	r, err := pcapgo.NewReader(file)
	if zeroCopy {
		return func() error { _, _, err := r.ZeroCopyReadPacketData(); return err }, err
	}
	return func() error { _, _, err := r.ReadPacketData(); return err }, err
}
