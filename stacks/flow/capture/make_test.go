package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	little binary.AppendByteOrder = binary.LittleEndian
	big    binary.AppendByteOrder = binary.BigEndian
)

// words appends integers of 1, 2, 4 or 8 bytes in the given order, and bytes.
func words(order binary.AppendByteOrder, values ...any) []byte {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case uint8:
			b = append(b, v)
		case uint16:
			b = order.AppendUint16(b, v)
		case int: // the common case
			b = order.AppendUint32(b, uint32(v))
		case uint64:
			b = order.AppendUint64(b, v)
		case string:
			b = append(b, v...)
		case []byte:
			b = append(b, v...)
		default:
			panic("words: no such type")
		}
	}
	return b
}

func pcapFile(order binary.AppendByteOrder, magic, minor, link int, records ...[]byte) []byte {
	head := words(order, magic, uint16(2), uint16(minor), 0, 0, 65535, link)
	return append(head, bytes.Join(records, nil)...)
}

// block frames a pcapng body, padding it.
func block(order binary.AppendByteOrder, kind int, body ...any) []byte {
	b := words(order, body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return words(order, kind, len(b)+12, b, len(b)+12)
}

func section(order binary.AppendByteOrder) []byte {
	return block(order, ngSectionHeader, ngByteOrder, uint16(1), uint16(0), uint64(math.MaxUint64))
}

func option(order binary.AppendByteOrder, code int, value ...any) []byte {
	b := words(order, value...)
	n := len(b)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return words(order, uint16(code), uint16(n), b)
}

func iface(order binary.AppendByteOrder, link LinkType, snap int, options ...[]byte) []byte {
	return block(order, ngInterface, uint16(link), uint16(0), snap, bytes.Join(options, nil))
}

func enhanced(order binary.AppendByteOrder, index int, ts uint64, wire int, data string) []byte {
	return block(order, ngEnhancedPacket, index, int(ts>>32), int(ts&math.MaxUint32), len(data), wire, data)
}

// readAll returns copies of all frames and how the stream ended.
func readAll(src io.Reader) ([]Frame, error) {
	r, err := NewReader(src, "test")
	if err != nil {
		return nil, err
	}
	var frames []Frame
	for {
		var f Frame
		if err := r.Next(&f); err != nil {
			return frames, err
		}
		f.Data, f.Comment = bytes.Clone(f.Data), bytes.Clone(f.Comment)
		frames = append(frames, f)
	}
}

// wantFrames reads file and compares; fault is empty for a clean end, else
// what the FormatError must say, after its name.
func wantFrames(t *testing.T, file []byte, want []Frame, fault string) {
	t.Helper()
	got, err := readAll(bytes.NewReader(file))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
	if fault == "" {
		if err != io.EOF {
			t.Errorf("ended with %v, want io.EOF", err)
		}
		return
	}
	if fe := new(FormatError); !errors.As(err, &fe) {
		t.Errorf("ended with %T %v, want a *FormatError", err, err)
	} else if got, want := err.Error(), "test: "+fault; got != want {
		t.Errorf("error\n got %s\nwant %s", got, want)
	}
}
