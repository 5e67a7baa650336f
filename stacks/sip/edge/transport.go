package edge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Why nothing can be sent.
var (
	ErrNoListener = errors.New("sip: send: no listener of that transport and address family")
	ErrTransport  = errors.New("sip: send: the transport is not served")
	ErrWaiting    = errors.New("sip: send: too many messages wait for the connection")
)

// Send implements [sip.Transport].
func (g *Group) Send(to sip.Hop, b []byte) error {
	if g.cfg.Wire != nil {
		return g.cfg.Wire.Send(to, b)
	}
	if to.Proto == sipev.TransportUDP {
		l := g.port(&to)
		if l == nil {
			return ErrNoListener
		}
		return l.packet.SendTo(b, to.Remote, to.Local.Addr())
	}
	if to.Conn != 0 {
		if err := g.write(netio.ID(to.Conn), b); !errors.Is(err, netio.ErrClosed) {
			return err
		}
	}
	key := peerKey{to.Proto, unmap(to.Remote), to.Name}
	if id, ok := g.conns[key]; ok {
		if err := g.write(id, b); !errors.Is(err, netio.ErrClosed) {
			return err
		}
	}
	id, err := g.dial(key, &to)
	if err != nil {
		return err
	}
	return g.write(id, b)
}

// write sends by a connection, if there is such a one and it is open.
func (g *Group) write(id netio.ID, b []byte) error {
	c := g.io.Conn(id)
	if c == nil {
		return netio.ErrClosed
	}
	s, ok := c.Data.(*stream)
	if !ok {
		return netio.ErrClosed
	}
	return s.write(c, b)
}

// port returns the listener that messages to a hop leave by, or seem to: the one that
// the hop names, else the first that fits.
func (g *Group) port(to *sip.Hop) *listener {
	var first *listener
	for _, l := range g.ports {
		if l.spec.proto != to.Proto || to.Remote.IsValid() && l.spec.addr.Addr().Is4() != to.Remote.Addr().Unmap().Is4() {
			continue
		}
		if to.Local.IsValid() && l.bound().Port() == to.Local.Port() && (l.spec.addr.Addr().IsUnspecified() || l.spec.addr.Addr() == to.Local.Addr().Unmap()) {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// bound returns the address that a listener has.
func (l *listener) bound() netip.AddrPort {
	switch {
	case l.packet != nil:
		return l.packet.Addr()
	case l.socket != nil:
		return l.socket.Addr()
	default:
		return l.at
	}
}

// dial begins a connection (RFC 3261, 18.1.1). For what can go by UDP as well it is not
// waited for long.
func (g *Group) dial(key peerKey, to *sip.Hop) (netio.ID, error) {
	cfg := netio.DialConfig{Network: "tcp", Address: key.remote.String(), Options: netio.Options{Idle: defaultIdle, Connect: connecting}}
	if to.Stretch {
		cfg.Options.Connect = stretched
	}
	switch key.proto {
	case sipev.TransportTCP, sipev.TransportWS:
	case sipev.TransportTLS, sipev.TransportWss:
		cfg.TLS = g.clientTLS(key.name)
	default:
		return 0, ErrTransport
	}
	s := &stream{g: g, key: key, stretch: to.Stretch, local: to.Local}
	if key.overHTTP() {
		s.ws = newWebsocket(false)
	}
	c, err := g.io.Dial(cfg, s)
	if err != nil {
		return 0, err
	}
	c.Data = s
	g.conns[key] = c.ID()
	return c.ID(), nil
}

// connecting bounds how long a connection is waited for before the next server is
// tried.
const connecting = 10 * time.Second

// stretched bounds how long TCP is waited for with a long request, and deaf how long who
// did not take it is asked no more: many who speak UDP are behind what drops the rest.
const (
	stretched = time.Second
	deaf      = 10 * time.Minute
)

// clientTLS is how peers are connected to: who shows a certificate to those that
// connect shows it there too, and trusts whom its declaration names.
func (g *Group) clientTLS(name string) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	for _, l := range g.ports {
		if l.spec.tls != nil {
			cfg.Certificates, cfg.RootCAs = l.spec.tls.Certificates, l.spec.roots
			break
		}
	}
	return cfg
}

// Find implements [sip.Transport].
func (g *Group) Find(uri []byte, then func([]sip.Hop, error)) {
	u, err := msg.ParseURI(uri)
	if err != nil || u.Scheme != msg.SIP && u.Scheme != msg.SIPS {
		then(nil, errors.New("sip: find: no SIP URI"))
		return
	}
	q := query(&u)
	q.Supported = g.transports(q.Transport)
	if addr, err := netip.ParseAddr(q.Host); err == nil {
		then([]sip.Hop{g.stretching(numeric(addr, &q))}, nil)
		return
	}
	if g.cfg.Wire != nil {
		then(g.cfg.Wire.Find(q.Host, q.Port))
		return
	}
	g.resolver.SIPServers(q, func(list []dns.SIPServer, err error) {
		hops := make([]sip.Hop, 0, len(list))
		for _, s := range list {
			hop := sip.Hop{Proto: protoOf(s.Transport), Remote: s.Addr}
			if hop.Proto == sipev.TransportTLS || hop.Proto == sipev.TransportWss {
				hop.Name = q.Host // and not the name that DNS led to (RFC 5922, 4)
			}
			hops = append(hops, g.stretching(hop))
		}
		then(hops, err)
	})
}

// stretching marks a hop by UDP to which TCP can be used too: one that answers by TCP
// reaches this server in the dialog as well.
func (g *Group) stretching(hop sip.Hop) sip.Hop {
	hop.Stretch = hop.Proto == sipev.TransportUDP && g.port(&sip.Hop{Proto: sipev.TransportTCP, Remote: hop.Remote}) != nil &&
		g.deaf[hop.Remote] <= g.shard.Now()
	return hop
}

// noTCP remembers who took no connection.
func (g *Group) noTCP(peer netip.AddrPort) {
	if len(g.deaf) >= maxLocals {
		clear(g.deaf)
	}
	g.deaf[peer] = g.shard.Now() + int64(deaf)
}

// transports lists those that a server can be reached by, best first: those that are
// listened at, and one that a URI asks for.
func (g *Group) transports(asked string) []string {
	var list []string
	for _, p := range [...]sipev.Transport{sipev.TransportUDP, sipev.TransportTCP, sipev.TransportTLS, sipev.TransportWS, sipev.TransportWss} {
		if word := p.String(); word == asked && p != sipev.TransportUDP || slices.ContainsFunc(g.ports, func(l *listener) bool { return l.spec.proto == p }) {
			list = append(list, word)
		}
	}
	return list
}

// query reads what a URI says of where its server is (RFC 3263, 4).
func query(u *msg.URI) dns.SIPQuery {
	host := u.Host
	if maddr, ok := u.Param("maddr"); ok && len(maddr) != 0 {
		host = maddr
	}
	transport, _ := u.Param("transport")
	return dns.SIPQuery{
		Host: strings.Trim(string(host), "[]"), Port: u.Port,
		Transport: strings.ToLower(string(transport)), Secure: u.Scheme == msg.SIPS,
	}
}

// numeric is where a URI with an address leads: nobody has to be asked.
func numeric(addr netip.Addr, q *dns.SIPQuery) sip.Hop {
	proto, port := protoOf(q.Transport), q.Port
	if q.Secure {
		switch proto {
		case sipev.TransportWS, sipev.TransportWss:
			proto = sipev.TransportWss
		default:
			proto = sipev.TransportTLS
		}
	}
	if port == 0 {
		port = portOf(proto)
	}
	return sip.Hop{Proto: proto, Remote: netip.AddrPortFrom(addr.Unmap(), port)}
}

// portOf is a transport's port where nothing says another (RFC 3261, 19.1.2; RFC 7118, 4).
func portOf(p sipev.Transport) uint16 {
	switch p {
	case sipev.TransportTLS:
		return 5061
	case sipev.TransportWS:
		return 80
	case sipev.TransportWss:
		return 443
	default:
		return 5060
	}
}

func protoOf(word string) sipev.Transport {
	for _, p := range [...]sipev.Transport{sipev.TransportTCP, sipev.TransportTLS, sipev.TransportWS, sipev.TransportWss} {
		if p.String() == word {
			return p
		}
	}
	return sipev.TransportUDP
}

// Self implements [sip.Transport].
func (g *Group) Self(host []byte, port uint16) bool {
	bare := bytes.Trim(host, "[]")
	for _, l := range g.ports {
		own := l.bound()
		wanted := port
		if wanted == 0 {
			wanted = portOf(l.spec.proto)
		}
		for _, name := range l.spec.names {
			if strings.EqualFold(name, string(host)) && (port == 0 || port == own.Port()) {
				return true
			}
		}
		if shownHost, shownPort, err := net.SplitHostPort(l.shown); err == nil &&
			strings.EqualFold(shownHost, string(bare)) && shownPort == strconv.Itoa(int(wanted)) {
			return true
		}
		if addr, err := netip.ParseAddr(string(bare)); err == nil && own.Port() == wanted && (own.Addr() == addr.Unmap() || own.Addr().IsUnspecified() && g.ours(addr)) {
			return true
		}
	}
	return false
}

// ours reports whether an address is one that this host was seen to send from.
func (g *Group) ours(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, local := range g.locals {
		if local == addr {
			return true
		}
	}
	return false
}

// SentBy implements [sip.Transport].
func (g *Group) SentBy(dst []byte, to sip.Hop) []byte {
	l := g.port(&to)
	if l == nil {
		// Nobody listens there: replies come by the connection.
		return append(dst, "invalid.invalid"...)
	}
	if l.shown != "" {
		return append(dst, l.shown...)
	}
	local := to.Local.Addr().Unmap()
	if !local.IsValid() || local.IsUnspecified() {
		local = g.localFor(to.Remote)
	}
	return netip.AddrPortFrom(local, l.bound().Port()).AppendTo(dst)
}

// maxLocals bounds of how many peers is remembered which way leads there, and that they
// take no TCP.
const maxLocals = 4096

// localFor returns the address of ours that leads to a peer. Connecting a UDP socket
// sends nothing and waits for nothing.
func (g *Group) localFor(remote netip.AddrPort) netip.Addr {
	key := remote.Addr().Unmap()
	if addr, ok := g.locals[key]; ok {
		return addr
	}
	addr := wireAddr
	if g.cfg.Wire == nil {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
		if err != nil {
			return netip.IPv4Unspecified() // for now: there may be a way later
		}
		addr = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		_ = c.Close()
	}
	if len(g.locals) >= maxLocals {
		clear(g.locals)
	}
	g.locals[key] = addr
	return addr
}

var _ sip.Transport = (*Group)(nil)
