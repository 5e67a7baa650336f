// Package iplib is the table ip of scripts: addresses and networks as text. An
// IPv4 address mapped into IPv6 is the IPv4 address, as everywhere in the house;
// zones are refused, since packets carry none. Functions are pure; those of one
// state are called on its goroutine.
package iplib

import (
	"net/netip"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// steps is what reading an address or network costs.
const steps = 100

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	return call.Functions(L, lim, "ip", map[string]call.Body{
		"parse": parse, "is_valid": isValid, "version": version, "in_cidr": inCIDR,
		"bytes": toBytes, "from_bytes": fromBytes, "network": network, "range": bounds,
	})
}

// address reads text as an address; the message is empty if it is one.
func address(text string) (netip.Addr, string) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return a, quote(text) + " is no address"
	case a.Zone() != "":
		return a, quote(text) + " is an address with a zone"
	}
	return a.Unmap(), ""
}

// prefix reads text as a network, an address alone as the network of just it.
func prefix(text string) (netip.Prefix, string) {
	if !strings.Contains(text, "/") {
		a, msg := address(text)
		if msg != "" {
			return netip.Prefix{}, quote(text) + " is no network"
		}
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, quote(text) + " is no network"
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, quote(text) + " is shorter than the 96 bits before a mapped IPv4 address"
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, ""
}

func quote(text string) string {
	const most = 64
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strconv.Quote(text)
}

// asked reads argument n as an address; ok is false if it is none, with the
// message.
func asked(c call.Call, n int) (a netip.Addr, msg string) {
	c.Spend(steps)
	return address(c.String(n))
}

func parse(c call.Call) int {
	a, msg := asked(c, 1)
	if msg != "" {
		return c.Fail("ip: " + msg)
	}
	return c.PushString(a.String())
}

// isValid takes any value: what is no text is no address.
func isValid(c call.Call) int {
	text, ok := c.Arg(1).(lua.LString)
	if !ok {
		return c.PushBool(false)
	}
	c.Spend(steps)
	_, msg := address(string(text))
	return c.PushBool(msg == "")
}

func version(c call.Call) int {
	a, msg := asked(c, 1)
	switch {
	case msg != "":
		return c.Fail("ip: " + msg)
	case a.Is4():
		return c.PushNumber(4)
	}
	return c.PushNumber(6)
}

// inCIDR tells whether an address is in one of the networks, which are the other
// arguments or lists of them. A network that is none is a mistake of the script,
// and raised; an address may come from outside.
func inCIDR(c call.Call) int {
	a, msg := asked(c, 1)
	if msg != "" {
		return c.Fail("ip: " + msg)
	}
	if c.Top() < 2 {
		c.Wrong(2, `network such as "10.0.0.0/8"`)
	}
	for n := 2; n <= c.Top(); n++ {
		if t, ok := c.Arg(n).(*lua.LTable); ok {
			for i := 1; i <= t.Len(); i++ {
				text, isText := t.RawGetInt(i).(lua.LString)
				if !isText {
					c.Bad(n, "item "+strconv.Itoa(i)+" is no network")
				}
				if within(c, n, string(text), a) {
					return c.PushBool(true)
				}
			}
			continue
		}
		if within(c, n, c.String(n), a) {
			return c.PushBool(true)
		}
	}
	return c.PushBool(false)
}

func within(c call.Call, n int, text string, a netip.Addr) bool {
	c.Spend(steps)
	p, msg := prefix(text)
	if msg != "" {
		c.Bad(n, msg)
	}
	return p.Contains(a)
}

func toBytes(c call.Call) int {
	a, msg := asked(c, 1)
	if msg != "" {
		return c.Fail("ip: " + msg)
	}
	return c.PushString(string(a.AsSlice()))
}

func fromBytes(c call.Call) int {
	c.Spend(steps)
	a, ok := netip.AddrFromSlice([]byte(c.String(1)))
	if !ok {
		return c.Fail("ip: an address has 4 or 16 bytes, not " + strconv.Itoa(len(c.String(1))))
	}
	return c.PushString(a.Unmap().String())
}

// network is the network that an address is in, or that a network is, as text
// with the bits behind its length cleared.
func network(c call.Call) int {
	c.Spend(steps)
	p, msg := prefix(c.String(1))
	if msg != "" {
		return c.Fail("ip: " + msg)
	}
	bits := c.OptInt(2, p.Bits())
	if bits < 0 || bits > p.Addr().BitLen() {
		c.Bad(2, "a length of 0 to "+strconv.Itoa(p.Addr().BitLen())+" bits expected")
	}
	return c.PushString(netip.PrefixFrom(p.Addr(), bits).Masked().String())
}

// bounds are the first and the last address of a network.
func bounds(c call.Call) int {
	c.Spend(steps)
	p, msg := prefix(c.String(1))
	if msg != "" {
		return c.Fail("ip: " + msg)
	}
	p = p.Masked()
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(last); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return c.PushString(p.Addr().String()) + c.PushString(end.String())
}
