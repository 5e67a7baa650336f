package jsonlib

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// encoder writes one value.
type encoder struct {
	m      *module
	c      call.Call
	buf    []byte
	indent string
	sort   bool
	open   []*lua.LTable // being written, the innermost last
	path   []string      // keys to the value that is being written
}

// where says which value an error is about.
func (e *encoder) where() string {
	if len(e.path) == 0 {
		return ""
	}
	const most = 8
	path := e.path
	if len(path) > most {
		path = append(append([]string{}, path[:most]...), "...")
	}
	return "at " + strings.Join(path, "") + ": "
}

func (e *encoder) value(v lua.LValue, depth int) error {
	e.c.Spend(stepsPerValue)
	e.c.Bound(len(e.buf))
	switch v := v.(type) {
	case *lua.LNilType:
		e.buf = append(e.buf, "null"...)
	case lua.LBool:
		e.buf = strconv.AppendBool(e.buf, bool(v))
	case lua.LNumber:
		return e.number(float64(v))
	case lua.LString:
		return e.text(string(v))
	case *lua.LTable:
		return e.table(v, depth)
	case *lua.LUserData:
		return e.userdata(v, depth)
	default:
		return fmt.Errorf("a %s has no form in JSON", v.Type())
	}
	return nil
}

func (e *encoder) number(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%s has no form in JSON", strlib.NumberString(f))
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		e.buf = strconv.AppendInt(e.buf, int64(f), 10)
		return nil
	}
	e.buf = strconv.AppendFloat(e.buf, f, 'g', -1, 64)
	return nil
}

// text writes a string. The bound is asked before, because each byte may take
// six.
func (e *encoder) text(s string) error {
	e.c.Spend(len(s))
	e.c.Bound(len(e.buf) + len(s) + 2)
	const hex = "0123456789abcdef"
	e.buf = append(e.buf, '"')
	for i := 0; i < len(s); {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return fmt.Errorf("text is not UTF-8 at byte %d; encode bytes by base64", i+1)
			}
			e.buf = append(e.buf, s[i:i+n]...)
			i += n
			continue
		}
		switch {
		case b == '"' || b == '\\':
			e.buf = append(e.buf, '\\', b)
		case b == '\n':
			e.buf = append(e.buf, '\\', 'n')
		case b == '\r':
			e.buf = append(e.buf, '\\', 'r')
		case b == '\t':
			e.buf = append(e.buf, '\\', 't')
		case b < 0x20 || b == 0x7f:
			e.buf = append(e.buf, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		default:
			e.buf = append(e.buf, b)
		}
		i++
	}
	e.buf = append(e.buf, '"')
	return nil
}

// table writes a list or an object.
func (e *encoder) table(t *lua.LTable, depth int) error {
	switch {
	case slices.Contains(e.open, t):
		return errors.New("the table contains itself")
	case depth == MaxDepth:
		return fmt.Errorf("tables nest at most %d deep", MaxDepth)
	}
	e.open = append(e.open, t)
	var err error
	if n, ok := e.length(t); ok {
		err = e.list(n, depth, func(i int) error { return e.value(t.RawGetInt(i), depth+1) })
	} else {
		var keys []field
		if keys, err = e.keys(t); err == nil {
			err = e.object(keys, depth, func(f field) error { return e.value(t.RawGet(f.key), depth+1) })
		}
	}
	e.open = e.open[:len(e.open)-1]
	return err
}

// length says how long a list is, if the table is one: it has no other keys than
// positive whole numbers, and no more of them are missing than there.
func (e *encoder) length(t *lua.LTable) (n int, ok bool) {
	count, most := 0, 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if count++; count&63 == 0 {
			e.c.Spend(64 * 8)
		}
		i, isNumber := k.(lua.LNumber)
		if !isNumber || i < 1 || i != lua.LNumber(math.Trunc(float64(i))) || i > math.MaxInt32 {
			return 0, false
		}
		most = max(most, int(i))
	}
	if count == 0 {
		return 0, t.Metatable == lua.LValue(e.m.list)
	}
	return most, most <= 2*count
}

// field is a key of an object with its text.
type field struct {
	key  lua.LValue
	name string
}

// keys lists the keys of an object, in the order in which they came or sorted.
func (e *encoder) keys(t *lua.LTable) ([]field, error) {
	var list []field
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		e.c.Spend(stepsPerValue)
		switch k := k.(type) {
		case lua.LString:
			list = append(list, field{k, string(k)})
		case lua.LNumber:
			list = append(list, field{k, strlib.NumberString(float64(k))})
		default:
			return nil, fmt.Errorf("a key is text or a number, not a %s", k.Type())
		}
	}
	if e.sort {
		e.c.Spend(len(list) * stepsPerValue)
		sort.SliceStable(list, func(i, j int) bool { return list[i].name < list[j].name })
	}
	return list, nil
}

func (e *encoder) list(n, depth int, item func(i int) error) error {
	e.buf = append(e.buf, '[')
	for i := 1; i <= n; i++ {
		e.separate(i == 1, depth+1)
		e.path = append(e.path, "["+strconv.Itoa(i)+"]")
		if err := item(i); err != nil {
			return err
		}
		e.path = e.path[:len(e.path)-1]
	}
	e.end(n == 0, depth, ']')
	return nil
}

func (e *encoder) object(fields []field, depth int, member func(field) error) error {
	e.buf = append(e.buf, '{')
	for i, f := range fields {
		e.separate(i == 0, depth+1)
		e.path = append(e.path, "."+f.name[:min(len(f.name), 40)])
		if err := e.text(f.name); err != nil {
			return fmt.Errorf("key: %w", err)
		}
		e.buf = append(e.buf, ':')
		if e.indent != "" {
			e.buf = append(e.buf, ' ')
		}
		if err := member(f); err != nil {
			return err
		}
		e.path = e.path[:len(e.path)-1]
	}
	e.end(len(fields) == 0, depth, '}')
	return nil
}

// separate stands before each member.
func (e *encoder) separate(first bool, depth int) {
	if !first {
		e.buf = append(e.buf, ',')
	}
	e.line(depth)
}

func (e *encoder) end(empty bool, depth int, bracket byte) {
	if !empty {
		e.line(depth)
	}
	e.buf = append(e.buf, bracket)
}

func (e *encoder) line(depth int) {
	if e.indent == "" {
		return
	}
	e.buf = append(e.buf, '\n')
	for range depth {
		e.buf = append(e.buf, e.indent...)
	}
}

// userdata writes null, a record, or what else stands for plain data.
func (e *encoder) userdata(ud *lua.LUserData, depth int) error {
	if _, null := ud.Value.(Null); null {
		e.buf = append(e.buf, "null"...)
		return nil
	}
	if e.m.cfg.Plain == nil {
		return errors.New("a userdata has no form in JSON")
	}
	v, err := e.m.cfg.Plain(ud)
	if err != nil {
		return err
	}
	return e.plain(v, depth)
}

// plain writes plain data as [event.KV] says.
func (e *encoder) plain(v any, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("tables nest at most %d deep", MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return e.value(lua.LNil, depth)
	case bool:
		return e.value(lua.LBool(v), depth)
	case float64:
		return e.value(lua.LNumber(v), depth)
	case string:
		return e.value(lua.LString(v), depth)
	case []any:
		return e.list(len(v), depth, func(i int) error { return e.plain(v[i-1], depth+1) })
	case []event.KV:
		fields := make([]field, len(v))
		values := make(map[string]any, len(v))
		for i, kv := range v {
			fields[i], values[kv.Key] = field{name: kv.Key}, kv.Value
		}
		if e.sort {
			sort.SliceStable(fields, func(i, j int) bool { return fields[i].name < fields[j].name })
		}
		return e.object(fields, depth, func(f field) error { return e.plain(values[f.name], depth+1) })
	case event.Kept:
		return fmt.Errorf("%s has no form in JSON; write the fields you need", v.Label())
	}
	return fmt.Errorf("%T has no form in JSON", v)
}
