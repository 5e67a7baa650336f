package wsframe

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
)

// NewKey returns a value for Sec-WebSocket-Key: 16 random bytes in base64.
func NewKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// ValidKey reports whether key is 16 bytes in base64, as a server must check (RFC
// 6455 section 4.2.1).
func ValidKey(key string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(key)
	return err == nil && len(b) == 16 && len(key) == 24
}

// AcceptKey returns the value of Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Deflate is what was agreed on about permessage-deflate (RFC 7692 section 7.1).
type Deflate struct {
	// ServerNoTakeover and ClientNoTakeover say that messages of that end refer to
	// nothing in those before.
	ServerNoTakeover, ClientNoTakeover bool
	// ServerBits and ClientBits bound that end's window, as a power of two; 0 is 15.
	ServerBits, ClientBits int
}

// takeover reports whether messages of an end refer to those before.
func (d *Deflate) takeover(server bool) bool {
	if server {
		return !d.ServerNoTakeover
	}
	return !d.ClientNoTakeover
}

// String returns it as a value of Sec-WebSocket-Extensions.
func (d Deflate) String() string {
	s := "permessage-deflate"
	if d.ServerNoTakeover {
		s += "; server_no_context_takeover"
	}
	if d.ClientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if d.ServerBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(d.ServerBits)
	}
	if d.ClientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(d.ClientBits)
	}
	return s
}

// Offer is what a client puts into Sec-WebSocket-Extensions to offer compression.
const Offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// Agree returns what a server answers to the offers of a client, the value of
// Sec-WebSocket-Extensions: the first that it can keep, and that the client refers
// to nothing sent before, so that no window has to be kept. It is nil if there is none.
func Agree(offers string) *Deflate {
	for offer := range strings.SplitSeq(offers, ",") {
		d, ok := parseDeflate(offer, true)
		// A smaller window of ours than 32 KiB cannot be kept.
		if ok && (d.ServerBits == 0 || d.ServerBits == 15) {
			return &Deflate{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: d.ServerBits}
		}
	}
	return nil
}

// Agreed returns what a server answered to [Offer]: nil for an empty answer. An
// error means that it answered what was not offered, and the connection must be failed.
func Agreed(answer string) (*Deflate, error) {
	if strings.TrimSpace(answer) == "" {
		return nil, nil
	}
	d, ok := parseDeflate(answer, false)
	if !ok || d.ClientBits != 0 {
		return nil, &Error{MissingExtension, "server answers with an extension that was not offered"}
	}
	return &d, nil
}

// parseDeflate takes one offer or answer apart. What it does not know it refuses
// (RFC 7692 section 7.1).
func parseDeflate(s string, offer bool) (d Deflate, ok bool) {
	name, rest, more := strings.Cut(s, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return d, false
	}
	seen := map[string]bool{}
	for more {
		var param string
		param, rest, more = strings.Cut(rest, ";")
		name, value, has := strings.Cut(strings.TrimSpace(param), "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if seen[name] || !d.set(name, strings.TrimSpace(value), has, offer) {
			return d, false
		}
		seen[name] = true
	}
	return d, true
}

func (d *Deflate) set(name, value string, has, offer bool) bool {
	switch name {
	case "server_no_context_takeover":
		d.ServerNoTakeover = true
		return !has
	case "client_no_context_takeover":
		d.ClientNoTakeover = true
		return !has
	case "server_max_window_bits":
		return windowBits(&d.ServerBits, value)
	case "client_max_window_bits":
		// In an offer it can say only that the client could.
		return offer && !has || windowBits(&d.ClientBits, value)
	}
	return false
}

func windowBits(bits *int, value string) bool {
	value = strings.Trim(value, `"`)
	n, err := strconv.Atoi(value)
	*bits = n
	return err == nil && n >= 8 && n <= 15 && value == strconv.Itoa(n)
}
