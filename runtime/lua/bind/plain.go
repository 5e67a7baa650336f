package bind

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// Limits of plain data that is copied out of Lua.
const (
	// MaxDepth is how deep tables may nest.
	MaxDepth = 8
	// MaxBytes is how much a value may hold: its strings and keys, and 8 bytes a
	// number, boolean or table.
	MaxBytes = 64 << 10
)

// Plain copies a Lua value out as plain data: nil, bool, float64, string,
// event.Kept, []any for a table with the keys 1 to n, []event.KV for any other,
// in the order in which the table was filled. The error says what cannot be
// copied or which limit was passed.
func Plain(h Host, v lua.LValue) (any, error) {
	p := plainer{h: h, left: MaxBytes}
	return p.value(v, 0)
}

// plainer copies one value.
type plainer struct {
	h    Host
	left int
}

func (p *plainer) take(n int) error {
	p.left -= n
	if p.left < 0 {
		return fmt.Errorf("plain data is limited to %d KiB", MaxBytes>>10)
	}
	return nil
}

func (p *plainer) value(v lua.LValue, depth int) (any, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), p.take(8)
	case lua.LNumber:
		return float64(v), p.take(8)
	case lua.LString:
		return string(v), p.take(len(v))
	case *lua.LUserData:
		return p.h.Plain(v)
	case *lua.LTable:
		if depth == MaxDepth {
			return nil, fmt.Errorf("plain data is limited to tables nested %d deep", MaxDepth)
		}
		if err := p.take(8); err != nil {
			return nil, err
		}
		return p.table(v, depth+1)
	default:
		return nil, fmt.Errorf("plain data expected, got a %s", v.Type())
	}
}

// table copies a list or fields; which one shows when a key breaks the sequence.
func (p *plainer) table(t *lua.LTable, depth int) (any, error) {
	var list []any
	var fields []event.KV
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		item, err := p.value(v, depth)
		if err != nil {
			return nil, err
		}
		if fields == nil && k == lua.LNumber(len(list)+1) {
			list = append(list, item)
			continue
		}
		for i, earlier := range list {
			fields = append(fields, event.KV{Key: lua.LNumber(i + 1).String(), Value: earlier})
		}
		list = nil
		key, err := p.key(k)
		if err != nil {
			return nil, err
		}
		fields = append(fields, event.KV{Key: key, Value: item})
	}
	if list != nil {
		return list, nil
	}
	if fields == nil {
		fields = []event.KV{}
	}
	return fields, nil
}

func (p *plainer) key(k lua.LValue) (string, error) {
	switch k := k.(type) {
	case lua.LString:
		return string(k), p.take(len(k))
	case lua.LNumber:
		return k.String(), p.take(8)
	default:
		return "", fmt.Errorf("plain data has strings and numbers as keys, not a %s", k.Type())
	}
}
