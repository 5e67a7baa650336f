// Package urllib is the table url of scripts (RFC 3986; queries as forms write
// them). Functions are pure; those of one state are called on its goroutine.
package urllib

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// What work costs, in steps.
const (
	stepsPerByte = 4
	stepsPerPair = 300
)

// MaxPairs is how many pairs the query has at most that is read.
const MaxPairs = 10_000

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	return call.Functions(L, lim, "url", map[string]call.Body{
		"parse": parse, "encode": encode, "decode": decode, "query": query, "to_query": toQuery,
	})
}

// reason is what is wrong without the text that it is wrong with, which may be
// long.
func reason(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	text := err.Error()
	const most = 120
	if len(text) > most {
		text = text[:most] + "..."
	}
	return "url: " + text
}

// parse takes a URL apart. What is not there is nil.
func parse(c call.Call) int {
	text := c.String(1)
	c.Spend(stepsPerByte*len(text) + stepsPerPair)
	u, err := url.Parse(text)
	if err != nil {
		return c.Fail(reason(err))
	}
	t := c.L.CreateTable(0, 8)
	set := func(key, value string) {
		if value != "" {
			t.RawSetString(key, lua.LString(value))
		}
	}
	set("scheme", u.Scheme)
	if u.User != nil {
		set("user", u.User.Username())
		if password, given := u.User.Password(); given {
			t.RawSetString("password", lua.LString(password))
		}
	}
	set("host", u.Hostname())
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return c.Fail("url: the port is more than 65535")
		}
		t.RawSetString("port", lua.LNumber(port))
	}
	set("opaque", u.Opaque)
	set("path", u.Path)
	set("query", u.RawQuery)
	set("fragment", u.Fragment)
	return c.Push(t)
}

const upperHex = "0123456789ABCDEF"

// unreserved reports whether a byte means itself anywhere (RFC 3986 section 2.3).
func unreserved(b byte) bool {
	letter := b | 0x20
	return 'a' <= letter && letter <= 'z' || '0' <= b && b <= '9' || strings.IndexByte("-._~", b) >= 0
}

// escape appends text with everything but unreserved bytes escaped.
func escape(dst []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; unreserved(b) {
			dst = append(dst, b)
		} else {
			dst = append(dst, '%', upperHex[b>>4], upperHex[b&15])
		}
	}
	return dst
}

func encode(c call.Call) int {
	text := c.String(1)
	c.Spend(stepsPerByte * len(text))
	n := len(text)
	for i := range len(text) {
		if !unreserved(text[i]) {
			n += 2
		}
	}
	c.Bound(n)
	return c.PushString(string(escape(make([]byte, 0, n), text)))
}

// decode takes escapes back; a plus stays one unless the text is a form's.
func decode(c call.Call) int {
	text, form := c.String(1), c.Bool(2)
	c.Spend(stepsPerByte * len(text))
	unescape := url.PathUnescape
	if form {
		unescape = url.QueryUnescape
	}
	s, err := unescape(text)
	if err != nil {
		return c.Fail(reason(err))
	}
	return c.PushString(s)
}

// query reads a query: names with their first values, or with lists of all of
// them.
func query(c call.Call) int {
	text, all := strings.TrimPrefix(c.String(1), "?"), c.Bool(2)
	c.Spend(stepsPerByte * len(text))
	t := c.L.CreateTable(0, 0)
	pairs := 0
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		c.Spend(stepsPerPair)
		if pairs++; pairs > MaxPairs {
			return c.Fail("url: a query of more than " + strconv.Itoa(MaxPairs) + " pairs")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return c.Fail(reason(err))
		}
		name, value = strings.Clone(name), strings.Clone(value)
		old := t.RawGetString(name)
		switch list, isList := old.(*lua.LTable); {
		case isList:
			list.Append(lua.LString(value))
		case old != lua.LNil:
		case all:
			list := c.L.CreateTable(1, 0)
			list.Append(lua.LString(value))
			t.RawSetString(name, list)
		default:
			t.RawSetString(name, lua.LString(value))
		}
	}
	return c.Push(t)
}

// toQuery writes a query: pairs in the order in which the table was filled, a
// list as a pair for each.
func toQuery(c call.Call) int {
	t := c.Table(1)
	var b []byte
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := text(k)
		if _, flag := k.(lua.LBool); flag || !ok {
			c.Bad(1, "names are text, not a "+k.Type().String())
		}
		values := []lua.LValue{v}
		if list, isList := v.(*lua.LTable); isList {
			values = values[:0]
			for i := 1; i <= list.Len(); i++ {
				values = append(values, list.RawGetInt(i))
			}
		}
		for _, v := range values {
			value, ok := text(v)
			if !ok {
				c.Bad(1, "the value of "+name[:min(len(name), 64)]+" is text, a number or a boolean, not a "+v.Type().String())
			}
			c.Spend(stepsPerByte*(len(name)+len(value)) + stepsPerByte)
			c.Bound(len(b) + len(name) + len(value) + 2)
			if len(b) > 0 {
				b = append(b, '&')
			}
			b = append(escape(b, name), '=')
			b = escape(b, value)
		}
	}
	c.Bound(len(b))
	return c.PushString(string(b))
}

func text(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return strlib.NumberString(float64(v)), true
	case lua.LBool:
		return strconv.FormatBool(bool(v)), true
	}
	return "", false
}
