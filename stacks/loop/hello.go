package loop

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// handshake is a TLS handshake about which handlers of loop.tls_hello are asked, for as
// long as that takes: they wait with it, and not with the listener.
type handshake struct {
	id    uint64
	slots event.Slots
	over  bool
}

// ID returns a number of its own.
func (h *handshake) ID() uint64 { return h.id }

// Label returns "handshake 3".
func (h *handshake) Label() string { return fmt.Sprintf("handshake %d", h.id) }

// Ended reports whether it is decided, or ended.
func (h *handshake) Ended() bool { return h.over }

// Slots returns where others attach data.
func (h *handshake) Slots() *event.Slots { return &h.slots }

// hello raises loop.tls_hello about a client, and has done what is decided.
func (p *port) hello(from netip.AddrPort, hello *tls.ClientHelloInfo, decide func(netio.HelloDecision)) (gone func()) {
	s := p.s
	if p.conn.over || !loopev.OnTLSHello.Wanted(s.sh) {
		decide(netio.HelloDecision{})
		return nil
	}
	e := &s.events.hello
	*e = loopev.TLSHello{C: p.conn, From: unmap(from), HasFrom: from.IsValid()}
	e.Name, e.HasName = strings.ToLower(hello.ServerName), hello.ServerName != ""
	e.Protocols, e.Versions, e.Ja4 = hello.SupportedProtos, versionsOf(hello), ja4(hello)
	h := &handshake{id: s.group.handshakes.Add(1)}
	loopev.OnTLSHello.AwaitFor(s.sh, e, h, func(v event.Verdict, err error) {
		h.over = true
		if err != nil { // nobody decides: nobody is let in
			v.Kind = loopev.VerdictReset
		}
		decide(p.decided(v))
	})
	return func() { s.sh.CancelWaits(h) }
}

// decided is what a verdict about a hello means.
func (p *port) decided(v event.Verdict) netio.HelloDecision {
	switch v.Kind {
	case loopev.VerdictRefuse:
		return netio.HelloDecision{Verdict: netio.HelloRefuse}
	case loopev.VerdictReset:
		return netio.HelloDecision{Verdict: netio.HelloReset}
	case loopev.VerdictProxy:
		return netio.HelloDecision{Verdict: netio.HelloPass, Data: v.Args.(*loopev.ProxyArgs)}
	case loopev.VerdictCertificate:
		name := v.Args.(*loopev.CertificateArgs).Name
		cert := p.spec.certs[strings.ToLower(name)]
		if cert == nil {
			p.conn.fault(loopev.FaultTLS, fmt.Sprintf("certificate %q: there is none of that name in tls.certs", name))
			return netio.HelloDecision{Verdict: netio.HelloRefuse}
		}
		cfg := p.spec.tls.Clone()
		cfg.Certificates, cfg.GetCertificate = []tls.Certificate{*cert}, nil
		return netio.HelloDecision{Config: cfg}
	}
	return netio.HelloDecision{}
}

// grease reports whether a value is one that clients make up so that servers get used
// to values they do not know (RFC 8701).
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// versionsOf names the versions of TLS that are offered.
func versionsOf(hello *tls.ClientHelloInfo) []string {
	var names []string
	for _, v := range hello.SupportedVersions {
		if !grease(v) {
			names = append(names, strings.TrimPrefix(tls.VersionName(v), "TLS "))
		}
	}
	return names
}

// ja4 is what kind of client says hello (FoxIO, JA4: TLS Client Fingerprinting).
func ja4(hello *tls.ClientHelloInfo) string {
	var version uint16
	for _, v := range hello.SupportedVersions {
		if !grease(v) {
			version = max(version, v)
		}
	}
	number := map[uint16]string{tls.VersionTLS13: "13", tls.VersionTLS12: "12", tls.VersionTLS11: "11", tls.VersionTLS10: "10"}[version]
	if number == "" {
		number = "00"
	}
	named := "i"
	if hello.ServerName != "" {
		named = "d"
	}
	alpn := "00"
	if len(hello.SupportedProtos) > 0 && hello.SupportedProtos[0] != "" {
		first := hello.SupportedProtos[0]
		if alpn = first[:1] + first[len(first)-1:]; !alphanumeric(alpn) {
			digits := hex.EncodeToString([]byte(first))
			alpn = digits[:1] + digits[len(digits)-1:]
		}
	}
	ciphers, extensions := hexes(hello.CipherSuites), hexes(hello.Extensions)
	head := fmt.Sprintf("t%s%s%02d%02d%s", number, named, min(99, len(ciphers)), min(99, len(extensions)), alpn)
	slices.Sort(ciphers)
	extensions = slices.DeleteFunc(extensions, func(e string) bool { return e == "0000" || e == "0010" })
	slices.Sort(extensions)
	rest := strings.Join(extensions, ",")
	if len(hello.SignatureSchemes) > 0 {
		rest += "_" + strings.Join(hexes(hello.SignatureSchemes), ",")
	}
	return head + "_" + cut(strings.Join(ciphers, ",")) + "_" + cut(rest)
}

func alphanumeric(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

// hexes are the values in hexadecimal, those left out that mean nothing.
func hexes[T ~uint16](values []T) []string {
	list := make([]string, 0, len(values))
	for _, v := range values {
		if !grease(uint16(v)) {
			list = append(list, fmt.Sprintf("%04x", uint16(v)))
		}
	}
	return list
}

// cut is the beginning of a digest, zeros of nothing.
func cut(text string) string {
	if text == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
