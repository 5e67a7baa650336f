// Package hashlib is the table hash of scripts: digests, a checksum and message
// authentication, in hexadecimal or as bytes. MD5 and SHA-1 are there because
// protocols use them, not because they are safe. Functions are pure; those of
// one state are called on its goroutine.
package hashlib

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// digests are the hash functions by name.
var digests = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New,
}

// What digests cost: so many steps a byte, and beside that for each.
const (
	stepsPerByte = 2
	stepsPerHash = 300
)

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	bodies := map[string]call.Body{"crc32": checksum, "hmac": authenticate}
	for name, digest := range digests {
		bodies[name] = func(c call.Call) int {
			data := c.String(1)
			c.Spend(stepsPerHash + stepsPerByte*len(data))
			h := digest()
			h.Write([]byte(data))
			return push(c, h.Sum(nil), 2)
		}
	}
	return call.Functions(L, lim, "hash", bodies)
}

// push returns a digest as argument n wants it: raw or in hexadecimal.
func push(c call.Call, sum []byte, n int) int {
	if c.Bool(n) {
		return c.PushString(string(sum))
	}
	return c.PushString(hex.EncodeToString(sum))
}

// checksum is the CRC-32 of IEEE 802.3, which gzip, PNG and Ethernet use.
func checksum(c call.Call) int {
	data := c.String(1)
	c.Spend(len(data)/4 + 1)
	return c.PushNumber(float64(crc32.ChecksumIEEE([]byte(data))))
}

// authenticate is HMAC (RFC 2104).
func authenticate(c call.Call) int {
	name, key, data := c.String(1), c.String(2), c.String(3)
	digest := digests[name]
	if digest == nil {
		c.Bad(1, fmt.Sprintf("%q is no hash: md5, sha1, sha256 or sha512", name))
	}
	c.Spend(4*stepsPerHash + stepsPerByte*(len(key)+len(data)))
	h := hmac.New(digest, []byte(key))
	h.Write([]byte(data))
	return push(c, h.Sum(nil), 4)
}
