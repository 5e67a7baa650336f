package edge

import (
	"bufio"
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
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio/wsframe"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// certificates writes a key and a certificate that is its own authority, for 127.0.0.1.
func certificates(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

// options are those of a listener; pairs of names and values.
func options(url string, pairs ...string) []event.KV {
	list := []event.KV{{Key: "url", Value: url}}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, event.KV{Key: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// at returns the address of a listener.
func (r *edgeRig) at(name string) netip.AddrPort {
	r.shard.Enter()
	defer r.shard.Leave()
	for _, l := range r.ports {
		if l.name == name {
			return l.bound()
		}
	}
	return netip.AddrPort{}
}

// TestTLS: calls come by TLS, and go on by TLS to who has the right certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificates(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := serve(t, options("tls://127.0.0.1:0", "cert", cert, "key", key, "ca", cert)...)
	r.relay.uri.set("sips:" + ln.Addr().String())
	c, err := tls.Dial("tcp", r.addr.String(), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	caller := &end{t: t, proto: "TLS", c: c}
	caller.send(caller.request("OPTIONS", "sip:b@y", "1", "", "", 1))
	out, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	callee := &end{t: t, proto: "TLS", c: out}
	m := callee.read("OPTIONS")
	if via, _ := m.Via(); string(via.Transport) != "TLS" {
		t.Errorf("Via of\n%s", m.Raw())
	}
	callee.reply(m, 200)
	caller.read("SIP/2.0 200")
}

// TestTLSStranger: who cannot prove its name gets nothing.
func TestTLSStranger(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificates(t)
	other, otherKey, _ := certificates(t)
	pair, err := tls.LoadX509KeyPair(other, otherKey)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	r := serve(t, options("tls://127.0.0.1:0", "cert", cert, "key", key, "ca", cert)...)
	r.relay.uri.set("sips:" + ln.Addr().String())
	c, err := tls.Dial("tcp", r.addr.String(), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	caller := &end{t: t, proto: "TLS", c: c}
	caller.send(caller.request("OPTIONS", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 500") // a 503 of ours is not passed on (RFC 3261, 16.7)
}

// TestRefused: nobody listens where a request should go, and the caller hears of it at
// once.
func TestRefused(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	r := serve(t, options("tcp://127.0.0.1:0")...)
	r.relay.uri.set("sip:" + addr + ";transport=tcp")
	caller := dial(t, "tcp", r.addr)
	caller.send(caller.request("INVITE", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 100")
	caller.read("SIP/2.0 500")
	r.shard.Enter()
	defer r.shard.Leave()
	if got := r.stack.Stats().Undelivered; got != 1 {
		t.Errorf("%d undelivered, want 1", got)
	}
}

// TestHalfClosed: who sends no more still gets its replies.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	callee := listenUDP(t, "127.0.0.1:0")
	r := serve(t, options("tcp://127.0.0.1:0")...)
	r.declare(t, Listen{Name: "edge", Options: options("tcp://127.0.0.1:0")}, Listen{Name: "inner", Options: options("udp://127.0.0.1:0")})
	r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	caller := dial(t, "tcp", r.addr)
	caller.send(caller.request("OPTIONS", "sip:b@y", "1", "", "", 1))
	if err := caller.c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	m := callee.read("OPTIONS")
	time.Sleep(20 * time.Millisecond)
	callee.reply(m, 200)
	caller.read("SIP/2.0 200")
}

// wsConn is a WebSocket as a net.Conn: each Write a message, and each Read a part of
// one.
type wsConn struct {
	net.Conn
	read  *wsframe.Reader
	write *wsframe.Writer
	in    []byte
	ready []byte
}

func (c *wsConn) Write(p []byte) (int, error) {
	_, err := c.Conn.Write(c.write.Append(nil, wsframe.Text, p))
	return len(p), err
}

func (c *wsConn) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		m, n, ok, err := c.read.Next(c.in)
		if err != nil {
			return 0, err
		}
		if ok {
			c.ready = append(c.ready, m.Data...)
		}
		if c.in = c.in[n:]; ok {
			if m.Opcode == wsframe.Close {
				return 0, io.EOF
			}
			continue
		}
		more := make([]byte, 4096)
		n, err = c.Conn.Read(more)
		if err != nil {
			return 0, err
		}
		c.in = append(c.in, more[:n]...)
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// shakeHands asks for a WebSocket, and returns the answer's status.
func shakeHands(t *testing.T, c net.Conn, change ...string) (*wsConn, *http.Response) {
	t.Helper()
	key := wsframe.NewKey()
	text := "GET /phone HTTP/1.1\r\nHost: edge\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " + key +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, sip\r\n\r\n"
	if _, err := io.WriteString(c, strings.NewReplacer(change...).Replace(text)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusSwitchingProtocols && answer.Header.Get("Sec-WebSocket-Accept") != wsframe.AcceptKey(key) {
		t.Errorf("the answer is for another key: %v", answer.Header)
	}
	return &wsConn{Conn: c, read: wsframe.NewReader(wsframe.Config{}), write: wsframe.NewWriter(wsframe.Config{})}, answer
}

// TestWebSocket: a browser's calls, with and without TLS; what is sent there later goes
// by its connection.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificates(t)
	for _, row := range []struct {
		scheme string
		more   []string
		dial   func(addr string) (net.Conn, error)
	}{
		{"ws", nil, func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }},
		{"wss", []string{"cert", cert, "key", key}, func(addr string) (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
		}},
	} {
		t.Run(row.scheme, func(t *testing.T) {
			t.Parallel()
			callee := listenUDP(t, "127.0.0.1:0")
			edge := Listen{Name: "edge", Options: options(row.scheme+"://127.0.0.1:0/phone", row.more...)}
			r := serve(t, edge.Options...)
			r.declare(t, edge, Listen{Name: "inner", Options: options("udp://127.0.0.1:0")})
			r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
			c, err := row.dial(r.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ws, answer := shakeHands(t, c)
			if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Protocol") != "sip" {
				t.Fatalf("answered %v", answer)
			}
			caller := &end{t: t, proto: strings.ToUpper(row.scheme), c: ws}
			caller.send("\r\n\r\n")
			p := make([]byte, 8)
			if n, err := ws.Read(p); err != nil || string(p[:n]) != "\r\n" {
				t.Fatalf("a keep-alive is answered by %q, %v", p[:n], err)
			}
			caller.send(caller.request("OPTIONS", "sip:b@y", "1", "", "", 1))
			m := callee.read("OPTIONS")
			callee.reply(m, 200)
			caller.read("SIP/2.0 200")
			// A request the other way, to the address that it came from.
			r.relay.uri.set("sip:" + c.LocalAddr().String() + ";transport=" + row.scheme)
			out := dial(t, "udp", r.at("inner"))
			out.send(out.request("MESSAGE", "sip:a@x", "9", "", "", 9))
			back := caller.read("MESSAGE")
			if via, _ := back.Via(); string(via.Transport) != caller.proto {
				t.Errorf("Via of\n%s", back.Raw())
			}
			caller.reply(back, 202)
			out.read("SIP/2.0 202")
		})
	}
}

// TestWebSocketRefused: what is no WebSocket of SIP is told so.
func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	r := serve(t, options("ws://127.0.0.1:0/phone")...)
	for _, row := range []struct {
		from, to string
		want     int
	}{
		{"/phone", "/other", 404},
		{"chat, sip", "chat", 400},
		{"Version: 13", "Version: 8", 426},
		{"Upgrade: WebSocket", "Upgrade: h2c", 426},
		{"GET", "POST", 400},
		{"GET /phone", "nothing", 400},
		{"Host: edge", "X: " + strings.Repeat("x", maxUpgrade), 431},
	} {
		c, err := net.Dial("tcp", r.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, answer := shakeHands(t, c, row.from, row.to); answer.StatusCode != row.want {
			t.Errorf("%s: %d, want %d", row.to, answer.StatusCode, row.want)
		}
		_ = c.Close()
	}
	// After the handshake: what is no frame, and a frame that is not masked.
	for _, bad := range []string{"INVITE sip:a@b SIP/2.0\r\n", "\x81\x02hi"} {
		c, err := net.Dial("tcp", r.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		ws, _ := shakeHands(t, c)
		_, _ = c.Write([]byte(bad))
		if _, err := ws.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%q is taken: %v", bad, err)
		}
		_ = c.Close()
	}
}

// TestWebSocketOut: two servers, the first connects to the second by WebSocket.
func TestWebSocketOut(t *testing.T) {
	t.Parallel()
	callee := listenUDP(t, "127.0.0.1:0")
	far := serve(t, options("ws://127.0.0.1:0")...)
	farAddr := far.addr
	far.declare(t, Listen{Name: "edge", Options: options("ws://127.0.0.1:0")}, Listen{Name: "inner", Options: options("udp://127.0.0.1:0")})
	far.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	near := serve(t, options("udp://127.0.0.1:0")...)
	near.relay.uri.set("sip:" + farAddr.String() + ";transport=ws")
	caller := dial(t, "udp", near.addr)
	for i := range 2 {
		caller.send(caller.request("OPTIONS", "sip:b@y", fmt.Sprint(i), "", "", i))
		m := callee.read("OPTIONS")
		if n := m.Count(msg.ViaName); n != 3 || !bytes.Contains(m.Raw(), []byte("SIP/2.0/WS ")) {
			t.Errorf("it went by\n%s", m.Raw())
		}
		callee.reply(m, 200)
		caller.read("SIP/2.0 200")
	}
}
