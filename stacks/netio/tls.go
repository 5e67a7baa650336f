package netio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
)

// TLS returns what was agreed on in the TLS handshake: version, server name, protocol
// (ALPN), the peer's certificates; ok is false for a connection without TLS and
// before its handshake is over.
func (c *Conn) TLS() (state tls.ConnectionState, ok bool) {
	if c.tls == nil || c.flags&isShaking != 0 {
		return state, false
	}
	return c.tls.conn.ConnectionState(), true
}

// Encrypted reports whether the connection is one with TLS.
func (c *Conn) Encrypted() bool { return c.tls != nil }

// SetTLS has connections that come from now on use cfg; those that are open keep
// what they have. It is how certificates are replaced without closing the socket. A
// socket that was opened without TLS, or with it, stays what it is: it reports false
// then. cfg must not be changed any more. Any goroutine.
func (s *Socket) SetTLS(cfg *tls.Config) bool {
	if (cfg == nil) != (s.tls.Load() == nil) {
		return false
	}
	s.tls.Store(withHello(cfg))
	return true
}

// clientConfig returns the configuration for a connection to host: its own name is
// asked for and verified if the caller named no other.
func clientConfig(cfg *tls.Config, host string) *tls.Config {
	if cfg.ServerName != "" || host == "" {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.ServerName = host
	return cfg
}

// peerName is the address that a session is remembered under.
func peerName(addr netip.AddrPort, path string) net.Addr {
	if path != "" {
		return &net.UnixAddr{Name: path, Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(addr)
}

// HandshakeStats count how TLS handshakes ended, and what fails before them.
type HandshakeStats struct {
	Done, Resumed uint64
	Timeout       uint64 // Options.Handshake
	Evicted       uint64 // given up for another: Config.Handshakes
	NotTLS        uint64 // the peer speaks something else
	Left          uint64 // the peer ended or reset the connection
	Certificate   uint64 // the peer's certificate was not accepted
	Alert         uint64 // the peer refused
	Proxy         uint64 // what a proxy says first is not that, or it refuses
	Other         uint64 // no common version, cipher or protocol, and what is malformed
}

// Failed returns how many did not succeed.
func (s HandshakeStats) Failed() uint64 {
	return s.Timeout + s.Evicted + s.NotTLS + s.Left + s.Certificate + s.Alert + s.Proxy + s.Other
}

// handshakeReason returns the reason that a failed handshake amounts to.
func handshakeReason(err error) Reason {
	r := Reason{Why: Handshake, What: "protocol", Err: err}
	if known, ok := errors.AsType[Reason](err); ok {
		return known
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		r.What = "not_tls"
	} else if isCertificate(err) {
		r.What = "certificate"
	} else if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		r.What = "alert"
	} else if why := reasonOf(err).Why; why == Reset || why == EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		r.What = "left"
	}
	return r
}

func isCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}

// count counts a handshake that failed.
func (s *HandshakeStats) count(why Reason) {
	n := &s.Other
	switch {
	case why.Why == Timeout:
		n = &s.Timeout
	case why.Why == Limit:
		n = &s.Evicted
	case why.What == "proxy":
		n = &s.Proxy
	case why.What == "not_tls":
		n = &s.NotTLS
	case why.What == "left":
		n = &s.Left
	case why.What == "certificate":
		n = &s.Certificate
	case why.What == "alert":
		n = &s.Alert
	}
	*n++
}

// dataReason returns the reason that an error of a connection amounts to whose
// handshake is over: one of the socket, a peer that left in the middle of a record,
// or one that breaks the protocol.
func dataReason(err error) error {
	switch r := reasonOf(err); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Reason{Why: Reset, What: "truncated", Err: err}
	case r.Why != Failed:
		return r
	}
	return Reason{Why: Failed, What: "tls", Err: err}
}
