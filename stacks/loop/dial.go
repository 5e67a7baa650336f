package loop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// dial begins a connection to where a URL points.
func (s *Stack) dial(url string, d dialSpec) (*Conn, error) {
	at, err := s.group.parseURL(url)
	if err != nil {
		return nil, err
	}
	rest := d.rest
	if at.path != "" {
		rest = append(rest[:len(rest):len(rest)], event.KV{Key: "path", Value: at.path})
	}
	var options any
	switch {
	case at.protocol != nil:
		if options, err = at.protocol.Options(rest, false); err != nil {
			return nil, err
		}
	case len(d.rest) > 0:
		return nil, fmt.Errorf("unknown option %s", d.rest[0].Key)
	}
	return s.begin(at, d, at.protocol, options)
}

// Dialing is a connection that a protocol's own functions begin.
type Dialing struct {
	// URL is where to; its scheme says by which transport.
	URL string
	// Options are those of loop.dial, the protocol's left out.
	Options []event.KV
	Dir     string // of files that they name
	// Protocol and Session are what gets its bytes; Session makes it, before the
	// connection is up. Nil: the scheme's own protocol, with its defaults.
	Protocol Protocol
	Session  func(c *Conn) Session
}

// Dial begins a connection, which raises all events of one that a script began. The
// caller has entered the shard.
func (s *Stack) Dial(want Dialing) (*Conn, error) {
	d, err := s.group.parseDial(want.Options, want.Dir)
	if err != nil {
		return nil, fmt.Errorf("loop: dial: %w", err)
	}
	if want.Session == nil {
		c, err := s.dial(want.URL, d)
		if err != nil {
			return nil, fmt.Errorf("loop: dial: %w", err)
		}
		return c, nil
	}
	at, err := s.group.parseURL(want.URL)
	if err != nil {
		return nil, fmt.Errorf("loop: dial: %w", err)
	}
	c, err := s.begin(at, d, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("loop: dial: %w", err)
	}
	c.proto, c.session = want.Protocol, want.Session(c)
	return c, nil
}

// begin begins a connection whose protocol, if any, gets its bytes.
func (s *Stack) begin(at place, d dialSpec, proto Protocol, options any) (*Conn, error) {
	n, kind, err := s.connect(at, d)
	if err != nil {
		return nil, err
	}
	c := s.add(kind)
	c.c, c.limits, c.secure = n, &d.bounds, n.Encrypted() || at.TLS
	n.Data = c
	if at.network == "unix" {
		c.path = at.address
	}
	c.set(broadcast, d.broadcast)
	if proto == nil {
		return c, nil
	}
	if c.session, err = proto.Attach(c, options); err != nil {
		n.Abort(netio.Reason{Why: netio.Failed, Err: err})
		return nil, err
	}
	c.proto = proto
	return c, nil
}

// connect begins the connection below.
func (s *Stack) connect(at place, d dialSpec) (*netio.Conn, loopev.Kind, error) {
	opt := d.bounds.opt
	opt.Connect = d.connect
	kind := loopev.KindTCP
	switch at.network {
	case "udp":
		to, err := netip.ParseAddrPort(at.address)
		if err != nil {
			return nil, 0, errors.New("udp: a literal address expected, as in udp://127.0.0.1:53")
		}
		cfg := netio.PacketConfig{Network: "udp", Connect: to, Broadcast: d.broadcast}
		if d.bind.IsValid() {
			cfg.Address = d.bind.String()
		}
		n, err := s.io.DialPeerBy(cfg, opt.Idle, handler{s})
		return n, loopev.KindUDP, err
	case "unix":
		kind = loopev.KindUnix
	}
	if at.TLS && d.tls == nil {
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if d.tls != nil && len(d.tls.NextProtos) == 0 {
		d.tls.NextProtos = at.ALPN
	}
	n, err := s.io.Dial(netio.DialConfig{Network: at.network, Address: at.address, Bind: d.bind, Options: opt, TLS: d.tls, Socks: d.socks}, handler{s})
	return n, kind, err
}
