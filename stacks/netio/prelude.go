package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/hookd/hookd/stacks/netio/proxyproto"
	"github.com/hookd/hookd/stacks/netio/socks5"
)

// SocksConfig is a SOCKS 5 server that a connection goes through.
type SocksConfig struct {
	// Address is its "host:port".
	Address string
	// User and Password log in, if User is not empty.
	User, Password string
}

// prelude is what stands before everything else on a connection, also before TLS: a
// header from a proxy, or to one, or the conversation with a SOCKS server.
type prelude struct {
	began int64
	in    []byte         // came, and is not whole
	out   []byte         // is to go
	socks *socks5.Client // nil where a header is waited for, or only sent
	waits bool           // for something from the peer
}

// maxPrelude is how much is read of one that is not whole.
const maxPrelude = proxyproto.MaxHeader

// Proxied returns what a proxy said about the connection, nil if none did. Remote is
// the client's address then.
func (c *Conn) Proxied() *proxyproto.Header { return c.proxied }

// expectsHeader reports whether one that comes from there has to begin with a PROXY
// header.
func (s *Socket) expectsHeader(from netip.Addr) bool {
	for _, p := range s.cfg.Proxies {
		if p.Contains(from.WithZone("")) {
			return true
		}
	}
	return false
}

// greetPeer begins the prelude of a connection that is dialled, if it has one.
func (c *Conn) greetPeer(d *dialing) (bool, error) {
	if d.socks == nil && d.cfg.Header == nil {
		return false, nil
	}
	p := &prelude{began: c.loop.time()}
	if d.socks != nil {
		p.socks, p.waits = d.socks, true
		p.out = d.socks.Begin()
	} else {
		out, err := d.cfg.Header.Append(nil)
		if err != nil {
			return false, err
		}
		p.out = out
	}
	c.prelude = p
	c.flags |= isPrelude
	return true, nil
}

// hearProxy takes what comes before a connection is one.
func (c *Conn) hearProxy() {
	p := c.prelude
	if !p.waits {
		return
	}
	room := maxPrelude - len(p.in)
	n, err := c.w.read(c.loop.read[:room])
	p.in = append(p.in, c.loop.read[:n]...)
	if n > 0 {
		c.active = c.loop.time()
		if err = p.take(c); err == nil && len(p.in) == maxPrelude && p.waits {
			err = proxyproto.ErrFormat
		}
	}
	if err != nil && err != errAgain {
		c.failPrelude(err)
	}
}

// take goes on with what came.
func (p *prelude) take(c *Conn) error {
	if p.socks == nil {
		h, n, err := proxyproto.Parse(p.in)
		if err != nil || n == 0 {
			return err
		}
		p.in, p.waits = p.in[n:], false
		return c.speaksFor(h)
	}
	for p.waits {
		send, n, done, err := p.socks.Feed(p.in)
		if err != nil {
			return err
		}
		p.in = p.in[n:]
		p.out = append(p.out, send...)
		if p.waits = !done; n == 0 {
			break
		}
	}
	return nil
}

// speaksFor makes the address that a proxy tells the peer's. It counts as one who comes
// from there.
func (c *Conn) speaksFor(h proxyproto.Header) error {
	c.proxied = &h
	if !h.Source.IsValid() {
		return nil
	}
	c.remote = netip.AddrPortFrom(h.Source.Addr().Unmap(), h.Source.Port())
	c.local = netip.AddrPortFrom(h.Destination.Addr().Unmap(), h.Destination.Port())
	s, l := c.lis.sock, c.loop
	if s.cfg.MaxPerIP <= 0 {
		return nil
	}
	if !s.homes.enter(c.remote.Addr(), s.cfg.MaxPerIP) {
		l.stats.RefusedAddress++
		c.lis.tell(LimitAddress, c.remote)
		return Reason{Why: Limit, What: LimitAddress}
	}
	c.flags |= isCounted
	return nil
}

// settlePrelude writes what is to be said, and goes on when all is.
func (c *Conn) settlePrelude() {
	p := c.prelude
	if c.flags&tellQuit != 0 && c.lis != nil {
		c.fail(Reason{Why: Stopped})
		return
	}
	for len(p.out) > 0 {
		n, err := c.w.write([][]byte{p.out})
		if p.out = p.out[n:]; err == errAgain {
			break
		} else if err != nil {
			c.failPrelude(err)
			return
		}
	}
	if len(p.out) == 0 && !p.waits {
		c.endPrelude()
		return
	}
	var want interest
	if p.waits {
		want = readable | gone
	}
	if len(p.out) > 0 {
		want |= writable
	}
	c.watchFor(want)
	c.schedule()
}

// endPrelude goes on with TLS, or with the connection itself. What came behind the
// prelude is read first.
func (c *Conn) endPrelude() {
	c.ahead = c.prelude.in
	c.prelude = nil
	c.flags &^= isPrelude
	switch {
	case c.lis != nil:
		c.lis.enters(c)
	case c.dial.cfg.TLS != nil:
		c.goesTLS()
	default:
		c.isUp()
	}
	c.settle()
}

// failPrelude closes a connection that had no proper one.
func (c *Conn) failPrelude(err error) {
	why := Reason{Why: Handshake, What: "proxy", Err: err}
	code, refused := errors.AsType[socks5.Code](err)
	switch known, isReason := errors.AsType[Reason](err); {
	case isReason:
		why = known
	case refused && code == socks5.Refused:
		why = Reason{Why: Refused, What: "proxy", Err: err}
	case refused && (code == socks5.HostUnreachable || code == socks5.NetUnreachable):
		why = Reason{Why: Unreachable, What: "proxy", Err: err}
	case reasonOf(err).Why == EOF || reasonOf(err).Why == Reset:
		why.What = "left"
	}
	if why.Why != Limit {
		c.loop.stats.Handshakes.count(why)
	}
	if c.flags&connecting != 0 {
		c.connectFailed(why)
		return
	}
	c.fail(why)
}

// viaSocks makes d one to a SOCKS server, which is asked for the target by name.
func (d *dialing) viaSocks() error {
	s := d.cfg.Socks
	if d.cfg.Network == "unix" {
		return errors.New("a path is not reached through a SOCKS server")
	}
	host, port, err := net.SplitHostPort(d.cfg.Address)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return errors.New("want host:port")
	}
	if d.socks, err = socks5.NewClient(host, uint16(n), s.User, s.Password); err != nil {
		return err
	}
	d.name = host
	d.cfg.Address = s.Address
	return nil
}

// errProxies is about a prefix that is not one.
var errProxies = errors.New("not a network")

// checkProxies wants networks that are.
func (c *SocketConfig) checkProxies() error {
	for _, p := range c.Proxies {
		if !p.IsValid() {
			return fmt.Errorf("proxy %v: %w", p, errProxies)
		}
	}
	return nil
}
