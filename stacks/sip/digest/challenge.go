package digest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Challenge asks for credentials.
type Challenge struct {
	Realm, Nonce, Opaque string
	Algorithm            Algorithm
	QOP                  string // what may be chosen: "auth", "auth,auth-int"
	Stale                bool
	// CNonce is what Answer takes for the client's own nonce; empty: it makes one.
	CNonce string
}

// String returns the value of WWW-Authenticate or Proxy-Authenticate.
func (c *Challenge) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Digest realm=%s, nonce=%s, algorithm=%s, qop=%s", quote(c.Realm), quote(c.Nonce), c.Algorithm, quote(c.QOP))
	if c.Opaque != "" {
		fmt.Fprintf(&b, ", opaque=%s", quote(c.Opaque))
	}
	if c.Stale {
		b.WriteString(", stale=true")
	}
	return b.String()
}

// quote makes a quoted string. Line ends become spaces.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", " ").Replace(text) + `"`
}

// ErrChallenge: nothing that can be answered.
var ErrChallenge = errors.New("no challenge of a known algorithm and realm")

// ParseChallenge reads the value of a WWW-Authenticate or Proxy-Authenticate.
func ParseChallenge(value []byte) (*Challenge, error) {
	c, stale := &Challenge{}, ""
	a, ours, known := parse(value, param{"realm", &c.Realm}, param{"nonce", &c.Nonce}, param{"opaque", &c.Opaque}, param{"qop", &c.QOP}, param{"stale", &stale})
	if !ours || !known || c.Nonce == "" {
		return nil, ErrChallenge
	}
	c.Algorithm, c.Stale = a, strings.EqualFold(stale, "true")
	return c, nil
}

// Answer returns the credentials that meet a challenge, as the value of Authorization or
// Proxy-Authorization, for a request of that method and URI. Nonces are used once.
func (c *Challenge) Answer(user string, s *Secret, method, uri string, body []byte) (string, error) {
	a := Credentials{User: user, Realm: c.Realm, Nonce: c.Nonce, URI: uri, Algorithm: c.Algorithm, nc: "00000001"}
	for word := range strings.SplitSeq(c.QOP, ",") {
		if word = strings.ToLower(strings.TrimSpace(word)); word == "auth" || word == "auth-int" && a.QOP == "" {
			a.QOP = word
		}
	}
	ha1, ok := s.ha1(a.Algorithm, user, a.Realm)
	if !ok || a.QOP == "" && a.Algorithm.sess() {
		return "", ErrChallenge
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Digest username=%s, realm=%s, nonce=%s, uri=%s, algorithm=%s", quote(user), quote(a.Realm), quote(a.Nonce), quote(uri), a.Algorithm)
	if a.QOP != "" {
		if a.CNonce = c.CNonce; a.CNonce == "" {
			a.CNonce = rand.Text()
		}
		fmt.Fprintf(&b, ", qop=%s, nc=%s, cnonce=%s", a.QOP, a.nc, quote(a.CNonce))
		fmt.Fprintf(&b, ", response=%s", quote(a.response(ha1, method, body)))
	} else {
		fmt.Fprintf(&b, ", response=%s", quote(a.Algorithm.sum(ha1, a.Nonce, a.Algorithm.sum(method, uri))))
	}
	if c.Opaque != "" {
		fmt.Fprintf(&b, ", opaque=%s", quote(c.Opaque))
	}
	return b.String(), nil
}

// Strongest returns, of the challenges of a message, the strongest of each realm, in
// their order; realm, if not empty, is the only one that counts. of is the header field
// that they stand in.
func Strongest(m *msg.Message, of msg.Name, realm string) []*Challenge {
	var best []*Challenge
next:
	for v := m.Values(of); v.Next(); {
		c, err := ParseChallenge(v.Value())
		if err != nil || realm != "" && c.Realm != realm {
			continue
		}
		for i, o := range best {
			if o.Realm == c.Realm {
				if c.Algorithm > o.Algorithm {
					best[i] = c
				}
				continue next
			}
		}
		best = append(best, c)
	}
	return best
}
