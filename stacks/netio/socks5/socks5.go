// Package socks5 is the SOCKS protocol, version 5 (RFC 1928), with user name and
// password (RFC 1929): messages of both sides over bytes that are in a buffer, and the
// client's part of the conversation.
//
// Goroutines: none; a [Client] belongs to whoever feeds it.
package socks5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// Methods of authentication (RFC 1928 section 3).
const (
	NoAuth       = 0
	UserPassword = 2
	NoMethod     = 0xff // none of those that the client has
)

// Commands (RFC 1928 section 4).
const (
	Connect   = 1
	Bind      = 2
	Associate = 3 // UDP
)

// Code is how a request was answered (RFC 1928 section 6).
type Code byte

// The codes.
const (
	Succeeded       Code = 0
	Failure         Code = 1
	NotAllowed      Code = 2
	NetUnreachable  Code = 3
	HostUnreachable Code = 4
	Refused         Code = 5
	Expired         Code = 6
	NoCommand       Code = 7
	NoAddressType   Code = 8
)

var codeNames = [...]string{
	"succeeded", "general failure", "not allowed", "network unreachable", "host unreachable",
	"connection refused", "TTL expired", "command not supported", "address type not supported",
}

// String returns what the code means.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "code " + strconv.Itoa(int(c))
}

// Error makes a Code the error of a client that was refused.
func (c Code) Error() string { return "socks5: refused: " + c.String() }

// ErrFormat is wrapped by errors about what is not SOCKS 5.
var ErrFormat = errors.New("not SOCKS 5")

func malformed(what string) error { return fmt.Errorf("socks5: %s: %w", what, ErrFormat) }

// Request is what a client wants.
type Request struct {
	Command byte
	// Addr is where to, or Name is.
	Addr netip.Addr
	Name string
	Port uint16
}

// Host returns the address or the name.
func (r Request) Host() string {
	if r.Addr.IsValid() {
		return r.Addr.String()
	}
	return r.Name
}

// ParseGreeting takes the methods that a client has; n 0 without error means that p
// ends before they do.
func ParseGreeting(p []byte) (methods []byte, n int, err error) {
	if len(p) > 0 && p[0] != 5 {
		return nil, 0, malformed("version")
	}
	if len(p) > 1 && p[1] == 0 {
		return nil, 0, malformed("no method")
	}
	if len(p) < 2 || len(p) < 2+int(p[1]) {
		return nil, 0, nil
	}
	n = 2 + int(p[1])
	return p[2:n], n, nil
}

// ParseLogin takes a client's name and password.
func ParseLogin(p []byte) (user, password string, n int, err error) {
	if len(p) > 0 && p[0] != 1 {
		return "", "", 0, malformed("version of the login")
	}
	if len(p) < 2 || len(p) < 3+int(p[1]) {
		return "", "", 0, nil
	}
	end := 2 + int(p[1])
	user = string(p[2:end])
	if n = end + 1 + int(p[end]); len(p) < n {
		return "", "", 0, nil
	}
	return user, string(p[end+1 : n]), n, nil
}

// ParseRequest takes what a client wants.
func ParseRequest(p []byte) (r Request, n int, err error) {
	if len(p) < 4 {
		return r, 0, version(p)
	}
	if p[0] != 5 || p[2] != 0 {
		return r, 0, malformed("request")
	}
	r.Command = p[1]
	r.Addr, r.Name, r.Port, n, err = address(p[3:])
	if err != nil || n == 0 {
		return r, 0, err
	}
	return r, 3 + n, nil
}

func version(p []byte) error {
	if len(p) > 0 && p[0] != 5 {
		return malformed("version")
	}
	return nil
}

// address takes an address or a name, and a port. A type of address that there is not
// is [NoAddressType].
func address(p []byte) (a netip.Addr, name string, port uint16, n int, err error) {
	size := 0
	switch p[0] {
	case 1:
		size = 4
	case 3:
		if len(p) < 2 {
			return a, "", 0, 0, nil
		}
		if size = 1 + int(p[1]); size == 1 {
			return a, "", 0, 0, malformed("empty name")
		}
	case 4:
		size = 16
	default:
		return a, "", 0, 0, NoAddressType
	}
	if n = 1 + size + 2; len(p) < n {
		return a, "", 0, 0, nil
	}
	if p[0] == 3 {
		name = string(p[2 : 1+size])
	} else {
		a, _ = netip.AddrFromSlice(p[1 : 1+size])
	}
	return a, name, binary.BigEndian.Uint16(p[1+size:]), n, nil
}

// AppendReply appends a server's answer to a request; bound is the address that it
// serves it from, if it has one.
func AppendReply(dst []byte, code Code, bound netip.AddrPort) []byte {
	dst = append(dst, 5, byte(code), 0)
	return appendAddress(dst, bound.Addr(), "", bound.Port())
}

// AppendRequest appends a client's request.
func AppendRequest(dst []byte, r Request) []byte {
	return appendAddress(append(dst, 5, r.Command, 0), r.Addr, r.Name, r.Port)
}

func appendAddress(dst []byte, a netip.Addr, name string, port uint16) []byte {
	switch a = a.Unmap(); {
	case a.Is4():
		dst = append(append(dst, 1), a.AsSlice()...)
	case a.Is6():
		dst = append(append(dst, 4), a.AsSlice()...)
	case name != "":
		dst = append(append(dst, 3, byte(len(name))), name...)
	default:
		dst = append(dst, 1, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint16(dst, port)
}

// ErrLogin says that a server does not accept the login, or none of the client's methods.
var ErrLogin = errors.New("socks5: login refused")

// Client is the client's part of a conversation.
type Client struct {
	req            Request
	user, password string
	state          int
}

// The states of a client: what it waits for.
const (
	awaitMethod = iota
	awaitLogin
	awaitReply
	isDone
)

// NewClient returns a client that wants to be connected to a host, which may be a name
// of at most 255 bytes, and logs in if user is not empty.
func NewClient(host string, port uint16, user, password string) (*Client, error) {
	c := &Client{req: Request{Command: Connect, Port: port}, user: user, password: password}
	if a, err := netip.ParseAddr(host); err == nil {
		c.req.Addr = a.WithZone("")
	} else {
		c.req.Name = host
	}
	if len(c.req.Name) > 255 || host == "" || len(user) > 255 || len(password) > 255 {
		return nil, errors.New("socks5: name, user or password is too long, or no host")
	}
	return c, nil
}

// Begin returns what is sent first.
func (c *Client) Begin() []byte {
	if c.user != "" {
		return []byte{5, 2, NoAuth, UserPassword}
	}
	return []byte{5, 1, NoAuth}
}

// Feed takes a message of the server from the front of p, returns what to send, how
// many bytes were used, and whether the connection is made: what follows is its. n 0
// without error means that more is wanted.
func (c *Client) Feed(p []byte) (send []byte, n int, done bool, err error) {
	if len(p) < 2 {
		return nil, 0, false, nil
	}
	switch c.state {
	case awaitMethod:
		send, err = c.method(p)
		return send, 2, false, err
	case awaitLogin:
		if p[1] != 0 {
			return nil, 0, false, ErrLogin
		}
		c.state = awaitReply
		return AppendRequest(nil, c.req), 2, false, nil
	case awaitReply:
		if p[0] != 5 {
			return nil, 0, false, malformed("version")
		}
		if p[1] != 0 {
			return nil, 0, false, Code(p[1])
		}
		if len(p) < 4 {
			return nil, 0, false, nil
		}
		_, _, _, n, err = address(p[3:])
		if err != nil || n == 0 {
			return nil, 0, false, err
		}
		c.state = isDone
		return nil, 3 + n, true, nil
	}
	return nil, 0, true, nil
}

// method goes on as the server chose.
func (c *Client) method(p []byte) ([]byte, error) {
	switch {
	case p[0] != 5:
		return nil, malformed("version")
	case p[1] == NoAuth:
		c.state = awaitReply
		return AppendRequest(nil, c.req), nil
	case p[1] == UserPassword && c.user != "":
		c.state = awaitLogin
		send := append([]byte{1, byte(len(c.user))}, c.user...)
		return append(append(send, byte(len(c.password))), c.password...), nil
	}
	return nil, ErrLogin
}
