package proxyproto

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var same = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func v2(command, family byte, rest string) string {
	return signature + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const four = "\xc0\x00\x02\x01\xc6\x33\x64\x01\x1f\x90\x00\x50" // 192.0.2.1:8080 to 198.51.100.1:80

// summed puts the checksum into a header that ends with room for it.
func summed(s string) string {
	p := []byte(s)
	binary.BigEndian.PutUint32(p[len(p)-4:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return string(p)
}

func TestParse(t *testing.T) {
	t.Parallel()
	known := Header{Version: 2, Source: at("192.0.2.1:8080"), Destination: at("198.51.100.1:80")}
	for _, c := range []struct {
		name, in string
		want     Header
		ok       bool
	}{
		{"TCP4", "PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\n", Header{Version: 1, Source: at("192.0.2.1:8080"), Destination: at("198.51.100.1:80")}, true},
		{"TCP6", "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", Header{Version: 1, Source: at("[2001:db8::1]:65535"), Destination: at("[::1]:0")}, true},
		{"longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", Header{Version: 1, Source: at("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), Destination: at("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")}, true},
		{"UNKNOWN", "PROXY UNKNOWN\r\n", Header{Version: 1}, true},
		{"UNKNOWN with more", "PROXY UNKNOWN what ever 1\r\n", Header{Version: 1}, true},
		{"no CR", "PROXY UNKNOWN\n", Header{}, false},
		{"two blanks", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Header{}, false},
		{"leading zero", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", Header{}, false},
		{"sign", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", Header{}, false},
		{"port", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", Header{}, false},
		{"zero in an octet", "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", Header{}, false},
		{"wrong family", "PROXY TCP4 ::1 ::1 1 2\r\n", Header{}, false},
		{"mapped", "PROXY TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2\r\n", Header{}, false},
		{"zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Header{}, false},
		{"UDP4", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", Header{}, false},
		{"lower case", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Header{}, false},
		{"no end", "PROXY TCP4 " + strings.Repeat("1", 100), Header{}, false},
		{"HTTP", "GET / HTTP/1.1\r\n", Header{}, false},

		{"v2 TCP4", v2(0x21, 0x11, four), known, true},
		{"v2 UDP4", v2(0x21, 0x12, four), Header{Version: 2, Source: known.Source, Destination: known.Destination, Datagram: true}, true},
		{"v2 TCP6", v2(0x21, 0x21, strings.Repeat("\x00", 15)+"\x01"+strings.Repeat("\x00", 15)+"\x02\x00\x01\x00\x02"), Header{Version: 2, Source: at("[::1]:1"), Destination: at("[::2]:2")}, true},
		{"v2 Unix", v2(0x21, 0x31, "/a"+strings.Repeat("\x00", 106)+"/b"+strings.Repeat("\x00", 106)), Header{Version: 2, SourcePath: "/a", DestinationPath: "/b"}, true},
		{"v2 LOCAL", v2(0x20, 0x00, ""), Header{Version: 2, Local: true}, true},
		{"v2 LOCAL with addresses", v2(0x20, 0x11, four), Header{Version: 2, Local: true}, true},
		{"v2 UNSPEC", v2(0x21, 0x00, "junk"), Header{Version: 2}, true},
		{"v2 values", v2(0x21, 0x11, four+"\x02\x00\x04name\x04\x00\x02xx\xe0\x00\x00"), Header{Version: 2, Source: known.Source, Destination: known.Destination, TLVs: []TLV{{Authority, []byte("name")}, {0xe0, nil}}}, true},
		{"v2 version", v2(0x11, 0x11, four), Header{}, false},
		{"v2 command", v2(0x22, 0x11, four), Header{}, false},
		{"v2 family", v2(0x21, 0x41, four), Header{}, false},
		{"v2 protocol", v2(0x21, 0x13, four), Header{}, false},
		{"v2 short", v2(0x21, 0x11, four[:11]), Header{}, false},
		{"v2 value cut", v2(0x21, 0x11, four+"\x02\x00\x05name"), Header{}, false},
		{"v2 value without length", v2(0x21, 0x11, four+"\x02\x00"), Header{}, false},
		{"v2 long identifier", v2(0x21, 0x11, four+"\x05\x00\x81"+strings.Repeat("x", 129)), Header{}, false},
		{"v2 bad checksum", v2(0x21, 0x11, four+"\x03\x00\x04abcd"), Header{}, false},
		{"v2 too long", v2(0x21, 0x11, four+"\xe0\x10\x00"+strings.Repeat("x", 4096)), Header{}, false},
	} {
		for cut := range len(c.in) {
			h, n, err := Parse([]byte(c.in[:cut]))
			if c.ok && (n != 0 || err != nil) {
				t.Errorf("%s cut at %d: %+v %d %v", c.name, cut, h, n, err)
			}
		}
		h, n, err := Parse([]byte(c.in + "behind"))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", c.name, err)
		} else if c.ok && n != len(c.in) {
			t.Errorf("%s: %d of %d bytes", c.name, n, len(c.in))
		} else if c.ok {
			if d := cmp.Diff(c.want, h, same); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
		}
	}
	if h, _, err := Parse([]byte(summed(v2(0x21, 0x11, four+"\x03\x00\x04\x00\x00\x00\x00")))); err != nil || h.Source != known.Source {
		t.Errorf("checksum: %v", err)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, h := range []Header{
		{Version: 1, Source: at("192.0.2.1:8080"), Destination: at("198.51.100.1:80")},
		{Version: 1, Source: at("[2001:db8::1]:8080"), Destination: at("[::1]:80")},
		{Version: 1},
		{Version: 2, Source: at("192.0.2.1:8080"), Destination: at("198.51.100.1:80"), TLVs: []TLV{{ALPN, []byte("h2")}, {Authority, []byte("x")}}},
		{Version: 2, Source: at("[2001:db8::1]:8080"), Destination: at("[::1]:80"), Datagram: true},
		{Version: 2, Local: true},
		{Version: 2},
	} {
		p, err := h.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, n, err := Parse(p)
		if err != nil || n != len(p) {
			t.Errorf("%q: %d %v", p, n, err)
		}
		if d := cmp.Diff(h, got, same); d != "" {
			t.Error(d)
		}
	}
	big := Header{Version: 2, Source: at("1.2.3.4:1"), Destination: at("1.2.3.4:1"), TLVs: []TLV{{0xe0, make([]byte, MaxHeader)}}}
	if _, err := big.Append(nil); err == nil {
		t.Error("a header that is too long was built")
	}
}

// FuzzParse has the header be the same however much is there, and be read again from
// what is written of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2(0x21, 0x11, four+"\x02\x00\x04name\xe0\x00\x00")))
	f.Add([]byte(summed(v2(0x21, 0x11, four+"\x03\x00\x04\x00\x00\x00\x00"))))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := Parse(p)
		if err != nil || n == 0 {
			if n != 0 || len(p) > MaxHeader && err == nil {
				t.Fatalf("%d bytes of %d, %v", n, len(p), err)
			}
			return
		}
		if _, m, err := Parse(p[:n-1]); m != 0 || err != nil {
			t.Fatalf("whole without its last byte: %d %v", m, err)
		}
		if h.SourcePath+h.DestinationPath != "" || h.Source.Addr().Is4In6() || h.Destination.Addr().Is4In6() {
			return
		}
		if _, sum := h.Value(CRC32C); sum {
			return
		}
		out, err := h.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Parse(out)
		if !h.Source.IsValid() {
			h.TLVs, again.TLVs = nil, nil
			h.Datagram, again.Datagram = false, false
		}
		if d := cmp.Diff(h, again, same); err != nil || d != "" {
			t.Fatal(err, d)
		}
	})
}
