package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
)

// Algorithm is how secrets are hashed. The zero value is MD5, which is what a challenge
// means that names none.
type Algorithm uint8

// The algorithms of RFC 7616 and 8760, weakest first. Those with Sess hash the nonces
// into the secret.
const (
	MD5 Algorithm = iota
	MD5Sess
	SHA256
	SHA256Sess
	SHA512256
	SHA512256Sess
	algorithms
)

var names = [algorithms]string{"MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"}

// String returns the name that challenges show.
func (a Algorithm) String() string { return names[a] }

// ParseAlgorithm returns the algorithm of a name, in any case; false for one that is not
// known.
func ParseAlgorithm(name string) (Algorithm, bool) {
	for i, known := range names {
		if strings.EqualFold(known, name) {
			return Algorithm(i), true
		}
	}
	return 0, false
}

// sess reports whether the secret is hashed again with the nonces.
func (a Algorithm) sess() bool { return a&1 != 0 }

// Plain returns the algorithm without Sess: it makes the same secrets.
func (a Algorithm) Plain() Algorithm { return a &^ 1 }

// sum returns the hash of parts with colons between, in hexadecimal.
func (a Algorithm) sum(parts ...string) string {
	text := []byte(strings.Join(parts, ":"))
	switch a.Plain() {
	case SHA256:
		h := sha256.Sum256(text)
		return hex.EncodeToString(h[:])
	case SHA512256:
		h := sha512.Sum512_256(text)
		return hex.EncodeToString(h[:])
	default:
		h := md5.Sum(text)
		return hex.EncodeToString(h[:])
	}
}

// HA1 returns what may be kept in the place of a password: it is good for this user,
// realm and kind of hash alone.
func HA1(a Algorithm, user, realm, password string) string {
	return a.sum(user, realm, password)
}
