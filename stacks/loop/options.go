package loop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/netio"
)

// place is where a URL points.
type place struct {
	scheme
	network string // "tcp", "udp" or "unix"
	address string // "host:port" or a path
	path    string // behind that
}

// parseURL takes a URL apart. Without a scheme it means TCP.
func (g *Group) parseURL(text string) (place, error) {
	name, rest, has := strings.Cut(text, "://")
	if !has {
		name, rest = "tcp", text
	}
	s, known := g.schemes[name]
	if !known {
		return place{}, fmt.Errorf("url %s: unknown scheme %s", plain.Describe(text), plain.Describe(name))
	}
	p := place{scheme: s, network: s.Network, address: rest}
	if s.Network == "unix" {
		if rest == "" {
			return place{}, fmt.Errorf("url %s: a path expected, as in unix:///run/x.sock", plain.Describe(text))
		}
		return p, nil
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		p.address, p.path = rest[:i], rest[i:]
	}
	host, port, err := net.SplitHostPort(p.address)
	switch {
	case err != nil && s.Port != 0:
		host, port = strings.Trim(p.address, "[]"), strconv.Itoa(int(s.Port))
	case err != nil:
		return place{}, fmt.Errorf("url %s: host and port expected, as in %s://127.0.0.1:7000", plain.Describe(text), name)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return place{}, fmt.Errorf("url %s: a port from 0 to 65535 expected, got %s", plain.Describe(text), plain.Describe(port))
	}
	p.address = net.JoinHostPort(host, port)
	return p, nil
}

// Place is where a URL points.
type Place struct {
	// Network is "tcp", "udp" or "unix", Address "host:port" or a path, Path what stands
	// behind that.
	Network, Address, Path string
	// Protocol is the name of the scheme's protocol, empty for none.
	Protocol string
}

// Where takes a URL apart as listeners and loop.dial do. Any goroutine may ask.
func (g *Group) Where(url string) (Place, error) {
	at, err := g.parseURL(url)
	if err != nil {
		return Place{}, err
	}
	p := Place{Network: at.network, Address: at.address, Path: at.path}
	if at.protocol != nil {
		p.Protocol = at.protocol.Name()
	}
	return p, nil
}

// bounds are what the table limits says.
type bounds struct {
	conns, perIP int
	rate         float64 // connections of one address a second; 0: any
	burst        uint32
	opt          netio.Options
}

// parseLimits reads the table limits.
func parseLimits(v any) (b bounds, err error) {
	list, ok := v.([]event.KV)
	if !ok {
		if empty, isList := v.([]any); isList && len(empty) == 0 {
			return b, nil
		}
		return b, fmt.Errorf("limits: a table expected, got %s", plain.Describe(v))
	}
	b.opt.Hold = -1 // this package has its own deadline for that
	for _, f := range list {
		switch f.Key {
		case "conns":
			err = count(&b.conns, f.Value)
		case "per_ip":
			err = count(&b.perIP, f.Value)
		case "rate":
			if err = plain.SetFloat(&b.rate, f.Value); err == nil && (b.rate <= 0 || b.rate > 1e6) {
				err = errors.New("more than 0 a second expected, at most 1,000,000")
			}
		case "burst":
			err = plain.SetUint(&b.burst, f.Value)
		case "recv":
			err = size(&b.opt.RecvLimit, f.Value)
		case "send_high":
			err = size(&b.opt.SendHigh, f.Value)
		case "send_low":
			err = size(&b.opt.SendLow, f.Value)
		case "send_max":
			err = size(&b.opt.SendMax, f.Value)
		case "idle":
			err = span(&b.opt.Idle, f.Value)
		case "send":
			err = span(&b.opt.Send, f.Value)
		case "linger":
			err = span(&b.opt.Linger, f.Value)
		case "handshake":
			err = span(&b.opt.Handshake, f.Value)
		case "keepalive":
			err = span(&b.opt.KeepAlive, f.Value)
		default:
			err = errors.New("unknown: conns, per_ip, rate, burst, recv, send_high, send_low, send_max, idle, send, handshake, linger and keepalive are known")
		}
		if err != nil {
			return b, fmt.Errorf("limits: %s: %w", f.Key, err)
		}
	}
	if h := b.opt.SendHigh; h > 0 && b.opt.SendLow >= h {
		return b, errors.New("limits: send_low is not below send_high")
	}
	return b, nil
}

func count(dst *int, v any) error {
	var n uint32
	if err := plain.SetUint(&n, v); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("1 or more expected")
	}
	*dst = int(n)
	return nil
}

func size(dst *int, v any) error {
	var n int64
	if err := plain.SetSize(&n, v); err != nil {
		return err
	}
	if n < 1 || n > 1<<30 {
		return errors.New("1 to 1GiB expected")
	}
	*dst = int(n)
	return nil
}

func span(dst *time.Duration, v any) error {
	if off, ok := v.(bool); ok && !off {
		*dst = -1
		return nil
	}
	var d time.Duration
	if err := plain.SetDuration(&d, v); err != nil {
		return err
	}
	if d <= 0 {
		return errors.New("more than 0 expected, or false for none")
	}
	*dst = d
	return nil
}

// dialSpec are the options of loop.dial.
type dialSpec struct {
	connect   time.Duration
	bind      netip.AddrPort
	broadcast bool
	bounds    bounds
	tls       *tls.Config
	socks     *netio.SocksConfig
	rest      []event.KV // the protocol's
}

func (g *Group) parseDial(options any, dir string) (d dialSpec, err error) {
	d.bounds, err = parseLimits([]event.KV(nil))
	list, ok := options.([]event.KV)
	if !ok && options != nil {
		if empty, isList := options.([]any); !isList || len(empty) > 0 {
			return d, fmt.Errorf("a table expected, got %s", plain.Describe(options))
		}
	}
	for _, f := range list {
		switch f.Key {
		case "connect":
			if err = span(&d.connect, f.Value); err != nil {
				err = fmt.Errorf("connect: %w", err)
			}
		case "bind":
			if err = plain.SetEndpoint(&d.bind, f.Value); err != nil {
				err = fmt.Errorf("bind: %w", err)
			}
		case "broadcast":
			if err = plain.SetBool(&d.broadcast, f.Value); err != nil {
				err = fmt.Errorf("broadcast: %w", err)
			}
		case "limits":
			d.bounds, err = parseLimits(f.Value)
		case "tls":
			d.tls, _, err = g.parseTLS(f.Value, dir, false)
		case "socks":
			d.socks, err = parseSocks(f.Value)
		default:
			d.rest = append(d.rest, f)
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}
