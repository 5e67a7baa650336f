package netio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hookd/hookd/stacks/netio/proxyproto"
	"github.com/hookd/hookd/stacks/netio/socks5"
)

// DialConfig describes an outgoing connection.
type DialConfig struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix".
	Network string
	// Address is "host:port", the host a name or a literal; or a path.
	Address string
	// Bind is the address to come from; the system's choice by default.
	Bind netip.AddrPort
	// Options are the connection's.
	Options Options
	// Socks, where set, is asked for the connection: names are its to resolve.
	Socks *SocksConfig
	// Header, where set, is sent first (PROXY protocol).
	Header *proxyproto.Header
	// TLS, where set, has the connection begin with a TLS handshake; Connect comes after
	// it. Without a ServerName the host of Address is asked for. It must not be changed
	// any more.
	TLS *tls.Config
}

// dialing is what a connection needs until it is up.
type dialing struct {
	cfg    DialConfig
	name   string // of the target, by which its certificate is verified
	port   uint16
	socks  *socks5.Client
	left   []target // to try, in order
	cancel context.CancelFunc
	last   error
	// attemptBy is when the next target is tried instead; 0 for the last one.
	attemptBy int64
}

// Dial begins a connection; h is told Connect when it is decided, never from
// inside the call. The addresses of a name are tried in the resolver's order, each
// with its share of Options.Connect. What is queued before goes out first. An error
// is about cfg, and then h is told nothing.
func (l *Loop) Dial(cfg DialConfig, h Handler) (*Conn, error) {
	if l.stopping {
		return nil, fmt.Errorf("netio: dial: %w", ErrClosed)
	}
	if l.cfg.Memory != nil {
		cfg.TLS = nil
	}
	d := &dialing{cfg: cfg, cancel: func() {}}
	if cfg.Socks != nil {
		if err := d.viaSocks(); err != nil {
			return nil, fmt.Errorf("netio: dial %s %q: %w", cfg.Network, cfg.Address, err)
		}
	}
	if cfg.Network == "unix" {
		d.left = []target{{path: cfg.Address}}
		return l.begin(d, h, "")
	}
	host, err := d.parse()
	if err != nil {
		return nil, fmt.Errorf("netio: dial %s %q: %w", cfg.Network, cfg.Address, err)
	}
	return l.begin(d, h, host)
}

// parse takes the address apart; a host that is a literal is the only target.
func (d *dialing) parse() (host string, err error) {
	switch d.cfg.Network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", errors.New("network is not tcp, tcp4, tcp6 or unix")
	}
	host, port, err := net.SplitHostPort(d.cfg.Address)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", errors.New("want host:port")
	}
	d.port = uint16(n)
	if d.name == "" {
		d.name = host
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if d.use([]netip.Addr{a}); len(d.left) == 0 {
			return "", ErrFamily
		}
		return "", nil
	}
	return host, nil
}

// use makes targets of those addresses that suit the network.
func (d *dialing) use(addrs []netip.Addr) {
	for _, a := range addrs {
		a = a.Unmap()
		other := d.cfg.Bind.IsValid() && d.cfg.Bind.Addr().Unmap().Is4() != a.Is4()
		if other || d.cfg.Network == "tcp4" && !a.Is4() || d.cfg.Network == "tcp6" && !a.Is6() {
			continue
		}
		d.left = append(d.left, target{addr: netip.AddrPortFrom(a, d.port)})
	}
}

func (l *Loop) begin(d *dialing, h Handler, host string) (*Conn, error) {
	c := l.newConn(h, d.cfg.Options.withDefaults())
	c.flags |= connecting
	c.dial = d
	l.stats.Dialed++
	if host == "" {
		c.attempt()
	} else {
		c.resolve(host)
	}
	c.touch()
	return c, nil
}

// resolve has a goroutine look a name up and post what it found.
func (c *Conn) resolve(host string) {
	l, d := c.loop, c.dial
	if m := l.cfg.Memory; m != nil {
		c.resolved(m.lookup(host))
		return
	}
	if l.lookups >= l.cfg.Lookups {
		l.stats.LookupsRefused++
		d.last = Reason{Why: Limit, What: "resolve"}
		c.flags |= tellConnect
		return
	}
	l.lookups++
	// One child of the loop's context: what is not cancelled stays with it for its life.
	var ctx context.Context
	var cancel context.CancelFunc
	if t := c.opt.Connect; t > 0 {
		ctx, cancel = context.WithTimeout(l.ctx, t)
	} else {
		ctx, cancel = context.WithCancel(l.ctx)
	}
	d.cancel = cancel
	id := c.id
	l.live.Go(func() {
		defer cancel()
		addrs, err := l.cfg.Lookup(ctx, host)
		l.repay(func() {
			l.lookups--
			if c := l.Conn(id); c != nil && c.flags&isClosing == 0 {
				c.resolved(addrs, err)
			}
		})
	})
}

func (c *Conn) resolved(addrs []netip.Addr, err error) {
	d := c.dial
	d.use(addrs)
	if len(d.left) == 0 {
		if err == nil {
			err = errors.New("no address")
		}
		r := reasonOf(err)
		if r.Why == Failed {
			r.Why = Resolve
		}
		d.last = r
		c.flags |= tellConnect
	} else {
		c.attempt()
	}
	c.touch()
}

// attempt begins with the next target that can be begun with.
func (c *Conn) attempt() {
	d := c.dial
	for len(d.left) > 0 {
		to := d.left[0]
		d.left = d.left[1:]
		w, err := c.loop.io.dial(to, c.opt, d.cfg.Bind)
		if err != nil {
			d.last = err
			continue
		}
		c.w, c.want = w, 0
		c.remote, c.path = to.addr, to.path
		w.attach(c.id)
		if n := len(d.left); n > 0 {
			c.share(n + 1)
		}
		c.watch()
		return
	}
	c.flags |= tellConnect
}

// share gives an attempt its part of the time that is left.
func (c *Conn) share(parts int) {
	if c.opt.Connect <= 0 {
		return
	}
	now := c.loop.time()
	left := time.Duration(c.began + int64(c.opt.Connect) - now)
	c.dial.attemptBy = now + int64(left/time.Duration(parts))
	c.loop.sh.Timers().Arm(&c.timer, c.dial.attemptBy, c.expire)
}

// settleConnect looks whether the attempt is decided.
func (c *Conn) settleConnect() {
	d := c.dial
	if c.peer != nil {
		c.flags &^= connecting
		c.h.Connect(c, nil)
		return
	}
	if c.w == nil {
		c.connectFailed(reasonOf(d.last))
		return
	}
	err := c.w.connected()
	switch {
	case err == errAgain:
	case err == nil:
		c.goesOn()
	default:
		c.nextTarget(err)
	}
}

// goesOn is what follows when the socket is connected.
func (c *Conn) goesOn() {
	c.dial.attemptBy = 0
	switch begun, err := c.greetPeer(c.dial); {
	case err != nil:
		c.connectFailed(reasonOf(err))
	case begun:
	case c.dial.cfg.TLS != nil:
		c.goesTLS()
	default:
		c.isUp()
	}
}

func (c *Conn) goesTLS() {
	d := c.dial
	c.dial = nil
	d.cancel()
	c.startTLS(clientConfig(d.cfg.TLS, d.name), true)
}

// isUp tells that the connection is there.
func (c *Conn) isUp() {
	c.flags &^= connecting
	c.dial.cancel()
	c.dial = nil
	c.active = c.loop.time()
	c.moved = c.active
	c.h.Connect(c, nil)
}

// nextTarget goes on after an attempt that failed.
func (c *Conn) nextTarget(err error) {
	c.w.close(false)
	c.w = nil
	c.dial.last = err
	c.dial.attemptBy = 0
	if c.attempt(); c.w == nil {
		c.flags &^= tellConnect
		c.connectFailed(reasonOf(c.dial.last))
	}
}

// connectFailed tells why there is no connection, and closes.
func (c *Conn) connectFailed(why Reason) {
	c.dropQueue()
	c.fail(why)
	c.h.Connect(c, why)
}
