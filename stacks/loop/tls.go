package loop

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// secrets are what the table tls names, before files are read.
type secrets struct {
	cert, key, ca, name string
	alpn                []string
	verify              bool
	min                 string
}

// parseTLS reads the table tls. Files are found below dir, unless their paths are
// absolute; they are read only where sockets are opened, so that scripts can be
// checked and replayed without their secrets.
func (g *Group) parseTLS(v any, dir string, server bool) (*tls.Config, error) {
	list, ok := v.([]event.KV)
	if !ok {
		return nil, fmt.Errorf("tls: a table expected, got %s", plain.Describe(v))
	}
	s := secrets{verify: true}
	for _, f := range list {
		var err error
		switch f.Key {
		case "cert":
			err = plain.SetString(&s.cert, f.Value)
		case "key":
			err = plain.SetString(&s.key, f.Value)
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
			err = errors.New("unknown: cert, key, ca, alpn and min are known, and name and verify of an outgoing connection")
		}
		if err == nil && server && (f.Key == "name" || f.Key == "verify") {
			err = errors.New("it is for outgoing connections")
		}
		if err != nil {
			return nil, fmt.Errorf("tls: %s: %w", f.Key, err)
		}
	}
	return s.load(dir, server, len(g.list()) > 0 && g.cfg.Memory == nil)
}

// load makes a configuration, with what is in the files where they are to be read.
func (s *secrets) load(dir string, server, read bool) (*tls.Config, error) {
	cfg := &tls.Config{NextProtos: s.alpn, ServerName: s.name, MinVersion: tls.VersionTLS12}
	// The author of the script says so; it is for tests and for peers without names.
	cfg.InsecureSkipVerify = !s.verify
	switch s.min {
	case "", "1.2":
	case "1.3":
		cfg.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf(`tls: min: "1.2" or "1.3" expected, got %s`, plain.Describe(s.min))
	}
	if (s.cert == "") != (s.key == "") || server && s.cert == "" {
		return nil, errors.New(`tls: cert and key are needed, as in tls = { cert = "cert.pem", key = "key.pem" }`)
	}
	if !read {
		return cfg, nil
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(inDir(dir, s.cert), inDir(dir, s.key))
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if s.ca == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(inDir(dir, s.ca))
	if err != nil {
		return nil, fmt.Errorf("tls: ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("tls: ca: %s has no certificate", s.ca)
	}
	if server {
		cfg.ClientCAs, cfg.ClientAuth = pool, tls.RequireAndVerifyClientCert
	} else {
		cfg.RootCAs = pool
	}
	return cfg, nil
}

func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
