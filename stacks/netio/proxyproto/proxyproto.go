// Package proxyproto is the PROXY protocol, versions 1 and 2: what a proxy says first
// on a connection about the one that it stands for (HAProxy, doc/proxy-protocol.txt).
// A header is taken from the front of bytes that are in a buffer; nothing is lenient,
// because what it says is believed.
//
// Goroutines: none; functions may be called from anywhere.
package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a proxy says.
type Header struct {
	// Version is 1 or 2.
	Version int
	// Local says that the proxy speaks for itself, such as to check health; there are no
	// addresses then, nor where it does not know them (UNKNOWN, UNSPEC).
	Local bool
	// Source is the client, Destination the address it connected to.
	Source, Destination netip.AddrPort
	// SourcePath and DestinationPath are those of Unix sockets.
	SourcePath, DestinationPath string
	// Datagram says that the client sends datagrams.
	Datagram bool
	// TLVs are what else it says (version 2), in order.
	TLVs []TLV
}

// TLV is a value of version 2.
type TLV struct {
	Type  byte
	Value []byte
}

// Types of values (section 2.2 of the specification).
const (
	ALPN      = 0x01 // the protocol agreed on in TLS
	Authority = 0x02 // the server name of TLS
	CRC32C    = 0x03
	NoOp      = 0x04
	UniqueID  = 0x05 // at most 128 bytes
	SSL       = 0x20
	NetNS     = 0x30
)

// MaxHeader is how many bytes a header has at most here; the specification asks for
// much less, and lets version 2 have 64 KiB.
const MaxHeader = 4096

// maxV1 is the length of the longest line of version 1.
const maxV1 = 107

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// ErrFormat is wrapped by all errors about what is not a header.
var ErrFormat = errors.New("not a PROXY header")

func malformed(what string) error { return fmt.Errorf("proxyproto: %s: %w", what, ErrFormat) }

// Parse takes a header from the front of p and returns how many bytes it has; 0
// without error means that p ends before the header does. The header shares no memory
// with p.
func Parse(p []byte) (h Header, n int, err error) {
	head := min(len(p), len(signature))
	switch {
	case len(p) == 0:
		return h, 0, nil
	case string(p[:head]) == signature[:head]:
		if len(p) < 16 {
			return h, 0, nil
		}
		return parseV2(p)
	case strings.HasPrefix("PROXY ", string(p[:min(len(p), 6)])):
		return parseV1(p)
	}
	return h, 0, malformed("neither version")
}

// parseV1 takes a line (section 2.1).
func parseV1(p []byte) (h Header, n int, err error) {
	line := string(p[:min(len(p), maxV1)])
	end := strings.IndexByte(line, '\n')
	if end < 0 {
		if len(p) >= maxV1 {
			return h, 0, malformed("line too long")
		}
		return h, 0, nil
	}
	if end == 0 || line[end-1] != '\r' {
		return h, 0, malformed("line without CR")
	}
	h.Version = 1
	f := strings.Split(line[:end-1], " ")
	if len(f) > 1 && f[1] == "UNKNOWN" {
		return h, end + 1, nil // what follows is to be ignored
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return h, 0, malformed("line")
	}
	var ok [2]bool
	h.Source, ok[0] = addrV1(f[2], f[4], f[1] == "TCP4")
	h.Destination, ok[1] = addrV1(f[3], f[5], f[1] == "TCP4")
	if !ok[0] || !ok[1] {
		return h, 0, malformed("address")
	}
	return h, end + 1, nil
}

func addrV1(host, port string, four bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(host)
	n, perr := strconv.ParseUint(port, 10, 16)
	ok := err == nil && perr == nil && a.Is4() == four && a.Zone() == "" && strconv.FormatUint(n, 10) == port
	return netip.AddrPortFrom(a, uint16(n)), ok
}

// parseV2 takes a binary header (section 2.2), of which 16 bytes are there.
func parseV2(p []byte) (h Header, n int, err error) {
	size := 16 + int(binary.BigEndian.Uint16(p[14:]))
	command, family := p[12], p[13]
	switch {
	case command>>4 != 2:
		return h, 0, malformed("version")
	case command&15 > 1:
		return h, 0, malformed("command")
	case size > MaxHeader:
		return h, 0, malformed("too long")
	case len(p) < size:
		return h, 0, nil
	}
	h.Version, h.Local = 2, command&15 == 0
	rest, err := h.addresses(p[16:size], family)
	if err != nil {
		return h, 0, err
	}
	if err := h.values(p[:size], rest); err != nil {
		return h, 0, err
	}
	if h.Local {
		// What it says about addresses is to be ignored.
		h = Header{Version: 2, Local: true, TLVs: h.TLVs}
	}
	return h, size, nil
}

// addresses takes the addresses and returns what is behind them.
func (h *Header) addresses(p []byte, family byte) ([]byte, error) {
	if family&15 > 2 || family>>4 > 3 {
		return nil, malformed("family")
	}
	h.Datagram = family&15 == 2
	sizes := [...]int{0, 12, 36, 216}
	size := sizes[family>>4]
	if family&15 == 0 {
		size = 0 // UNSPEC, whatever the other half says
	}
	if len(p) < size {
		return nil, malformed("addresses cut")
	}
	a, rest := p[:size], p[size:]
	switch size {
	case 0:
		// The receiver is to skip what it cannot know.
		return nil, nil
	case 12:
		h.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[:4])), binary.BigEndian.Uint16(a[8:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[10:]))
	case 36:
		h.Source = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[:16])), binary.BigEndian.Uint16(a[32:]))
		h.Destination = netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[16:32])), binary.BigEndian.Uint16(a[34:]))
	case 216:
		h.SourcePath, h.DestinationPath = path(a[:108]), path(a[108:])
	}
	return rest, nil
}

func path(p []byte) string {
	s, _, _ := strings.Cut(string(p), "\x00")
	return s
}

// values takes the values behind the addresses of a header, and verifies its checksum
// if it has one.
func (h *Header) values(header, p []byte) error {
	at := len(header) - len(p)
	for len(p) > 0 {
		if len(p) < 3 || len(p) < 3+int(binary.BigEndian.Uint16(p[1:])) {
			return malformed("value cut")
		}
		n := 3 + int(binary.BigEndian.Uint16(p[1:]))
		v := TLV{Type: p[0], Value: append([]byte(nil), p[3:n]...)}
		switch v.Type {
		case UniqueID:
			if len(v.Value) > 128 {
				return malformed("identifier too long")
			}
		case CRC32C:
			if len(v.Value) != 4 || !intact(header, at+3) {
				return malformed("checksum")
			}
		}
		if v.Type != NoOp {
			h.TLVs = append(h.TLVs, v)
		}
		at += n
		p = p[n:]
	}
	return nil
}

// intact verifies the checksum that stands at a place of the header and was
// computed with zeros there (section 2.2.3).
func intact(header []byte, at int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, header[:at])
	sum = crc32.Update(sum, table, make([]byte, 4))
	sum = crc32.Update(sum, table, header[at+4:])
	return sum == binary.BigEndian.Uint32(header[at:])
}

// Value returns the first value of that type.
func (h *Header) Value(typ byte) ([]byte, bool) {
	for _, v := range h.TLVs {
		if v.Type == typ {
			return v.Value, true
		}
	}
	return nil, false
}

// Append appends the header as a proxy sends it, in the version it says. Addresses of
// two families, or none, are sent as not known. Values that do not fit are an error.
func (h *Header) Append(dst []byte) ([]byte, error) {
	if h.Version == 1 {
		return h.appendV1(dst), nil
	}
	begin := len(dst)
	command := byte(0x21)
	if h.Local {
		command = 0x20
	}
	dst = append(append(dst, signature...), command, 0, 0, 0)
	proto := byte(1)
	if h.Datagram {
		proto = 2
	}
	src, dest := h.Source.Addr().Unmap(), h.Destination.Addr().Unmap()
	switch {
	case h.Local || !src.IsValid() || src.Is4() != dest.Is4() || !dest.IsValid():
	case src.Is4():
		dst[begin+13] = 0x10 | proto
		dst = append(append(dst, src.AsSlice()...), dest.AsSlice()...)
		dst = binary.BigEndian.AppendUint16(dst, h.Source.Port())
		dst = binary.BigEndian.AppendUint16(dst, h.Destination.Port())
	default:
		dst[begin+13] = 0x20 | proto
		dst = append(append(dst, src.AsSlice()...), dest.AsSlice()...)
		dst = binary.BigEndian.AppendUint16(dst, h.Source.Port())
		dst = binary.BigEndian.AppendUint16(dst, h.Destination.Port())
	}
	if dst[begin+13] != 0 {
		for _, v := range h.TLVs {
			dst = append(binary.BigEndian.AppendUint16(append(dst, v.Type), uint16(len(v.Value))), v.Value...)
		}
	}
	if len(dst)-begin > MaxHeader {
		return dst[:begin], fmt.Errorf("proxyproto: header of %d bytes: %w", len(dst)-begin, ErrFormat)
	}
	binary.BigEndian.PutUint16(dst[begin+14:], uint16(len(dst)-begin-16))
	return dst, nil
}

func (h *Header) appendV1(dst []byte) []byte {
	src, dest := h.Source.Addr().Unmap(), h.Destination.Addr().Unmap()
	if h.Local || !src.IsValid() || !dest.IsValid() || src.Is4() != dest.Is4() {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	family := "TCP6"
	if src.Is4() {
		family = "TCP4"
	}
	return fmt.Appendf(dst, "PROXY %s %s %s %d %d\r\n", family, src.WithZone(""), dest.WithZone(""), h.Source.Port(), h.Destination.Port())
}
