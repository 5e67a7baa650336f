package edge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/sipev"
)

// Listen is a listener as a script declares it.
type Listen struct {
	Name    string
	Options []event.KV // plain data, as the script gave it
	Dir     string     // of the script: relative files are there
}

// spec is what a declaration means.
type spec struct {
	url       string
	proto     sipev.Transport
	addr      netip.AddrPort
	path      string   // of a WebSocket; empty: any
	advertise string   // host:port that peers are shown; empty: the address
	names     []string // further hosts that name this server, in lower case
	idle      time.Duration
	cert, key string
	ca        string // PEM file of who is trusted where we connect; empty: whom the system trusts
	tls       *tls.Config
	roots     *x509.CertPool
}

// defaultIdle is how long a connection may be silent.
const defaultIdle = 10 * time.Minute

// parse reads a declaration, and the files that it names where read says so: keys are
// for who opens the listener, not for who only checks scripts.
func parse(l Listen, read bool) (*spec, error) {
	s := &spec{idle: defaultIdle}
	for _, o := range l.Options {
		if err := s.option(o, l.Dir); err != nil {
			return nil, err
		}
	}
	if s.url == "" {
		return nil, errors.New(`it has no url, such as "udp://127.0.0.1:5060"`)
	}
	if err := s.address(); err != nil {
		return nil, err
	}
	return s, s.certificate(read)
}

func (s *spec) option(o event.KV, dir string) error {
	text, isText := o.Value.(string)
	wrong := func(what string) error { return fmt.Errorf("%s: %s expected", o.Key, what) }
	switch o.Key {
	case "url":
		if s.url = text; !isText {
			return wrong("a text")
		}
	case "advertise":
		if s.advertise = text; !isText || !sentBy(text) {
			return wrong("HOST or HOST:PORT")
		}
	case "names":
		list, ok := o.Value.([]any)
		if isText {
			list, ok = []any{text}, true
		}
		for _, v := range list {
			name, isName := v.(string)
			ok = ok && isName
			s.names = append(s.names, strings.ToLower(name))
		}
		if !ok {
			return wrong("a list of names")
		}
	case "idle":
		if err := plain.SetDuration(&s.idle, o.Value); err != nil || s.idle <= 0 {
			return wrong(`a time such as "10m"`)
		}
	case "cert", "key", "ca":
		if !isText {
			return wrong("a file")
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(dir, text)
		}
		*map[string]*string{"cert": &s.cert, "key": &s.key, "ca": &s.ca}[o.Key] = text
	default:
		return fmt.Errorf("%s: unknown; url, advertise, names, idle, cert, key and ca are known", o.Key)
	}
	return nil
}

// sentBy reports whether a text is a host, perhaps with a port.
func sentBy(text string) bool {
	host := text
	if h, port, err := net.SplitHostPort(text); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		host = h
	}
	return host != "" && !strings.ContainsAny(host, " \t\r\n;,<>\"/@?")
}

// address reads the URL.
func (s *spec) address() error {
	if !strings.Contains(s.url, "://") {
		return fmt.Errorf("url: %q has no scheme, as in udp://127.0.0.1:5060", s.url)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if s.proto = protoOf(u.Scheme); s.proto == sipev.TransportUDP && u.Scheme != "udp" {
		return fmt.Errorf("url: scheme %q is unknown: udp, tcp, tls, ws or wss expected", u.Scheme)
	}
	port := strconv.Itoa(int(portOf(s.proto)))
	if p := u.Port(); p != "" {
		port = p
	}
	if s.addr, err = netip.ParseAddrPort(net.JoinHostPort(u.Hostname(), port)); err != nil {
		return fmt.Errorf("url: an address and a port expected: %w", err)
	}
	if s.proto == sipev.TransportWS || s.proto == sipev.TransportWss {
		s.path, u.Path = u.Path, ""
	}
	if u.Path != "" || u.RawQuery != "" || u.User != nil {
		return errors.New("url: nothing but scheme, address and port expected")
	}
	return nil
}

// certificate checks, and where read says so loads, what a listener with TLS shows and
// whom it trusts.
func (s *spec) certificate(read bool) error {
	if s.proto != sipev.TransportTLS && s.proto != sipev.TransportWss {
		if s.cert != "" || s.key != "" || s.ca != "" {
			return errors.New("cert, key and ca are for tls:// and wss:// alone")
		}
		return nil
	}
	if s.cert == "" || s.key == "" {
		return errors.New("tls:// and wss:// need cert and key")
	}
	if !read {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if s.ca == "" {
		return nil
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	if s.roots = x509.NewCertPool(); !s.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca: %s holds no certificate", s.ca)
	}
	return nil
}

// shown returns the host and port that peers are shown, empty where that depends on
// the peer.
func (s *spec) shown(bound netip.AddrPort) string {
	switch {
	case s.advertise != "" && strings.Contains(strings.TrimSuffix(s.advertise, "]"), "]:"),
		s.advertise != "" && strings.Count(s.advertise, ":") == 1:
		return s.advertise
	case s.advertise != "":
		return s.advertise + ":" + strconv.Itoa(int(bound.Port()))
	case bound.Addr().IsUnspecified():
		return ""
	default:
		return bound.String()
	}
}

// network is what netio calls the transport.
func (s *spec) network() string {
	net := "tcp"
	if s.proto == sipev.TransportUDP {
		net = "udp"
	}
	if s.addr.Addr().Is4() {
		return net + "4"
	}
	return net + "6"
}
