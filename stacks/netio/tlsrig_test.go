package netio

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// pki is an authority with what it certified.
type pki struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newPKI() *pki {
	p := &pki{pool: x509.NewCertPool()}
	p.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, p.key.Public(), p.key)
	if err != nil {
		panic(err)
	}
	p.cert, _ = x509.ParseCertificate(der)
	p.pool.AddCert(p.cert)
	return p
}

// issue certifies a name, for 127.0.0.1 too.
func (p *pki) issue(name string) tls.Certificate {
	p.n++
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1 + p.n), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.cert, key.Public(), p.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var testPKI = sync.OnceValue(newPKI)

// serverTLS and clientTLS are configurations that suit each other.
func serverTLS(change ...func(*tls.Config)) *tls.Config {
	cfg := &tls.Config{Certificates: []tls.Certificate{testPKI().issue("server.test")}}
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

func clientTLS(change ...func(*tls.Config)) *tls.Config {
	cfg := &tls.Config{RootCAs: testPKI().pool, ServerName: "server.test"}
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

// withTLS makes a listener one with TLS.
func withTLS(cfg *tls.Config) func(*SocketConfig) {
	return func(c *SocketConfig) { c.TLS = cfg }
}

// tlsPeer connects to a listener from outside.
func (r *rig) tlsPeer(ls *Listener, cfg *tls.Config) *tls.Conn {
	r.t.Helper()
	c := tls.Client(r.peer(ls), cfg)
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// handshakes returns how handshakes ended so far.
func (r *rig) handshakes() (s HandshakeStats) {
	r.do(func() { s = r.l.Stats().Handshakes })
	return s
}

// chop passes bytes both ways between a client and addr in pieces of that size.
func chop(t *testing.T, addr string, piece int) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	pass := func(dst, src *net.TCPConn) {
		buf := make([]byte, piece)
		for {
			n, err := src.Read(buf)
			if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
				_ = dst.CloseWrite()
				return
			}
		}
	}
	wg.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", addr)
			if err != nil {
				_ = a.Close()
				return
			}
			wg.Go(func() {
				var two sync.WaitGroup
				two.Go(func() { pass(b.(*net.TCPConn), a.(*net.TCPConn)) })
				two.Go(func() { pass(a.(*net.TCPConn), b.(*net.TCPConn)) })
				two.Wait()
				_, _ = a.Close(), b.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}
