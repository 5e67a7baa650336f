package flow

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/plain"
)

// fieldTest compares one field of an object, which is reached from the connection through others.
type fieldTest struct {
	path []*event.Field
	is   func(object any) bool
}

// holds decides about a connection.
func (t *fieldTest) holds(c flowev.Conn) bool {
	var object any = c
	for _, f := range t.path {
		object = f.Get.Object(object)
	}
	return t.is(object)
}

// objectNamed returns the catalogue row of one of the family's objects.
func objectNamed(name string) *event.Object {
	i := slices.IndexFunc(flowev.Family.Objects, func(o *event.Object) bool { return o.Name == name })
	return flowev.Family.Objects[i]
}

// compileFields adds the tests of a table of fields of o, which path leads to. A key may be a path
// itself: client.ip.
func compileFields(o *event.Object, path []*event.Field, fields []event.KV, tests []fieldTest) ([]fieldTest, error) {
	for _, kv := range fields {
		at, to := o, path[:len(path):len(path)]
		first, rest, dotted := strings.Cut(kv.Key, ".")
		value := kv.Value
		if dotted {
			value = []event.KV{{Key: rest, Value: kv.Value}}
		}
		f := at.Field(first)
		if f == nil {
			return nil, fmt.Errorf("%s has no field %s", at.Name, plain.Describe(first))
		}
		var err error
		if inner, ok := value.([]event.KV); ok && f.Type.Kind == event.ObjectRef {
			tests, err = compileFields(objectNamed(f.Type.Object), append(to, f), inner, tests)
		} else {
			var is func(any) bool
			is, err = compileValue(f, value)
			tests = append(tests, fieldTest{to, is})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", first, err)
		}
	}
	return tests, nil
}

// compileValue returns whether a field has the value, or one of a list of values.
func compileValue(f *event.Field, value any) (func(object any) bool, error) {
	list, ok := value.([]any)
	if !ok {
		return compileEqual(f, value)
	}
	var each []func(object any) bool
	for _, v := range list {
		is, err := compileEqual(f, v)
		if err != nil {
			return nil, err
		}
		each = append(each, is)
	}
	return func(o any) bool {
		return slices.ContainsFunc(each, func(is func(any) bool) bool { return is(o) })
	}, nil
}

// compileEqual returns whether a field has the value.
func compileEqual(f *event.Field, value any) (func(object any) bool, error) {
	get := &f.Get
	switch f.Type.Kind {
	case event.Bool:
		return equal(f, get.Bool, value, plain.SetBool)
	case event.Uint:
		return equal(f, get.Uint, value, plain.SetUint[uint64])
	case event.Enum:
		return equal(f, get.Uint, value, func(dst *uint64, value any) error {
			var word uint8
			err := plain.SetEnum(&word, value, f.Type.Names)
			*dst = uint64(word)
			return err
		})
	case event.Int:
		return equal(f, get.Int, value, plain.SetInt)
	case event.Time: // as scripts see it, which have no numbers for single nanoseconds
		return equal(f, func(o any) float64 { return float64(get.Int(o)) / 1e9 }, value, plain.SetFloat)
	case event.Duration:
		return equal(f, get.Int, value, func(dst *int64, value any) error { return plain.SetDuration((*time.Duration)(dst), value) })
	case event.String:
		return equal(f, get.String, value, plain.SetString)
	case event.IP:
		return equal(f, get.IP, value, setIP)
	case event.Endpoint:
		return equal(f, get.Endpoint, value, func(dst *netip.AddrPort, value any) error { return setEnd(dst, value, false) })
	case event.Strings:
		var word string
		err := plain.SetString(&word, value)
		return func(o any) bool { return slices.Contains(get.Strings(o), word) }, err
	case event.ObjectRef:
		return nil, fmt.Errorf("a table of its fields expected, got %s", plain.Describe(value))
	}
	return nil, errors.New("this field cannot be compared")
}

// equal returns whether what get reads of a field is the value as set understands it.
func equal[T comparable](f *event.Field, get func(any) T, value any, set func(*T, any) error) (func(object any) bool, error) {
	var want T
	if err := set(&want, value); err != nil {
		return nil, err
	}
	if present := f.Get.Present; present != nil {
		return func(o any) bool { return present(o) && get(o) == want }, nil
	}
	return func(o any) bool { return get(o) == want }, nil
}

// setIP stores an address as packets have it.
func setIP(dst *netip.Addr, value any) error {
	if err := plain.SetIP(dst, value); err != nil {
		return err
	}
	*dst = wireForm(*dst)
	return nil
}
