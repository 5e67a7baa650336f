// Package socks is a SOCKS 5 server on the loop's connections (RFC 1928, RFC 1929): rules
// decide at socks_request who is connected where, and the two connections are piped.
// Of the commands it has CONNECT.
//
// Goroutines: none; a session runs in its connection's shard.
package socks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/socks5"
)

// greetTime is how long a client may take to say what it wants.
const greetTime = 10 * time.Second

// Protocol is "socks" for loop.Config.
type Protocol struct{}

// New returns the protocol.
func New() Protocol { return Protocol{} }

// Name returns "socks".
func (Protocol) Name() string { return "socks" }

// Schemes returns socks5.
func (Protocol) Schemes() []loop.Scheme {
	return []loop.Scheme{{Name: "socks5", Network: "tcp", Port: 1080}}
}

// options are those of a listener.
type options struct{ login bool }

var errOutbound = errors.New("a connection goes through a SOCKS server by the option socks of loop.dial")

// Options reads login: clients have to have a user and a password.
func (Protocol) Options(list []event.KV, inbound bool) (any, error) {
	if !inbound {
		return nil, errOutbound
	}
	o := &options{}
	for _, f := range list {
		err := errors.New("unknown: login is known")
		if f.Key == "login" {
			err = plain.SetBool(&o.login, f.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	return o, nil
}

// Attach serves a connection that came in.
func (Protocol) Attach(c *loop.Conn, given any) (loop.Session, error) {
	if !c.Inbound() {
		return nil, errOutbound
	}
	o, _ := given.(*options)
	if o == nil {
		o = &options{}
	}
	return &session{c: c, opt: o}, nil
}

// state is what a session waits for.
type state byte

const (
	greeting state = iota
	login
	request
	dialling
	over
)

// session is the server's end of a conversation.
type session struct {
	loop.BaseSession
	c              *loop.Conn
	opt            *options
	state          state
	hasUser        bool
	user, password string
	up             *loop.Conn
}

// Open begins the time for the conversation.
func (s *session) Open(c *loop.Conn) { c.Net().Deadline("socks", greetTime) }

// Recv goes on with the conversation.
func (s *session) Recv(c *loop.Conn) {
	for !c.Waiting() && s.state < dialling && c.Session() == loop.Session(s) {
		n, err := s.step(c.Bytes())
		if err != nil {
			s.c.Fault(err.Error())
			if errors.Is(err, socks5.NoAddressType) {
				s.refuse(socks5.NoAddressType)
				return
			}
			s.end()
			return
		}
		if n == 0 {
			return
		}
	}
}

// step takes a message, and returns how long it was.
func (s *session) step(p []byte) (n int, err error) {
	switch s.state {
	case greeting:
		var methods []byte
		methods, n, err = socks5.ParseGreeting(p)
		if err == nil && n > 0 {
			method := s.choose(methods)
			s.c.Skip(n)
			s.send([]byte{5, method})
		}
	case login:
		s.user, s.password, n, err = socks5.ParseLogin(p)
		if err == nil && n > 0 {
			s.c.Skip(n)
			s.hasUser, s.state = true, request
			s.send([]byte{1, 0}) // the rules see who it is with what it wants
		}
	case request:
		var r socks5.Request
		r, n, err = socks5.ParseRequest(p)
		if err == nil && n > 0 {
			s.c.Skip(n)
			s.ask(r)
		}
	}
	return n, err
}

// choose picks a method that both have.
func (s *session) choose(methods []byte) byte {
	want := byte(socks5.NoAuth)
	if s.opt.login {
		want = socks5.UserPassword
	}
	for _, m := range methods {
		if m == want {
			s.state = request
			if s.opt.login {
				s.state = login
			}
			return m
		}
	}
	s.end()
	return socks5.NoMethod
}

// ask has the rules decide.
func (s *session) ask(r socks5.Request) {
	s.state = dialling
	if r.Command != socks5.Connect {
		s.refuse(socks5.NoCommand)
		return
	}
	if !loopev.OnSocksRequest.Wanted(s.c.Shard()) || r.Port == 0 {
		s.refuse(socks5.NotAllowed)
		return
	}
	e := &loopev.SocksRequest{C: s.c, Host: r.Host(), Port: r.Port, User: s.user, HasUser: s.hasUser, Password: s.password, HasPassword: s.hasUser}
	loop.Await(s.c, loopev.OnSocksRequest, e, func(v event.Verdict, err error) {
		switch {
		case errors.Is(err, event.ErrCanceled):
		case err != nil:
			s.refuse(socks5.Failure)
		case v.Kind == loopev.VerdictAccept:
			s.dial("tcp://"+net.JoinHostPort(r.Host(), strconv.Itoa(int(r.Port))), greetTime)
		case v.Kind == loopev.VerdictProxy:
			args := v.Args.(*loopev.ProxyArgs)
			within := greetTime
			if args.HasConnect {
				within = args.Connect
			}
			s.dial(args.URL, within)
		default:
			s.refuse(socks5.NotAllowed)
		}
	})
}

// dial connects to where the client wants, or a rule.
func (s *session) dial(url string, within time.Duration) {
	s.c.Net().Deadline("socks", 0)
	up, err := s.c.Stack().Dial(loop.Dialing{
		URL:     url,
		Options: []event.KV{{Key: "connect", Value: within.String()}},
		Session: func(*loop.Conn) loop.Session { return &upstream{s: s} },
	})
	if err != nil {
		s.c.Fault(err.Error())
		s.refuse(socks5.Failure)
		return
	}
	s.up = up
}

func (s *session) send(p []byte) {
	// That the connection ends is told by close.
	_ = s.c.Net().Send(p)
}

// refuse answers a request that is not served.
func (s *session) refuse(code socks5.Code) {
	if s.state == over {
		return
	}
	s.send(socks5.AppendReply(nil, code, netip.AddrPort{}))
	s.end()
}

func (s *session) end() {
	s.state = over
	s.c.Net().CloseWith(netio.Reason{Why: netio.Rejected, What: "socks"})
}

// EOF has a client that said all it has to say served all the same.
func (s *session) EOF(*loop.Conn) bool { return s.state == dialling }

// Close ends a connection that is being made for the client.
func (s *session) Close(*loop.Conn, netio.Reason) {
	s.state = over
	if s.up != nil {
		s.up.Net().Abort(netio.Reason{})
	}
}

// upstream is the end that is dialled, until it is piped.
type upstream struct {
	loop.BaseSession
	s *session
}

// Open tells the client, and pipes.
func (u *upstream) Open(c *loop.Conn) {
	s := u.s
	if s.state != dialling {
		c.Net().Abort(netio.Reason{})
		return
	}
	s.state, s.up = over, nil
	s.send(socks5.AppendReply(nil, socks5.Succeeded, c.Net().Local()))
	if err := s.c.Pipe(nil, c); err != nil {
		s.c.Fault(err.Error())
		s.c.Net().Abort(netio.Reason{Why: netio.Failed, Err: err})
		c.Net().Abort(netio.Reason{})
	}
}

// Close says why there is no connection.
func (u *upstream) Close(_ *loop.Conn, why netio.Reason) {
	u.s.up = nil
	code := socks5.Failure
	switch why.Why {
	case netio.Refused:
		code = socks5.Refused
	case netio.Resolve, netio.Timeout:
		code = socks5.HostUnreachable
	case netio.Unreachable:
		code = socks5.NetUnreachable
	}
	u.s.refuse(code)
}
