// Package base64lib is the table base64 of scripts (RFC 4648). Functions are
// pure; those of one state are called on its goroutine.
package base64lib

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	return call.Functions(L, lim, "base64", map[string]call.Body{"encode": encode, "decode": decode})
}

// encoding returns the alphabet that argument n names, without padding.
func encoding(c call.Call, n int) (enc *base64.Encoding, url bool) {
	switch word := c.OptString(n, "std"); word {
	case "std":
		return base64.RawStdEncoding, false
	case "url":
		return base64.RawURLEncoding, true
	default:
		c.Bad(n, fmt.Sprintf("%q is no alphabet: std or url", word))
	}
	return nil, false
}

func encode(c call.Call) int {
	data := c.String(1)
	enc, url := encoding(c, 2)
	if !url {
		enc = base64.StdEncoding
	}
	c.Bound(enc.EncodedLen(len(data)))
	c.Spend(len(data) + 16)
	return c.PushString(enc.EncodeToString([]byte(data)))
}

// decode takes text with or without padding; line breaks do not count.
func decode(c call.Call) int {
	text := c.String(1)
	enc, _ := encoding(c, 2)
	c.Spend(len(text) + 16)
	data, err := enc.DecodeString(unpadded(text))
	var at base64.CorruptInputError
	if errors.As(err, &at) {
		return c.Fail(fmt.Sprintf("base64: offset %d: not of the alphabet, or cut short", int64(at)))
	}
	return c.PushString(string(data))
}

// unpadded drops the one or two = at the end that padding is.
func unpadded(text string) string {
	body := strings.TrimRight(text, "\r\n")
	for range 2 {
		body = strings.TrimSuffix(body, "=")
		body = strings.TrimRight(body, "\r\n")
	}
	return body
}
