package loop

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// secrets are what the table tls names, before files are read.
type secrets struct {
	files
	certs    []namedPair
	ca, name string
	alpn     []string
	verify   bool
	min      string
}

// files are those of a certificate.
type files struct{ cert, key string }

// namedPair is one that is chosen by a name.
type namedPair struct {
	name string
	files
}

// parseTLS reads the table tls. Files are found below dir, unless their paths are
// absolute; they are read only where sockets are opened, so that scripts can be
// checked and replayed without their secrets. certs are a listener's by the names that
// the table gives them.
func (g *Group) parseTLS(v any, dir string, server bool) (cfg *tls.Config, certs map[string]*tls.Certificate, err error) {
	list, ok := v.([]event.KV)
	if !ok {
		return nil, nil, fmt.Errorf("tls: a table expected, got %s", plain.Describe(v))
	}
	s := secrets{verify: true}
	for _, f := range list {
		err = nil
		switch f.Key {
		case "cert":
			err = plain.SetString(&s.cert, f.Value)
		case "key":
			err = plain.SetString(&s.key, f.Value)
		case "certs":
			s.certs, err = parsePairs(f.Value)
		case "ca":
			err = plain.SetString(&s.ca, f.Value)
		case "alpn":
			err = plain.SetStrings(&s.alpn, f.Value)
		case "min":
			err = plain.SetString(&s.min, f.Value)
		case "name":
			err = plain.SetString(&s.name, f.Value)
		case "verify":
			err = plain.SetBool(&s.verify, f.Value)
		default:
			err = errors.New("unknown: cert, key, ca, alpn and min are known, certs of a listener, name and verify of an outgoing connection")
		}
		if err == nil && server && (f.Key == "name" || f.Key == "verify") {
			err = errors.New("it is for outgoing connections")
		}
		if err == nil && !server && f.Key == "certs" {
			err = errors.New("it is for listeners")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tls: %s: %w", f.Key, err)
		}
	}
	if cfg, certs, err = s.load(dir, server, len(g.list()) > 0 && g.cfg.Memory == nil); err != nil {
		return nil, nil, fmt.Errorf("tls: %w", err)
	}
	return cfg, certs, nil
}

// parsePairs reads the table certs: by the name of a server, its files.
func parsePairs(v any) ([]namedPair, error) {
	list, ok := v.([]event.KV)
	if !ok {
		return nil, fmt.Errorf(`a table expected, as in { ["a.example"] = { cert = "a.pem", key = "a.key" } }, got %s`, plain.Describe(v))
	}
	var all []namedPair
	for _, kv := range list {
		n := namedPair{name: strings.ToLower(kv.Key)}
		both, ok := kv.Value.([]event.KV)
		if !ok || len(both) != 2 {
			return nil, fmt.Errorf("%s: cert and key expected, got %s", kv.Key, plain.Describe(kv.Value))
		}
		for _, f := range both {
			dst := &n.cert
			switch f.Key {
			case "cert":
			case "key":
				dst = &n.key
			default:
				return nil, fmt.Errorf("%s: %s: unknown: cert and key are known", kv.Key, f.Key)
			}
			if err := plain.SetString(dst, f.Value); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", kv.Key, f.Key, err)
			}
		}
		all = append(all, n)
	}
	return all, nil
}

// load makes a configuration, with what is in the files where they are to be read.
func (s *secrets) load(dir string, server, read bool) (*tls.Config, map[string]*tls.Certificate, error) {
	cfg := &tls.Config{NextProtos: s.alpn, ServerName: s.name, MinVersion: tls.VersionTLS12}
	// The author of the script says so; it is for tests and for peers without names.
	cfg.InsecureSkipVerify = !s.verify
	switch s.min {
	case "", "1.2":
	case "1.3":
		cfg.MinVersion = tls.VersionTLS13
	default:
		return nil, nil, fmt.Errorf(`min: "1.2" or "1.3" expected, got %s`, plain.Describe(s.min))
	}
	if (s.cert == "") != (s.key == "") || server && s.cert == "" && len(s.certs) == 0 {
		return nil, nil, errors.New(`cert and key are needed, as in tls = { cert = "cert.pem", key = "key.pem" }`)
	}
	if !read {
		return cfg, nil, nil
	}
	if s.cert != "" {
		cert, err := s.files.read(dir)
		if err != nil {
			return nil, nil, err
		}
		cfg.Certificates = []tls.Certificate{*cert}
	}
	certs := map[string]*tls.Certificate{}
	for _, n := range s.certs {
		var err error
		if certs[n.name], err = n.read(dir); err != nil {
			return nil, nil, fmt.Errorf("certs: %s: %w", n.name, err)
		}
	}
	if len(certs) > 0 {
		cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return byName(certs, hello.ServerName), nil
		}
	}
	return cfg, certs, s.trust(cfg, dir, server)
}

// trust reads whom the peer's certificate has to be vouched for by.
func (s *secrets) trust(cfg *tls.Config, dir string, server bool) error {
	if s.ca == "" {
		return nil
	}
	text, err := os.ReadFile(inDir(dir, s.ca))
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("ca: %s has no certificate", s.ca)
	}
	if server {
		cfg.ClientCAs, cfg.ClientAuth = pool, tls.RequireAndVerifyClientCert
	} else {
		cfg.RootCAs = pool
	}
	return nil
}

func (p *files) read(dir string) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(inDir(dir, p.cert), inDir(dir, p.key))
	return &cert, err
}

// byName returns the certificate for a server's name, or for all below the name that
// follows its first dot, as *.example.com is; nil for none.
func byName(certs map[string]*tls.Certificate, name string) *tls.Certificate {
	name = strings.ToLower(name)
	if c := certs[name]; c != nil {
		return c
	}
	_, above, _ := strings.Cut(name, ".")
	return certs["*."+above]
}

func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
