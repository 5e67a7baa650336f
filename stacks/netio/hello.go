package netio

import (
	"crypto/tls"
	"net/netip"
)

// HelloVerdict says how a TLS handshake goes on, of which only the client's first
// message came.
type HelloVerdict uint8

// The verdicts about a hello.
const (
	// HelloServe shakes hands.
	HelloServe HelloVerdict = iota
	// HelloRefuse tells the client that its name is not known here (the alert
	// unrecognized_name, RFC 6066 section 3), and closes.
	HelloRefuse
	// HelloReset resets the connection.
	HelloReset
	// HelloPass makes it a connection without TLS, whose bytes are what the client sent,
	// from the first on: for who passes them on to a server that has the keys.
	HelloPass
)

// HelloFunc decides about a handshake, in the loop's shard, by calling decide once: before
// it returns or later, there, while the handshake stands still and everything else goes on. from
// is where the client comes from, hello what it offers, not to be changed. What it returns,
// if anything, is called where the handshake ends undecided, in whose time that counts.
type HelloFunc func(from netip.AddrPort, hello *tls.ClientHelloInfo, decide func(HelloDecision)) (gone func())

// HelloDecision is what becomes of a handshake.
type HelloDecision struct {
	Verdict HelloVerdict
	// Config takes the place of the socket's where the handshake goes on; nil: that stays.
	Config *tls.Config
	// Data is what the connection has for Data, until its handler sets another.
	Data any
}

// withHello returns cfg with a way for listeners to be asked about each handshake. A
// config that asks somebody already stays as it is.
func withHello(cfg *tls.Config) *tls.Config {
	if cfg == nil || cfg.GetConfigForClient != nil {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		u, ok := hello.Conn.(under)
		if !ok || u.t.hs.asks == nil {
			return nil, nil
		}
		return u.t.hs.consult(hello)
	}
	return cfg
}

// decision is what became of a hello.
type decision struct {
	cfg *tls.Config
	err error
}

// consult has the listener asked, by the handshake's goroutine, and waits.
func (h *handshake) consult(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	l, id := h.c.loop, h.c.id
	decided := make(chan decision, 1)
	l.repay(func() {
		if c := l.Conn(id); c != nil && c.flags&(isClosing|isShaking) == isShaking && c.tls.hs == h {
			c.askHello(hello, decided)
		}
	})
	select {
	case d := <-decided:
		return d.cfg, d.err
	case <-h.gone:
		return nil, ErrClosed
	}
}

// askHello asks. A decision that comes later is done in the loop's turn.
func (c *Conn) askHello(hello *tls.ClientHelloInfo, decided chan<- decision) {
	h, l, id := c.tls.hs, c.loop, c.id
	asking, over := true, false
	gone := h.asks(c.remote, hello, func(d HelloDecision) {
		if over {
			return
		}
		over, h.undecided = true, nil
		if asking {
			decided <- c.decideHello(d, hello.ServerName)
			return
		}
		l.repay(func() {
			if c := l.Conn(id); c != nil && c.flags&(isClosing|isShaking) == isShaking && c.tls.hs == h {
				decided <- c.decideHello(d, hello.ServerName)
			}
		})
	})
	if asking = false; !over {
		h.undecided = gone
	}
}

// decideHello does what is decided.
func (c *Conn) decideHello(d HelloDecision, name string) decision {
	h, cfg := c.tls.hs, d.Config
	c.Data = d.Data
	h.mu.Lock()
	seen := h.seen
	h.seen, h.asks = nil, nil
	seen = append(seen, h.in...)
	h.mu.Unlock()
	switch d.Verdict {
	case HelloRefuse:
		// Without a certificate crypto/tls answers with that alert; and who has a ticket
		// needs none.
		cfg, h.refused = &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}, true
	case HelloReset:
		c.loop.stats.Handshakes.count(Reason{Why: Rejected})
		c.ResetWith(Reason{Why: Rejected})
		return decision{err: ErrClosed}
	case HelloPass:
		c.passOn(seen, name)
		return decision{err: ErrClosed}
	}
	return decision{cfg: cfg}
}

// passOn takes TLS off the connection, of which these bytes came.
func (c *Conn) passOn(seen []byte, name string) {
	h := c.tls.hs
	c.w, c.tls = c.tls.wire, nil
	h.end(ErrClosed)
	c.flags &^= isShaking
	c.ahead, c.asked = seen, name
	touched := c.flags & isTouched
	c.flags |= isTouched
	c.lis.offer(c)
	c.flags = c.flags&^isTouched | touched
	c.settle()
}

// Asked returns the server's name in a TLS hello that was passed on ([HelloPass]).
func (c *Conn) Asked() string { return c.asked }
