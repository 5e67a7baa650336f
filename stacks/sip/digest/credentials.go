package digest

import (
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Why credentials are not taken.
var (
	// ErrAbsent: the request has none for the realm.
	ErrAbsent = errors.New("absent")
	// ErrMalformed: something is missing, or of a form or kind that was not asked for.
	ErrMalformed = errors.New("malformed")
	// ErrWrong: they are not those of the secret.
	ErrWrong = errors.New("wrong")
	// ErrStale: they are those of the secret, but their nonce is used up.
	ErrStale = errors.New("stale")
)

// Credentials are what a client says (RFC 7616, 3.4).
type Credentials struct {
	User, Realm, Nonce, URI, Response, CNonce string
	Algorithm                                 Algorithm
	QOP                                       string // auth or auth-int
	Count                                     uint32 // nonce count, from 1
	nc                                        string
}

// Find returns the credentials of a request for a realm, in Proxy-Authorization or else
// in Authorization. proxy asks for those of the first alone, else for those of the
// second.
func Find(m *msg.Message, realm string, proxy bool) (*Credentials, error) {
	name := msg.Authorization
	if proxy {
		name = msg.ProxyAuthorization
	}
	for v := m.Values(name); v.Next(); {
		c, err := Parse(v.Value())
		if c != nil && c.Realm == realm {
			return c, err
		}
	}
	return nil, ErrAbsent
}

// Parse reads the value of an Authorization. Of credentials that are malformed it
// returns what it could read; nil where they are not of the Digest scheme.
func Parse(value []byte) (*Credentials, error) {
	c := &Credentials{}
	a, ours, known := parse(value, param{"username", &c.User}, param{"realm", &c.Realm}, param{"nonce", &c.Nonce}, param{"uri", &c.URI},
		param{"response", &c.Response}, param{"cnonce", &c.CNonce}, param{"qop", &c.QOP}, param{"nc", &c.nc})
	if !ours {
		return nil, ErrMalformed
	}
	c.Algorithm, c.QOP = a, strings.ToLower(c.QOP)
	if !known || !c.whole() {
		return c, ErrMalformed
	}
	return c, nil
}

// whole reports whether everything is there that a response is made of. A client that
// uses no qop, as before RFC 2617, could be played back.
func (c *Credentials) whole() bool {
	n, err := strconv.ParseUint(c.nc, 16, 32)
	c.Count = uint32(n)
	return err == nil && len(c.nc) == 8 && n != 0 && (c.QOP == "auth" || c.QOP == "auth-int") &&
		c.User != "" && c.Nonce != "" && c.URI != "" && c.CNonce != ""
}

// Secret is what a server knows of a user: a password, or HA1 values by algorithm.
type Secret struct {
	Password string
	HA1      map[Algorithm]string // of algorithms without Sess, in hexadecimal
}

// ha1 returns the first hash; false where the secret is of another algorithm.
func (s *Secret) ha1(a Algorithm, user, realm string) (string, bool) {
	if h, ok := s.HA1[a.Plain()]; ok {
		return strings.ToLower(h), true
	}
	return HA1(a, user, realm, s.Password), len(s.HA1) == 0
}

// Match reports whether the credentials are those of a secret, for a request of that
// method and body.
func (c *Credentials) Match(s *Secret, method string, body []byte) bool {
	ha1, ok := s.ha1(c.Algorithm, c.User, c.Realm)
	if !ok {
		return false
	}
	want := c.response(ha1, method, body)
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) == 1
}

// response computes what proves the secret (RFC 7616, 3.4.1).
func (c *Credentials) response(ha1, method string, body []byte) string {
	a := c.Algorithm
	if a.sess() {
		ha1 = a.sum(ha1, c.Nonce, c.CNonce)
	}
	ha2 := a.sum(method, c.URI)
	if c.QOP == "auth-int" {
		ha2 = a.sum(method, c.URI, a.sum(string(body)))
	}
	return a.sum(ha1, c.Nonce, c.nc, c.CNonce, c.QOP, ha2)
}
