package edge

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStun answers requests with the addresses of RFC 5769's examples (2.2, 2.3).
func TestStun(t *testing.T) {
	t.Parallel()
	const id = "2112a442b7e7a701bc34d686fa87dfae"
	for _, row := range []struct{ from, want string }{
		{"192.0.2.1:32853", "0101000c" + id + "002000080001a147e112a643"},
		{"[2001:db8:1234:5678:11:2233:4455:6677]:32853", "01010018" + id + "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"},
	} {
		request, _ := hex.DecodeString("00010000" + id)
		got, ok := appendStun(nil, request, netip.MustParseAddrPort(row.from))
		if diff := cmp.Diff(row.want, hex.EncodeToString(got)); diff != "" || !ok {
			t.Errorf("%s: %v %s", row.from, ok, diff)
		}
	}
	for _, bad := range []string{"", "01010000" + id, "00010001" + id, "00010000" + "2112a443" + id[8:], "0001000021"} {
		p, _ := hex.DecodeString(bad)
		if isStun(p) {
			if _, ok := appendStun(nil, p, netip.MustParseAddrPort("192.0.2.1:1")); ok {
				t.Errorf("%q is answered", bad)
			}
		}
	}
}

// TestKeepAlive: STUN is answered at a listener, and what only keeps a mapping is not.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	r := serve(t, options("udp://127.0.0.1:0")...)
	c := dial(t, "udp", r.addr)
	c.send("\r\n\r\n")
	c.send("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")
	p := make([]byte, 100)
	_ = c.c.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := c.c.Read(p)
	if err != nil || n != 32 || !bytes.Equal(p[8:20], []byte("abcdefghijkl")) {
		t.Errorf("answered %x, %v", p[:n], err)
	}
}

// FuzzStun: only what asks is answered, and never at length.
func FuzzStun(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"))
	f.Add([]byte("\x00\x01\x00\x04\x21\x12\xa4\x42abcdefghijkl\x80\x22\x00\x00"))
	f.Add([]byte("OPTIONS sip:a SIP/2.0\r\n\r\n"))
	from := netip.MustParseAddrPort("[2001:db8::1]:5060")
	f.Fuzz(func(t *testing.T, p []byte) {
		if !isStun(p) {
			return
		}
		answer, ok := appendStun(nil, p, from)
		if ok != (p[0] == 0 && p[1] == 1) || ok && (len(answer) != 44 || !bytes.Equal(answer[4:20], p[4:20])) {
			t.Errorf("%x is answered by %x, %v", p, answer, ok)
		}
	})
}
