package sip

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// uriView is a request's URI as scripts see it.
type uriView struct {
	m     *Message
	seen  uint32
	parts msg.URI
}

// read takes the URI apart, once for each state of the message.
func (u *uriView) read() *msg.URI {
	if u.seen != u.m.changed {
		u.seen = u.m.changed
		u.parts = msg.URI{}
		if parts, err := msg.ParseURI(u.m.RequestURI()); err == nil {
			u.parts = parts
		}
	}
	return &u.parts
}

// Text implements [sipev.URI].
func (u *uriView) Text() []byte { return u.m.RequestURI() }

// Scheme implements [sipev.URI].
func (u *uriView) Scheme() []byte { return u.read().Name }

// User implements [sipev.URI].
func (u *uriView) User() []byte { return u.read().User }

// Host implements [sipev.URI].
func (u *uriView) Host() []byte { return u.read().Host }

// Port implements [sipev.URI].
func (u *uriView) Port() uint16 { return u.read().Port }

// Param implements [sipev.URI].
func (u *uriView) Param(name string) (string, bool) {
	v, ok := u.read().Param(name)
	return string(v), ok
}

var errURI = errors.New("that is no SIP, SIPS or TEL URI")

// SetText implements [sipev.URI].
func (u *uriView) SetText(c *event.Caller, text []byte) error {
	if !u.m.IsRequest() {
		return errors.New("a reply has no URI")
	}
	if !routable(text) {
		return errURI
	}
	return u.m.change(c, func(e *msg.Edits) error { return e.SetRequestURI(text) })
}

// with sets the URI anew, of its parts with some replaced.
func (u *uriView) with(c *event.Caller, user, host []byte, port uint16) error {
	p := *u.read()
	if p.Scheme != msg.SIP && p.Scheme != msg.SIPS {
		return errors.New("only a SIP URI has parts that can be set; set text")
	}
	text := append(append([]byte(nil), p.Name...), ':')
	if len(user) != 0 {
		text = append(text, user...)
		if p.Password != nil {
			text = append(append(text, ':'), p.Password...)
		}
		text = append(text, '@')
	}
	text = append(text, host...)
	if port != 0 {
		text = strconv.AppendUint(append(text, ':'), uint64(port), 10)
	}
	return u.SetText(c, append(text, p.Params...))
}

// SetUser implements [sipev.URI].
func (u *uriView) SetUser(c *event.Caller, user []byte) error {
	p := u.read()
	return u.with(c, msg.EscapeUser(user), p.Host, p.Port)
}

// SetHost implements [sipev.URI].
func (u *uriView) SetHost(c *event.Caller, host []byte) error {
	p := u.read()
	if addr, err := netip.ParseAddr(string(host)); err == nil && addr.Is6() {
		host = append(append([]byte{'['}, host...), ']')
	}
	return u.with(c, p.User, host, p.Port)
}

// SetPort implements [sipev.URI].
func (u *uriView) SetPort(c *event.Caller, port uint16) error {
	p := u.read()
	return u.with(c, p.User, p.Host, port)
}

// addressView is a From, To or Contact as scripts see it.
type addressView struct {
	m     *Message
	seen  uint32
	addr  msg.Address
	parts msg.URI
}

// URI implements [sipev.Address].
func (a *addressView) URI() []byte { return a.addr.URI }

// User implements [sipev.Address].
func (a *addressView) User() []byte { return a.parts.User }

// Host implements [sipev.Address].
func (a *addressView) Host() []byte { return a.parts.Host }

// Display implements [sipev.Address].
func (a *addressView) Display() []byte { return a.addr.Display }

// Tag implements [sipev.Address].
func (a *addressView) Tag() []byte { return a.addr.Tag() }

// Param implements [sipev.Address].
func (a *addressView) Param(name string) (string, bool) {
	v, ok := a.addr.Params.Get(name)
	return string(v), ok
}
