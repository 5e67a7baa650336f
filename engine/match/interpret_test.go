package match

import (
	"math/big"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// interpret decides a node the slow and obvious way: it walks the structs by
// reflection and knows nothing of the compiler, of its literals or its order.
func interpret(n *Node, e *sample) bool {
	return (&interpreter{event: e}).holds(n, nil)
}

type interpreter struct{ event *sample }

func (in *interpreter) holds(n *Node, path []string) bool {
	path = append(path[:len(path):len(path)], n.Path...)
	ok := n.Op == NoOp || in.test(n, path)
	for i := range n.All {
		ok = ok && in.holds(&n.All[i], path)
	}
	if n.Any != nil {
		some := false
		for i := range n.Any {
			some = some || in.holds(&n.Any[i], path)
		}
		ok = ok && some
	}
	for i := range n.None {
		ok = ok && !in.holds(&n.None[i], path)
	}
	return ok
}

// value finds what a path names; nil is absent.
func (in *interpreter) value(path []string) any {
	v := reflect.ValueOf(in.event).Elem()
	name := fieldName(path[0])
	if _, own := reflect.TypeFor[thing]().FieldByName(name); own {
		v = v.FieldByName("S")
	} else {
		v, path = v.FieldByName(name), path[1:]
	}
	for _, p := range path {
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return nil
		}
		if p == "maybe" && !v.Elem().FieldByName("HasMaybe").Bool() {
			return nil
		}
		v = v.Elem().FieldByName(fieldName(p))
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return v.Interface()
}

func fieldName(p string) string {
	switch p {
	case "ip", "ep":
		return strings.ToUpper(p)
	case "other":
		return "Sub"
	}
	return strings.ToUpper(p[:1]) + p[1:]
}

func (in *interpreter) test(n *Node, path []string) bool {
	v := in.value(path)
	if n.Op == Present {
		want := len(n.Values) == 0 || n.Values[0].Bool
		has := v != nil
		if tags, ok := v.([]string); ok {
			has = len(tags) > 0
		}
		return has == want
	}
	if v == nil {
		return n.Op == Ne
	}
	last := path[len(path)-1]
	items := []any{v}
	switch last {
	case "tags":
		items = nil
		for _, tag := range v.([]string) {
			items = append(items, tag)
		}
	case "word", "reason":
		items[0] = smallWords()[v.(uint64)]
	case "big":
		items[0] = bigWords()[v.(uint64)]
	case "raw":
		items[0] = string(v.([]byte))
	case "when", "took":
		items[0] = new(big.Rat).SetFrac64(v.(int64), int64(time.Second))
	}
	if n.Op == Ne {
		for _, item := range items {
			if equalsAny(item, n.Values) {
				return false
			}
		}
		return true
	}
	for _, item := range items {
		if passes(n.Op, item, n.Values) {
			return true
		}
	}
	return false
}

func passes(op Op, item any, values []Value) bool {
	switch op {
	case Eq:
		return equalsAny(item, values)
	case Gt:
		return compareTo(item, values[0]) > 0
	case Ge:
		return compareTo(item, values[0]) >= 0
	case Lt:
		return compareTo(item, values[0]) < 0
	case Le:
		return compareTo(item, values[0]) <= 0
	case Range:
		if _, isAddr := addrOf(item); isAddr {
			return inAddrRange(item, values)
		}
		return compareTo(item, values[0]) >= 0 && compareTo(item, values[1]) <= 0
	}
	for _, v := range values {
		if op == CIDR {
			if a, _ := addrOf(item); inNetwork(a, v.Text) {
				return true
			}
			continue
		}
		if textPasses(op, item.(string), v.Text) {
			return true
		}
	}
	return false
}

func textPasses(op Op, s, word string) bool {
	switch op {
	case Prefix:
		return strings.HasPrefix(s, word)
	case Suffix:
		return strings.HasSuffix(s, word)
	case Contains:
		return strings.Contains(s, word)
	case Glob:
		return slowGlob(word, s)
	case Regex:
		return regexp.MustCompile(word).MatchString(s)
	}
	panic("no test of text")
}

func equalsAny(item any, values []Value) bool {
	for _, v := range values {
		if equals(item, v) {
			return true
		}
	}
	return false
}

func equals(item any, v Value) bool {
	switch item := item.(type) {
	case bool:
		return item == v.Bool
	case string:
		if set, ok := v.Set.(words); ok {
			return set[item]
		}
		return item == v.Text
	case netip.Addr:
		if set, ok := v.Set.(addrs); ok {
			return item.IsValid() && set[netip.MustParseAddr(plainAddr(item))]
		}
		return inNetwork(item, v.Text)
	case netip.AddrPort:
		if !item.IsValid() {
			return false
		}
		item = netip.AddrPortFrom(netip.MustParseAddr(plainAddr(item.Addr())), item.Port())
		if set, ok := v.Set.(endpoints); ok {
			return set[item]
		}
		want := v.Text
		if mapped, ok := strings.CutPrefix(want, "[::ffff:"); ok {
			want = strings.Replace(mapped, "]", "", 1)
		}
		return item.String() == want
	}
	if set, ok := v.Set.(numbers); ok {
		f, _ := rational(item).Float64()
		return set[f]
	}
	return compareTo(item, v) == 0
}

// plainAddr writes an address that may be IPv4 in IPv6 as IPv4.
func plainAddr(a netip.Addr) string { return strings.TrimPrefix(a.String(), "::ffff:") }

func inNetwork(a netip.Addr, text string) bool {
	if !a.IsValid() {
		return false
	}
	if text == "::ffff:0.0.0.0/96" {
		text = "0.0.0.0/0"
	}
	if !strings.Contains(text, "/") {
		return plainAddr(a) == strings.TrimPrefix(text, "::ffff:")
	}
	return netip.MustParsePrefix(text).Contains(netip.MustParseAddr(plainAddr(a)))
}

func addrOf(item any) (netip.Addr, bool) {
	switch item := item.(type) {
	case netip.Addr:
		return item, true
	case netip.AddrPort:
		return item.Addr(), true
	}
	return netip.Addr{}, false
}

func inAddrRange(item any, values []Value) bool {
	a, _ := addrOf(item)
	if !a.IsValid() {
		return false
	}
	a = netip.MustParseAddr(plainAddr(a))
	lo, hi := netip.MustParseAddr(values[0].Text).Unmap(), netip.MustParseAddr(values[1].Text).Unmap()
	return a.BitLen() == lo.BitLen() && lo.Compare(a) <= 0 && a.Compare(hi) <= 0
}

// compareTo compares without rounding anything.
func compareTo(item any, v Value) int {
	want := new(big.Rat)
	switch v.Kind {
	case NumberValue:
		want.SetFloat64(v.Number)
	case TextValue:
		n := map[string]int64{"500ms": 5e8, "1s": 1e9, "1.5s": 15e8, "512": 512, "64KiB": 65536, "1MB": 1e6}[v.Text]
		want.SetInt64(n)
		if strings.HasSuffix(v.Text, "s") {
			want.SetFrac64(n, 1e9)
		}
	}
	return rational(item).Cmp(want)
}

func rational(item any) *big.Rat {
	out := new(big.Rat)
	switch item := item.(type) {
	case *big.Rat:
		return item
	case float64:
		return out.SetFloat64(item)
	}
	if v := reflect.ValueOf(item); v.CanUint() {
		return out.SetUint64(v.Uint())
	}
	return out.SetInt64(reflect.ValueOf(item).Int())
}

// slowGlob matches by trying everything.
func slowGlob(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '*':
		for i := 0; i <= len(s); i++ {
			if slowGlob(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	case '?':
		return s != "" && slowGlob(pattern[1:], s[1:])
	case '\\':
		return s != "" && s[0] == pattern[1] && slowGlob(pattern[2:], s[1:])
	case '[':
		set, n, err := parseSet(pattern[1:])
		return err == nil && s != "" && set.has(s[0]) && slowGlob(pattern[1+n:], s[1:])
	}
	return s != "" && s[0] == pattern[0] && slowGlob(pattern[1:], s[1:])
}
