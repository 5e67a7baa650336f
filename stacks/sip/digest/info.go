package digest

import (
	"fmt"
	"strings"
)

// Info returns the value of Authentication-Info, or of Proxy-Authentication-Info, for the
// answer to a request whose credentials are those of the secret (RFC 7616, 3.5; RFC 7615):
// its rspauth proves to the client that the server knows the secret too. body is that of the
// answer, which counts where the client asked for auth-int. next, if not empty, is the nonce
// that the client is to use from now on. Where the credentials are not right it is
// [ErrWrong]: what proves something to who knows the secret helps others to guess it.
func (c *Credentials) Info(s *Secret, method string, request, body []byte, next string) (string, error) {
	if !c.Match(s, method, request) {
		return "", ErrWrong
	}
	ha1, _ := s.ha1(c.Algorithm, c.User, c.Realm)
	var b strings.Builder
	if next != "" {
		fmt.Fprintf(&b, "nextnonce=%s, ", quote(next))
	}
	// In the place of a method there is nothing.
	fmt.Fprintf(&b, "qop=%s, rspauth=%s, cnonce=%s, nc=%s", c.QOP, quote(c.response(ha1, "", body)), quote(c.CNonce), c.nc)
	return b.String(), nil
}
