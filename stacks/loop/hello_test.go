package loop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// certifyNamed writes name.pem, of itself, and name.key for a server's name.
func certifyNamed(t testing.TB, dir, file, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, from, from, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{file + ".pem": {Type: "CERTIFICATE", Bytes: cert}, file + ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHello has clients ask for servers by name: the certificate follows the name, and
// rules decide before anything is agreed on.
func TestHello(t *testing.T) {
	dir := t.TempDir()
	certifyNamed(t, dir, "a", "a.example")
	certifyNamed(t, dir, "b", "*.b.example")
	certs := []event.KV{
		kv("a.example", []event.KV{kv("cert", "a.pem"), kv("key", "a.key")}),
		kv("*.b.example", []event.KV{kv("cert", "b.pem"), kv("key", "b.key")}),
	}
	r := newRig(t)
	at := r.listenAll(
		Listen{Name: "web", Dir: dir, Options: []event.KV{kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("certs", certs), kv("alpn", []any{"x"})})}},
		Listen{Name: "behind", Dir: dir, Options: []event.KV{kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("cert", "a.pem"), kv("key", "a.key")})}},
	)
	var told []loopev.TLSHello
	r.serve(func(name string, c *Conn, e any) event.Verdict {
		h, ok := e.(*loopev.TLSHello)
		if !ok {
			sni, _ := c.SNI()
			from, _ := c.Listener()
			if passed := from == "web" && sni == "passed.example"; passed {
				if c.TLS() {
					t.Error("what is passed on is no TLS here")
				}
				return event.Verdict{} // its bytes are the client's
			}
			return echo(name, c, e)
		}
		if l, _ := c.Listener(); l != "web" {
			return event.Verdict{}
		}
		told = append(told, *h)
		switch h.Name {
		case "refused.example":
			return event.Verdict{Kind: loopev.VerdictRefuse}
		case "reset.example":
			return event.Verdict{Kind: loopev.VerdictReset}
		case "as-b.example":
			return event.Verdict{Kind: loopev.VerdictCertificate, Args: &loopev.CertificateArgs{Name: "*.B.example"}}
		case "as-none.example":
			return event.Verdict{Kind: loopev.VerdictCertificate, Args: &loopev.CertificateArgs{Name: "none"}}
		case "passed.example":
			return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["behind"]}}
		}
		return event.Verdict{}
	})
	for _, c := range []struct{ name, want string }{
		{"a.example", "a.example hello"},
		{"A.Example", "a.example hello"},
		{"x.b.example", "*.b.example hello"},
		{"as-b.example", "*.b.example hello"},
		{"as-none.example", "unrecognized name"},
		{"refused.example", "unrecognized name"},
		{"unknown.example", "unrecognized name"},
		{"reset.example", "reset"},
		{"passed.example", "a.example hello"},
	} {
		if got := greet(at["web"], c.name, nil); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	r.do(func() {
		if len(told) != 9 || told[0].Ja4 == "" || !told[0].From.IsValid() || !told[0].HasName {
			t.Errorf("told of %d: %+v", len(told), told)
		}
		if d := cmp.Diff([]string{"y", "x"}, told[0].Protocols); d != "" || told[0].Versions[0] != "1.3" {
			t.Errorf("offered %q, %q", told[0].Protocols, told[0].Versions)
		}
		// The rules wanted what failed, but for the certificate that is not there and the
		// name that nobody knows.
		var faults []string
		for _, line := range r.log {
			if strings.HasPrefix(line, "L error") {
				faults = append(faults, line)
			}
		}
		if d := cmp.Diff([]string{"L error tls", "L error tls"}, faults); d != "" {
			t.Error(d)
		}
	})
}

// greet says hello by TLS and returns the certificate's name and what comes back.
func greet(at, name string, tickets tls.ClientSessionCache) string {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", at, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"y", "x"}, ClientSessionCache: tickets,
	})
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "remote error":
		return strings.TrimPrefix(refused.Err.Error(), "tls: ")
	case err != nil && strings.Contains(err.Error(), "reset"):
		return "reset"
	case err != nil:
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err.Error()
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil {
		return err.Error()
	}
	return c.ConnectionState().PeerCertificates[0].DNSNames[0] + " " + string(b)
}

// TestHelloWaits has handshakes stand still while their handlers wait, whatever these decide
// then, and others go on meanwhile; their time is that of the handshake.
func TestHelloWaits(t *testing.T) {
	dir := t.TempDir()
	certifyNamed(t, dir, "a", "a.example")
	certifyNamed(t, dir, "b", "b.example")
	cert := func(name string) []event.KV { return []event.KV{kv("cert", name+".pem"), kv("key", name+".key")} }
	r := newRig(t)
	at := r.listenAll(
		Listen{Name: "web", Dir: dir, Options: []event.KV{
			kv("url", "tls://127.0.0.1:0"), kv("tls", append(cert("a"), kv("certs", []event.KV{kv("b.example", cert("b"))}))),
			kv("limits", []event.KV{kv("handshake", "2s")}),
		}},
		Listen{Name: "behind", Dir: dir, Options: []event.KV{kv("url", "tls://127.0.0.1:0"), kv("tls", cert("b"))}},
		Listen{Name: "other", Dir: dir, Options: []event.KV{kv("url", "tls://127.0.0.1:0"), kv("tls", cert("a"))}},
	)
	r.serve(func(name string, c *Conn, e any) event.Verdict {
		h, ok := e.(*loopev.TLSHello)
		if !ok {
			if from, _ := c.Listener(); from == "web" && c.Inbound() && !c.TLS() {
				return event.Verdict{} // its bytes are the client's
			}
			return echo(name, c, e)
		}
		if l, _ := c.Listener(); l != "web" {
			return event.Verdict{}
		}
		switch h.Name {
		case "slow-refused.example":
			return event.Verdict{Kind: loopev.VerdictRefuse}
		case "slow-reset.example":
			return event.Verdict{Kind: loopev.VerdictReset}
		case "slow-b.example":
			return event.Verdict{Kind: loopev.VerdictCertificate, Args: &loopev.CertificateArgs{Name: "b.example"}}
		case "slow-behind.example":
			return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["behind"]}}
		case "slow-other.example":
			return event.Verdict{Kind: loopev.VerdictProxy, Args: &loopev.ProxyArgs{URL: "tcp://" + at["other"]}}
		}
		return event.Verdict{}
	})
	r.do(func() {
		r.awaitFor = func(e any) bool {
			h := e.(*loopev.TLSHello)
			l, _ := h.C.Listener()
			return l == "web" && strings.HasPrefix(h.Name, "slow")
		}
	})
	wants := map[string]string{
		"slow.example": "a.example hello", "slow-b.example": "b.example hello", "slow-refused.example": "unrecognized name",
		"slow-reset.example": "reset", "slow-behind.example": "b.example hello", "slow-other.example": "a.example hello",
	}
	type answer struct{ name, got string }
	answers := make(chan answer, len(wants))
	for name := range wants {
		go func() { answers <- answer{name, greet(at["web"], name, nil)} }()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		n := 0
		if r.do(func() { n = len(r.waiting) }); n == len(wants) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait", n)
		}
	}
	if got := greet(at["web"], "a.example", nil); got != "a.example hello" {
		t.Errorf("meanwhile: %s", got)
	}
	r.do(func() {
		for _, goOn := range r.waiting {
			goOn()
		}
		r.waiting = nil
	})
	r.g.Wake()
	for range wants {
		if a := <-answers; a.got != wants[a.name] {
			t.Errorf("%s: %s, want %s", a.name, a.got, wants[a.name])
		}
	}
	began := time.Now()
	if got := greet(at["web"], "slow.example", nil); !strings.Contains(got, "EOF") && got != "reset" {
		t.Errorf("too late: %s", got)
	}
	if d := time.Since(began); d < 1800*time.Millisecond || d > 30*time.Second {
		t.Errorf("after %s", d)
	}
	r.do(func() {
		// Who waits is told that nobody wants to know any more, and decides nothing.
		if !slices.ContainsFunc(r.log, func(line string) bool { return strings.HasPrefix(line, "canceled handshake ") }) {
			t.Errorf("%q", r.log)
		}
		r.waiting[0]()
		if n := r.s.io.Stats().Handshakes.Timeout; n != 1 {
			t.Errorf("%d were too late", n)
		}
	})
}

// TestHelloOfWhoWasHere refuses a client that has a ticket of an earlier connection.
func TestHelloOfWhoWasHere(t *testing.T) {
	dir := t.TempDir()
	certifyNamed(t, dir, "a", "a.example")
	r := newRig(t)
	at := r.listenAll(Listen{Name: "web", Dir: dir, Options: []event.KV{
		kv("url", "tls://127.0.0.1:0"), kv("tls", []event.KV{kv("cert", "a.pem"), kv("key", "a.key")}),
	}})["web"]
	hellos := 0
	r.serve(func(name string, c *Conn, e any) event.Verdict {
		if _, ok := e.(*loopev.TLSHello); ok {
			if hellos++; hellos > 2 {
				return event.Verdict{Kind: loopev.VerdictRefuse}
			}
		}
		return echo(name, c, e)
	})
	tickets := tls.NewLRUClientSessionCache(1)
	for i, want := range []string{"a.example hello", "a.example hello", "unrecognized name"} {
		if got := greet(at, "a.example", tickets); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	r.do(func() {
		if n := r.s.io.Stats().Handshakes.Resumed; n != 1 {
			t.Errorf("%d were resumed", n)
		}
	})
}

// TestJA4 has the example of JA4's authors.
func TestJA4(t *testing.T) {
	t.Parallel()
	hello := &tls.ClientHelloInfo{
		ServerName: "a.example", SupportedProtos: []string{"h2", "http/1.1"},
		SupportedVersions: []uint16{0x0a0a, tls.VersionTLS13, tls.VersionTLS12},
		CipherSuites: []uint16{
			0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
		},
		Extensions: []uint16{
			0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
		},
		SignatureSchemes: []tls.SignatureScheme{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	}
	if got := ja4(hello); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Error(got)
	}
	if got := ja4(&tls.ClientHelloInfo{}); got != "t00i000000_000000000000_000000000000" {
		t.Error(got)
	}
}

// TestCerts refuses tables that are none.
func TestCerts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, v := range []any{
		true,
		[]event.KV{kv("a", "b")},
		[]event.KV{kv("a", []event.KV{kv("cert", "x")})},
		[]event.KV{kv("a", []event.KV{kv("cert", "x"), kv("what", "y")})},
		[]event.KV{kv("a", []event.KV{kv("cert", "x"), kv("key", true)})},
		[]event.KV{kv("a", []event.KV{kv("cert", "absent.pem"), kv("key", "absent.key")})},
	} {
		if _, _, err := r.g.parseTLS([]event.KV{kv("certs", v)}, t.TempDir(), true); err == nil {
			t.Errorf("%v was taken", v)
		}
	}
	if _, _, err := r.g.parseTLS([]event.KV{kv("certs", []event.KV{})}, "", false); err == nil {
		t.Error("of an outgoing connection")
	}
}
