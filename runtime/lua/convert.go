package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
)

// fromRecord returns a value of a record as Lua has it; a table by reference.
func (in *instance) fromRecord(v record.Value) glua.LValue {
	switch v.Kind() {
	case record.KindBool:
		b, _ := v.AsBool()
		return glua.LBool(b)
	case record.KindNumber:
		f, _ := v.AsNumber()
		return in.values.Number(f)
	case record.KindString:
		s, _ := v.AsString()
		return glua.LString(s)
	case record.KindTable:
		t, _ := v.AsTable()
		return in.recordOf(t)
	}
	return glua.LNil
}

// scalar returns nil, a boolean, a number or a string as a record's value.
func scalar(v glua.LValue) (record.Value, error) {
	switch v := v.(type) {
	case *glua.LNilType:
		return record.Value{}, nil
	case glua.LBool:
		return record.Bool(bool(v)), nil
	case glua.LNumber:
		return record.Number(float64(v)), nil
	case glua.LString:
		return record.String(string(v)), nil
	}
	return record.Value{}, fmt.Errorf("a record's key is text, a number, true or false, not %s", describe(v))
}

// builder makes a record's table: [record.Root.Build] or record.BuildFrozen.
type builder func(id any, fill func(*record.Builder) error) (record.Value, error)

// toRecord returns a value for a place below root. A Lua table is copied, one of
// a record is copied when it is stored.
func (in *instance) toRecord(root *record.Root, v glua.LValue) (record.Value, error) {
	return in.convert(root.Name(), v, root.Build)
}

func (in *instance) convert(name string, v glua.LValue, build builder) (record.Value, error) {
	if t, ok := v.(*glua.LTable); ok {
		return build(t, func(b *record.Builder) error { return in.fill(name, b, t) })
	}
	return in.leaf(name, v)
}

// leaf converts what is no Lua table.
func (in *instance) leaf(name string, v glua.LValue) (record.Value, error) {
	if r, ok := valueOf[*recordValue](v); ok {
		return record.FromTable(r.t), nil
	}
	val, err := scalar(v)
	if err != nil {
		hint := ""
		if ob, ok := valueOf[*object](v); ok && ob.typ.Info.Kept {
			hint = ": keep its id"
		}
		return val, fmt.Errorf("%s holds plain data, not %s%s", name, describe(v), hint)
	}
	return val, nil
}

// fill copies the pairs of a table.
func (in *instance) fill(name string, b *record.Builder, t *glua.LTable) error {
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		key, err := scalar(k)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if sub, ok := v.(*glua.LTable); ok {
			err = b.Table(key, sub, func(b *record.Builder) error { return in.fill(name, b, sub) })
		} else {
			var val record.Value
			if val, err = in.leaf(name, v); err == nil {
				err = b.Set(key, val)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plainOf copies a record's table for a log line or an alert.
func plainOf(t *record.Table) any {
	var list []any
	var fields []event.KV
	for k, v := range t.All() {
		item := plainValue(v)
		if n, ok := k.AsNumber(); ok && fields == nil && n == float64(len(list)+1) {
			list = append(list, item)
			continue
		}
		for i, earlier := range list {
			fields = append(fields, event.KV{Key: glua.LNumber(i + 1).String(), Value: earlier})
		}
		list = nil
		key, ok := k.AsString()
		if !ok {
			key = k.String()
		}
		fields = append(fields, event.KV{Key: key, Value: item})
	}
	if list != nil {
		return list
	}
	if fields == nil {
		fields = []event.KV{}
	}
	return fields
}

func plainValue(v record.Value) any {
	switch v.Kind() {
	case record.KindBool:
		b, _ := v.AsBool()
		return b
	case record.KindNumber:
		f, _ := v.AsNumber()
		return f
	case record.KindString:
		s, _ := v.AsString()
		return s
	case record.KindTable:
		t, _ := v.AsTable()
		return plainOf(t)
	}
	return nil
}
