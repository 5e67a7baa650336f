// Package nat finds out whether a SIP client is behind a NAT, and says what it has to be
// written as to be reached: the Contact with an alias (as Kamailio's nathelper has it),
// the addresses of a session description.
//
// All of it is pure.
package nat

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Sign is why a client seems to be behind a NAT.
type Sign string

// What signs there are. An address is private that no host in the Internet has: RFC
// 1918, 6598 and 4193, loopback, link-local.
const (
	InContact Sign = "contact" // Contact has a private address, and not the one that it sent from
	InVia     Sign = "via"     // it believes to have sent from another address, or another port
	InSDP     Sign = "sdp"     // it waits for media at a private address, and not the one that it sent from
)

var shared = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether no host in the Internet has an address.
func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// address reads a host that is one.
func address(host []byte) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(string(host), "[]"))
	return a.Unmap(), err == nil
}

// hidden reports whether a host is a private address that is not the source's.
func hidden(host []byte, source netip.AddrPort) bool {
	a, ok := address(host)
	return ok && private(a) && a != source.Addr().Unmap()
}

// Signs lists what says that a message's sender is behind a NAT, which it sent from
// source.
func Signs(m *msg.Message, source netip.AddrPort) []Sign {
	var signs []Sign
	for v := m.Values(msg.Contact); v.Next(); {
		a, err := msg.ParseAddress(v.Value())
		if err != nil {
			continue
		}
		if u, err := msg.ParseURI(a.URI); err == nil && hidden(u.Host, source) {
			signs = append(signs, InContact)
			break
		}
	}
	if via, err := m.Via(); err == nil && m.IsRequest() {
		port := via.Port
		if port == 0 {
			port = 5060
		}
		a, ok := address(via.Host)
		stream := !msg.EqualFold(via.Transport, []byte("UDP")) // whose clients send from any port
		if ok && (a != source.Addr().Unmap() || !stream && port != source.Port()) {
			signs = append(signs, InVia)
		}
	}
	sdp, _ := m.SDP()
	msg.SDPLines(sdp, func(l msg.SDPLine) bool {
		if host, ok := connection(l); ok && hidden(host, source) {
			signs = append(signs, InSDP)
			return false
		}
		return true
	})
	return signs
}

// connection returns the address of a c= line (RFC 8866, 5.7).
func connection(l msg.SDPLine) ([]byte, bool) {
	if l.Type != 'c' {
		return nil, false
	}
	words := strings.Fields(string(l.Value))
	if len(words) != 3 || words[0] != "IN" {
		return nil, false
	}
	return []byte(words[2]), true
}

// ErrContact: there is no Contact whose URI could be changed.
var ErrContact = errors.New("no Contact with a SIP URI")

// Alias returns the value of Contact in which the URI of the first says where it can be
// reached: ";alias=ADDRESS~PORT~TRANSPORT". One that says so already is taken as it is.
func Alias(m *msg.Message, source netip.AddrPort, by sipev.Transport) (string, error) {
	var values []string
	for v := m.Values(msg.Contact); v.Next(); {
		text := string(msg.Unfold(nil, v.Value()))
		if len(values) == 0 {
			var err error
			if text, err = withAlias(text, source, by); err != nil {
				return "", err
			}
		}
		values = append(values, text)
	}
	if len(values) == 0 {
		return "", ErrContact
	}
	return strings.Join(values, ", "), nil
}

func withAlias(value string, source netip.AddrPort, by sipev.Transport) (string, error) {
	a, err := msg.ParseAddress([]byte(value))
	if err != nil || a.Star {
		return "", ErrContact
	}
	u, err := msg.ParseURI(a.URI)
	if err != nil || u.Scheme != msg.SIP && u.Scheme != msg.SIPS {
		return "", ErrContact
	}
	if _, ok := u.Param("alias"); ok {
		return value, nil
	}
	uri := string(a.URI)
	end := len(uri)
	if u.Headers != nil {
		end -= len(u.Headers) + 1 // the user may hold a question mark too
	}
	host := strings.ReplaceAll(source.Addr().Unmap().String(), ":", "-") // as no parameter holds colons
	uri = uri[:end] + ";alias=" + host + "~" + strconv.Itoa(int(source.Port())) + "~" + strconv.Itoa(int(by)) + uri[end:]
	display := string(a.Display)
	if display != "" {
		display += " "
	}
	return display + "<" + uri + ">" + string(a.Params), nil
}

// Split takes the alias off a URI: what is left, and a URI that leads to it. false: it
// has none.
func Split(uri string) (bare, next string, ok bool) {
	raw := []byte(uri)
	u, err := msg.ParseURI(raw)
	if err != nil {
		return "", "", false
	}
	v, ok := u.Param("alias")
	words := strings.Split(string(v), "~")
	if !ok || len(words) != 3 {
		return "", "", false
	}
	addr, err := netip.ParseAddr(strings.ReplaceAll(words[0], "-", ":"))
	port, errPort := strconv.ParseUint(words[1], 10, 16)
	by, errBy := strconv.ParseUint(words[2], 10, 8)
	if err != nil || errPort != nil || errBy != nil || by == 0 || by > uint64(sipev.TransportWss) {
		return "", "", false
	}
	at := cap(raw) - cap(v) // v is a slice of raw
	name := at - len(";alias=")
	if uri[name:at] != ";alias=" {
		return "", "", false // escaped, or in capitals: not one that was made here
	}
	return uri[:name] + uri[at+len(v):], URI(netip.AddrPortFrom(addr, uint16(port)), sipev.Transport(by)), true
}

// URI returns one that leads to a peer as it is.
func URI(to netip.AddrPort, by sipev.Transport) string {
	text := "sip:" + netip.AddrPortFrom(to.Addr().Unmap(), to.Port()).String()
	if by != sipev.TransportUDP {
		text += ";transport=" + by.String()
	}
	return text
}

// FixSDP returns a message's body in which media are waited for at an address: c= lines
// with another one say it, of its family. Other lines stay as they are, ports too. false:
// there is nothing to change.
func FixSDP(m *msg.Message, addr netip.Addr) ([]byte, bool) {
	addr = addr.Unmap()
	sdp, offset := m.SDP()
	body := m.Body()
	var out []byte
	done := 0 // how much of body is in out
	msg.SDPLines(sdp, func(l msg.SDPLine) bool {
		host, ok := connection(l)
		if old, isAddr := address(host); !ok || !isAddr || old == addr || old.IsUnspecified() {
			return true // an unspecified address puts on hold
		}
		family := "IP4 "
		if addr.Is6() {
			family = "IP6 "
		}
		at := offset + l.Offset
		out = append(append(out, body[done:at]...), "IN "+family+addr.String()...)
		done = at + len(l.Value)
		return true
	})
	return append(out, body[done:]...), done != 0
}
