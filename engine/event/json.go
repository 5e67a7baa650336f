package event

import (
	"math"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// AppendJSONString appends s as a JSON string. Bytes that are no UTF-8 become
// \u00XX of the byte's value, so that binary data stays readable and the line
// stays valid JSON.
func AppendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// AppendJSONTime appends ts, nanoseconds since the epoch, as seconds with nine
// decimals.
func AppendJSONTime(b []byte, ts int64) []byte {
	if ts < 0 {
		b, ts = append(b, '-'), -ts
	}
	b = strconv.AppendInt(b, ts/1e9, 10)
	b = append(b, '.')
	frac := ts % 1e9
	for unit := int64(1e8); unit > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit%10))
	}
	return b
}

// AppendJSONFloat appends f; what JSON has no number for becomes null.
func AppendJSONFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.AppendInt(b, int64(f), 10)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// AppendJSONEndpoint appends ep as netip prints it, quoted; null if it is none.
func AppendJSONEndpoint(b []byte, ep netip.AddrPort) []byte {
	if !ep.IsValid() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = ep.AppendTo(b)
	return append(b, '"')
}

// AppendJSONAddr appends a as netip prints it, quoted; null if it is none.
func AppendJSONAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = a.AppendTo(b)
	return append(b, '"')
}

// AppendJSONStrings appends list as an array.
func AppendJSONStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, s)
	}
	return append(b, ']')
}

// AppendJSONValue appends a plain value as [KV] may hold one. An object that
// has a text form (one side of a connection: its endpoint) becomes that text,
// another kept object its number.
func AppendJSONValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case float64:
		return AppendJSONFloat(b, v)
	case string:
		return AppendJSONString(b, v)
	case interface{ String() string }:
		return AppendJSONString(b, v.String())
	case Kept:
		return strconv.AppendUint(b, v.ID(), 10)
	case []KV:
		return AppendJSONFields(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSONValue(b, item)
		}
		return append(b, ']')
	default:
		return append(b, "null"...)
	}
}

// AppendJSONFields appends list as an object, in its order.
func AppendJSONFields(b []byte, list []KV) []byte {
	b = append(b, '{')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, list[i].Key)
		b = append(b, ':')
		b = AppendJSONValue(b, list[i].Value)
	}
	return append(b, '}')
}
