package capture

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/pcapgo"
)

func TestWriterRoundTrip(t *testing.T) {
	t.Parallel()
	frames := []Frame{
		{Data: []byte("hello"), WireLen: 1500, TS: 1_700_000_000_123_456_789, Link: LinkTypeRaw},
		{Data: []byte{}, WireLen: 0, TS: math.MaxUint32*nanosPerSecond + 999_999_999, Link: LinkTypeRaw},
		{Data: bytes.Repeat([]byte("x"), MaxFrame), WireLen: MaxFrame, TS: 0, Link: LinkTypeRaw},
	}
	for _, nanos := range []bool{true, false} {
		var file bytes.Buffer
		w, err := NewWriter(&file, LinkTypeRaw, nanos)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]Frame, len(frames))
		for i, f := range frames {
			if err := w.WriteFrame(&f); err != nil {
				t.Fatal(err)
			}
			want[i] = f
			if !nanos {
				want[i].TS -= f.TS % 1000
			}
		}
		got, err := readAll(bytes.NewReader(file.Bytes()))
		if diff := cmp.Diff(want, got); diff != "" || err != io.EOF {
			t.Errorf("nanos %v: %v (-want +got):\n%.1000s", nanos, err, diff)
		}
		oracle, err := pcapgo.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		data, ci, err := oracle.ReadPacketData()
		if err != nil || string(data) != "hello" || ci.Length != 1500 || ci.Timestamp.UnixNano() != want[0].TS {
			t.Errorf("gopacket reads %q, %+v, %v", data, ci, err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := NewWriter(&file, LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	head := file.Len()
	for _, tc := range []struct {
		f    Frame
		want string
	}{
		{Frame{Data: make([]byte, MaxFrame+1), Link: LinkTypeEthernet}, "capture: write frame: 262145 bytes, the limit is 262144"},
		{Frame{}, "capture: write frame: link type NULL into a file of ETHERNET"},
		{Frame{Link: LinkTypeEthernet, TS: -1}, "capture: write frame: time -1 ns is outside what pcap can hold"},
		{Frame{Link: LinkTypeEthernet, TS: math.MaxInt64}, "capture: write frame: time 9223372036854775807 ns is outside what pcap can hold"},
	} {
		if err := w.WriteFrame(&tc.f); err == nil || err.Error() != tc.want {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
	if file.Len() != head {
		t.Errorf("refused frames left %d bytes", file.Len()-head)
	}
	short := Frame{Data: []byte("ab"), Link: LinkTypeEthernet}
	if err := w.WriteFrame(&short); err != nil {
		t.Error(err)
	}
	short.WireLen = 2
	if got, err := readAll(&file); err != io.EOF || !cmp.Equal(got, []Frame{short}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// failing accepts some writes.
type failing struct{ after int }

var errFull = errors.New("disk full")

func (w *failing) Write(b []byte) (int, error) {
	if w.after--; w.after < 0 {
		return len(b) / 2, errFull
	}
	return len(b), nil
}

func TestWriterErrorsStick(t *testing.T) {
	t.Parallel()
	if _, err := NewWriter(&failing{}, LinkTypeEthernet, true); !errors.Is(err, errFull) {
		t.Errorf("header: %v", err)
	}
	dst := &failing{after: 2}
	w, err := NewWriter(dst, LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	f := Frame{Data: []byte("x"), Link: LinkTypeEthernet}
	if err := w.WriteFrame(&f); err != nil {
		t.Error(err)
	}
	if err := w.WriteFrame(&f); !errors.Is(err, errFull) {
		t.Error(err)
	}
	dst.after = 10
	if err := w.WriteFrame(&f); !errors.Is(err, errFull) {
		t.Errorf("after a torn record: %v", err)
	}
}
