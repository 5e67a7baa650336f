package plain

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// Describe names a plain value as an error message shows it.
func Describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return number(v)
	case string:
		return fmt.Sprintf("%q", clip(v))
	case event.Kept:
		return v.Label()
	case []any, []event.KV:
		return "a table"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// expected is the error of a value of the wrong kind.
func expected(want string, got any) error {
	return fmt.Errorf("%s expected, got %s", want, Describe(got))
}

// SetBool stores a boolean.
func SetBool(dst *bool, value any) error {
	v, ok := value.(bool)
	if !ok {
		return expected("boolean", value)
	}
	*dst = v
	return nil
}

// SetUint stores a number that is an integer of dst's width.
func SetUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](dst *T, value any) error {
	most := int64(MaxExact)
	if uint64(^T(0)) < MaxExact {
		most = int64(^T(0))
	}
	v, ok := value.(float64)
	if !ok {
		return expected("number", value)
	}
	n, err := Integer(v, 0, most)
	if err == nil {
		*dst = T(n)
	}
	return err
}

// SetInt stores a number that is an integer.
func SetInt(dst *int64, value any) error {
	v, ok := value.(float64)
	if !ok {
		return expected("number", value)
	}
	n, err := Integer(v, -MaxExact, MaxExact)
	if err == nil {
		*dst = n
	}
	return err
}

// SetFloat stores a number.
func SetFloat(dst *float64, value any) error {
	v, ok := value.(float64)
	if !ok {
		return expected("number", value)
	}
	*dst = v
	return nil
}

// SetString stores a text.
func SetString(dst *string, value any) error {
	v, ok := value.(string)
	if !ok {
		return expected("string", value)
	}
	*dst = v
	return nil
}

// SetBytes stores the bytes of a text.
func SetBytes(dst *[]byte, value any) error {
	v, ok := value.(string)
	if !ok {
		return expected("string", value)
	}
	*dst = []byte(v)
	return nil
}

// SetIP stores an address that is written as text.
func SetIP(dst *netip.Addr, value any) error {
	text, ok := value.(string)
	if !ok {
		return expected(`address such as "192.0.2.1"`, value)
	}
	v, err := netip.ParseAddr(text)
	if err != nil {
		return expected(`address such as "192.0.2.1"`, value)
	}
	*dst = v
	return nil
}

// SetEndpoint stores an address with port that is written as text.
func SetEndpoint(dst *netip.AddrPort, value any) error {
	const want = `endpoint such as "192.0.2.1:80"`
	text, ok := value.(string)
	if !ok {
		return expected(want, value)
	}
	v, err := netip.ParseAddrPort(text)
	if err != nil {
		return expected(want, value)
	}
	*dst = v
	return nil
}

// SetTime stores a number of seconds since the epoch as nanoseconds.
func SetTime(dst *int64, value any) error {
	v, ok := value.(float64)
	if !ok {
		return expected("time in seconds", value)
	}
	d, err := Seconds(v)
	if err == nil {
		*dst = int64(d)
	}
	return err
}

// SetDuration stores a number of seconds, or a text such as "10s".
func SetDuration(dst *time.Duration, value any) error {
	var d time.Duration
	err := expected(`duration such as "10s"`, value)
	switch v := value.(type) {
	case float64:
		d, err = Seconds(v)
	case string:
		d, err = Duration(v)
	}
	if err == nil {
		*dst = d
	}
	return err
}

// SetSize stores a number of bytes, or a text such as "64KiB".
func SetSize(dst *int64, value any) error {
	var n int64
	err := expected(`size such as "64KiB"`, value)
	switch v := value.(type) {
	case float64:
		n, err = Integer(v, 0, MaxExact)
	case string:
		n, err = Size(v)
	}
	if err == nil {
		*dst = n
	}
	return err
}

// SetEnum stores the index of a word in names.
func SetEnum[T ~uint8](dst *T, value any, names []string) error {
	word, ok := value.(string)
	if !ok {
		return expected("string", value)
	}
	i, err := Word(word, names)
	if err == nil {
		*dst = T(i)
	}
	return err
}

// SetStrings stores a list of texts.
func SetStrings(dst *[]string, value any) error {
	items, ok := value.([]any)
	if kv, empty := value.([]event.KV); empty && len(kv) == 0 { // {} is any empty table
		items, ok = nil, true
	}
	if !ok {
		return expected("list of strings", value)
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			return expected("list of strings", item)
		}
		list = append(list, text)
	}
	*dst = list
	return nil
}

// SetObject stores an object that implements T. Nil is taken where it may be
// absent; name is what the error calls it.
func SetObject[T any](dst *T, value any, name string, optional bool) error {
	if value == nil && optional {
		var none T
		*dst = none
		return nil
	}
	v, ok := value.(T)
	if !ok {
		return expected(name, value)
	}
	*dst = v
	return nil
}

// SetAny stores a plain value as it is.
func SetAny(dst *any, value any) error {
	switch value.(type) {
	case nil, bool, float64, string, event.Kept, []any, []event.KV:
		*dst = value
		return nil
	}
	return expected("plain value", value)
}
