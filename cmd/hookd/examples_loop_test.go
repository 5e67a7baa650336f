package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/watch"
)

// loopExample loads an example, at free ports, from a copy of its folder.
func loopExample(t *testing.T, name string, change ...string) *loopHouse {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../examples", name))); err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir)
	main := filepath.Join(dir, "main.lua")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, []byte(strings.NewReplacer(change...).Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	sources, err := watch.Scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := newLoopHouse(t, "")
	h.applyAll(sources)
	return h
}

// TestExampleSpecs runs the specs of the examples that have no capture, and wants one
// of each that listens.
func TestExampleSpecs(t *testing.T) {
	mains, err := filepath.Glob("../../examples/*/main.lua")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		text, err := os.ReadFile(main)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("loop.listen")) {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := run([]string{"test", dir}, nil, &out, &out); code != exitDone || strings.HasPrefix(out.String(), "0 passed") {
				t.Errorf("exit %d\n%s", code, &out)
			}
		})
	}
}

func (h *loopHouse) applyAll(sources []engine.Source) {
	h.t.Helper()
	if _, diags := h.engine.Apply(sources); diags.HasErrors() {
		h.t.Fatal(diags)
	}
}

// writeCertificate makes cert.pem and key.pem for 127.0.0.1.
func writeCertificate(t testing.TB, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hookd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExampleEcho sends more than any buffer holds, ends its stream, and wants it all
// back.
func TestExampleEcho(t *testing.T) {
	h := loopExample(t, "tcp-echo", ":17000", ":0")
	c := h.dial("echo")
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	go func() {
		_, _ = c.Write(sent)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c.r)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(sent), err)
	}
}

// TestExampleProxy is a TLS client of a server without TLS.
func TestExampleProxy(t *testing.T) {
	up := loopExample(t, "tcp-echo", ":17000", ":0")
	h := loopExample(t, "tcp-proxy", ":17443", ":0", "127.0.0.1:17000", up.at("echo"), "rate = 50", "rate = 1000")
	trust := &tls.Config{InsecureSkipVerify: true}
	var open []net.Conn
	for i := range 4 {
		c, err := tls.Dial("tcp", h.at("front"), trust)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
		text := fmt.Sprintf("hello %d", i)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if c, err := tls.Dial("tcp", h.at("front"), trust); err == nil {
		_ = c.Close()
		t.Error("a fifth connection of one address is served")
	}
	_ = open[0].(*tls.Conn).CloseWrite()
	if rest, err := io.ReadAll(open[0]); err != nil || len(rest) > 0 {
		t.Errorf("behind the end: %q, %v", rest, err)
	}
	h.said("msg=served")
}
