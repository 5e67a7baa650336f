package capture

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader feeds any bytes. Reading must end, each frame must lie within the
// stream and in order, and how the source cuts its reads must not matter.
func FuzzReader(f *testing.F) {
	for _, file := range samples(f) {
		f.Add(file)
	}
	f.Add(pcapFile(little, 0xa1b2cd34, 3, 1, words(little, 1, 2, 60, 3, uint64(0), "abc")))
	f.Add(join(section(big), iface(big, LinkTypeRaw, 2, option(big, ngOptionTSOffset, uint64(9))),
		block(big, ngSimplePacket, 4, "four"), block(big, ngObsoletePacket, uint16(0), uint16(0), 0, 8, 2, 2, "pb"), section(little)))
	f.Add(snoopFile(8, words(big, 3, 3, 90, 0, 1, 0, "abc", make([]byte, 63)), snoopRecord(70, 2, 1, "de")))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file), "fuzz")
		if err != nil {
			checkEnd(t, err)
			return
		}
		zipped := bytes.HasPrefix(file, []byte("\x1f\x8b"))
		frames, err := readChecked(t, r, int64(len(file)), zipped)
		checkEnd(t, err)
		again, err2 := readAll(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(file))))
		if !cmp.Equal(frames, again) || err.Error() != rename(err2) {
			t.Fatalf("read in halves: %d frames and %v, in one %d and %v", len(again), err2, len(frames), err)
		}
	})
}

// readChecked is readAll with the promises of Frame and Offset checked.
func readChecked(t *testing.T, r *Reader, size int64, zipped bool) ([]Frame, error) {
	t.Helper()
	var frames []Frame
	for at := r.Offset(); ; {
		var f Frame
		if err := r.Next(&f); err != nil {
			return frames, err
		}
		next := r.Offset()
		switch {
		case f.Data == nil || len(f.Data) > MaxFrame || f.WireLen < 0 || f.Iface < 0 || f.Iface >= MaxInterfaces:
			t.Fatalf("frame %d: %d bytes of %d, interface %d", len(frames), len(f.Data), f.WireLen, f.Iface)
		case next-at < int64(len(f.Data))+16:
			t.Fatalf("frame %d of %d bytes took the offset from %d to %d", len(frames), len(f.Data), at, next)
		case next <= at || next > size && !zipped:
			t.Fatalf("offset went from %d to %d of %d", at, next, size)
		case cap(f.Data) != len(f.Data):
			t.Fatal("an append to Data would overwrite the next packet")
		}
		at = next
		f.Data, f.Comment = bytes.Clone(f.Data), bytes.Clone(f.Comment)
		frames = append(frames, f)
	}
}

func checkEnd(t *testing.T, err error) {
	t.Helper()
	if err == io.EOF {
		return
	}
	if fe := new(FormatError); !errors.As(err, &fe) || fe.Offset < 0 || fe.What == "" {
		t.Fatalf("ended with %T %v", err, err)
	}
}

// rename gives an error of readAll the name that the fuzzed reader has.
func rename(err error) string {
	fe := new(FormatError)
	if !errors.As(err, &fe) {
		return err.Error()
	}
	named := *fe
	named.Name = "fuzz"
	return named.Error()
}
