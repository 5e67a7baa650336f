package loop

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// hello raises loop.tls_hello about a client, and does what is decided.
func (p *port) hello(from netip.AddrPort, hello *tls.ClientHelloInfo) (netio.HelloVerdict, *tls.Config) {
	s := p.s
	if p.conn.over || !loopev.OnTLSHello.Wanted(s.sh) {
		return netio.HelloServe, nil
	}
	e := &s.events.hello
	*e = loopev.TLSHello{C: p.conn, From: unmap(from), HasFrom: from.IsValid()}
	e.Name, e.HasName = strings.ToLower(hello.ServerName), hello.ServerName != ""
	e.Protocols, e.Versions, e.Ja4 = hello.SupportedProtos, versionsOf(hello), ja4(hello)
	switch v := loopev.OnTLSHello.Emit(s.sh, e); v.Kind {
	case loopev.VerdictRefuse:
		return netio.HelloRefuse, nil
	case loopev.VerdictReset:
		return netio.HelloReset, nil
	case loopev.VerdictProxy:
		p.pass = v.Args.(*loopev.ProxyArgs)
		return netio.HelloPass, nil
	case loopev.VerdictCertificate:
		name := v.Args.(*loopev.CertificateArgs).Name
		cert := p.spec.certs[strings.ToLower(name)]
		if cert == nil {
			p.conn.fault(loopev.FaultTLS, fmt.Sprintf("certificate %q: there is none of that name in tls.certs", name))
			return netio.HelloRefuse, nil
		}
		cfg := p.spec.tls.Clone()
		cfg.Certificates, cfg.GetCertificate = []tls.Certificate{*cert}, nil
		return netio.HelloServe, cfg
	}
	return netio.HelloServe, nil
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
