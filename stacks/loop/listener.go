package loop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/netio"
)

// Listen is a listener that a script declares.
type Listen struct {
	Name string
	// Options is the table that follows the name, plain data.
	Options []event.KV
	// Dir is where files are that Options name: that of the script.
	Dir string
}

// spec is a declaration, understood.
type spec struct {
	url      string
	place    place
	bounds   bounds
	tls      *tls.Config // nil: without
	certs    map[string]*tls.Certificate
	proxies  []netip.Prefix
	protocol Protocol
	options  any        // the protocol's
	rest     []event.KV // as they were written
}

// sameSocket reports whether two declarations are served by one socket as it is.
func (s *spec) sameSocket(o *spec) bool {
	return s.url == o.url && s.bounds == o.bounds && (s.tls == nil) == (o.tls == nil) && slices.Equal(s.proxies, o.proxies)
}

func (s *spec) same(o *spec) bool { return s.sameSocket(o) && reflect.DeepEqual(s.rest, o.rest) }

// parse understands a declaration; nothing is opened.
func (g *Group) parse(l Listen) (*spec, error) {
	s := &spec{}
	var err error
	s.bounds, _ = parseLimits([]event.KV(nil))
	for _, f := range l.Options {
		switch f.Key {
		case "url":
			err = plain.SetString(&s.url, f.Value)
		case "limits":
			s.bounds, err = parseLimits(f.Value)
		case "tls":
			s.tls, s.certs, err = g.parseTLS(f.Value, l.Dir, true)
		case "proxies":
			s.proxies, err = parseProxies(f.Value)
		case "doc":
		default:
			s.rest = append(s.rest, f)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.url == "" {
		return nil, errors.New(`url is missing, as in url = "tcp://127.0.0.1:7000"`)
	}
	if s.place, err = g.parseURL(s.url); err != nil {
		return nil, err
	}
	if s.proxies != nil && s.place.network == "udp" {
		return nil, errors.New("proxies: not over UDP")
	}
	if err := s.checkTLS(); err != nil {
		return nil, err
	}
	switch s.protocol = s.place.protocol; {
	case s.protocol != nil:
		s.options, err = s.protocol.Options(s.rest, true)
	case len(s.rest) > 0:
		err = fmt.Errorf("unknown key %s", s.rest[0].Key)
	}
	return s, err
}

// checkTLS compares the scheme with what the table says.
func (s *spec) checkTLS() error {
	switch {
	case s.place.TLS && s.tls == nil:
		return fmt.Errorf(`tls is missing, as in tls = { cert = "cert.pem", key = "key.pem" }: %s means it`, s.place.Name)
	case s.tls != nil && s.place.network == "udp":
		return errors.New("tls: not over UDP")
	case s.tls != nil && len(s.tls.NextProtos) == 0:
		s.tls.NextProtos = s.place.ALPN
	}
	return nil
}

// listener is a declared listener that is open.
type listener struct {
	name  string
	spec  *spec
	perIP bool
	sock  *netio.Socket // of a stream listener
	ports []*port
}

// port is a listener's place in one stack: its handler, and the connection that
// scripts see of it.
type port struct {
	handler
	l    *listener
	spec *spec // that holds for who comes now
	conn *Conn
}

// open opens what spec says, in the stacks, and lets nobody in yet.
func (g *Group) open(name string, s *spec, over *listener) (_ *listener, err error) {
	l := &listener{name: name, spec: s, perIP: s.bounds.perIP > 0}
	defer func() {
		if err != nil {
			l.abort()
		}
	}()
	list := g.list()
	if s.place.network != "udp" {
		if err := l.bind(list[0], over); err != nil {
			return nil, err
		}
	}
	for _, st := range list {
		p := &port{handler: handler{st}, l: l, spec: s}
		st.sh.Enter()
		err = p.open(len(list) > 1)
		st.sh.Leave()
		if err != nil {
			return nil, err
		}
		l.ports = append(l.ports, p)
	}
	return l, nil
}

// bind opens the listening socket: a new one, or, where only limits changed, that of
// the listener that was there, so that nobody is turned away.
func (l *listener) bind(st *Stack, over *listener) error {
	cfg := netio.SocketConfig{
		Network: l.spec.place.network, Address: l.spec.place.address,
		MaxConns: l.spec.bounds.conns, MaxPerIP: l.spec.bounds.perIP, Options: l.spec.bounds.opt, TLS: l.spec.tls, Proxies: l.spec.proxies,
	}
	if over != nil {
		if cfg.Network == "unix" {
			return errors.New("limits of a Unix socket change with its path only")
		}
		f, err := over.sock.File()
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		cfg.File = f
	} else {
		cfg.File = st.group.inherited[inheritance(cfg.Network, cfg.Address)]
	}
	var err error
	l.sock, err = st.io.Open(cfg)
	return err
}

// open takes the port's place at the socket. Nobody is let in before start.
func (p *port) open(several bool) error {
	st, s := p.s, p.spec
	c := &Conn{stack: st, kind: loopev.KindListener, lis: p.l}
	c.client.conn, c.server.conn = c, c
	p.conn = c
	if s.place.network == "udp" {
		sock, err := st.io.ListenPeers(netio.PeerConfig{
			Packets: netio.PacketConfig{Network: "udp", Address: s.place.address, ReusePort: several},
			Max:     s.bounds.conns, Idle: s.bounds.opt.Idle,
		}, p)
		if err != nil {
			return err
		}
		sock.Pause()
		c.socket, c.server.at = sock, sock.Addr()
		return nil
	}
	ls, err := st.io.ListenAt(p.l.sock, p)
	if err != nil {
		return err
	}
	ls.Pause()
	ls.Limited = func(limit string, from netip.AddrPort) {
		kind, _ := loopev.ParseLimited(limit)
		p.l.tellLimit(st, kind, from)
	}
	ls.Failed = func(_ netip.AddrPort, why netio.Reason) {
		if why.What == "proxy" {
			p.conn.fault(loopev.FaultProxy, "PROXY header: "+why.Error())
			return
		}
		if why.Why == netio.Rejected || why.What == "refused" {
			return // a rule wanted it so
		}
		p.conn.fault(loopev.FaultTLS, "TLS handshake: "+why.Error())
	}
	ls.Hello = p.hello
	c.socket, c.server.at, c.secure = ls, ls.Addr(), s.tls != nil
	if s.place.network == "unix" {
		c.path = s.place.address
	}
	return nil
}

// start lets those in who come.
func (l *listener) start() {
	for _, p := range l.ports {
		st := p.s
		st.sh.Enter()
		st.admit(p.conn)
		p.conn.socket.Resume()
		st.sh.Leave()
	}
}

// stop closes the listener; its connections go on.
func (l *listener) stop(why netio.Reason) {
	for _, p := range l.ports {
		st := p.s
		st.sh.Enter()
		p.conn.socket.Close()
		p.conn.finish(why)
		st.sh.Leave()
	}
	l.closeSocket()
}

// abort closes what was opened and never started.
func (l *listener) abort() {
	for _, p := range l.ports {
		st := p.s
		st.sh.Enter()
		p.conn.socket.Close()
		st.sh.Leave()
	}
	l.closeSocket()
}

func (l *listener) closeSocket() {
	if l.sock != nil {
		// The kernel closes a socket whatever it has to complain about.
		_ = l.sock.Close()
	}
}

// count returns how many connections the listener has, and how many of them come
// from c's address.
func (l *listener) count(c *Conn) (all, same uint64) {
	if l.sock == nil {
		for _, p := range l.ports {
			if p.s == c.stack {
				all += uint64(p.conn.socket.(*netio.Packets).Peers())
			}
		}
		return all, 0
	}
	if l.perIP {
		same = uint64(l.sock.From(c.client.IP()))
	}
	return uint64(l.sock.Conns()), same
}

// tellLimit raises loop.limit.
func (l *listener) tellLimit(st *Stack, limit loopev.Limited, from netip.AddrPort) {
	if !loopev.OnLimit.Wanted(st.sh) {
		return
	}
	for _, p := range l.ports {
		if p.s == st && !p.conn.over {
			e := &st.events.limit
			*e = loopev.Limit{C: p.conn, Limit: limit, From: unmap(from), HasFrom: from.IsValid()}
			loopev.OnLimit.Emit(st.sh, e)
		}
	}
}
