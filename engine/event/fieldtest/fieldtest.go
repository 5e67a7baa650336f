// Package fieldtest compares the fields of objects with values that scripts write:
// { proto = "udp", server = { port = 53 } }, where a list means any of its values and
// a word holds of a list that contains it.
//
// Everything here is pure; what it returns may be called by whoever may read the
// objects.
package fieldtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// Reader knows a family's objects, and how its addresses are written.
type Reader struct {
	Family *event.Family
	// Endpoint and IP read a value as the objects have it; by default as package plain does.
	Endpoint func(dst *netip.AddrPort, value any) error
	IP       func(dst *netip.Addr, value any) error
}

// test compares one field of an object, which is reached through others.
type test struct {
	path []*event.Field
	is   func(object any) bool
}

func (t *test) holds(object any) bool {
	for _, f := range t.path {
		object = f.Get.Object(object)
	}
	return t.is(object)
}

// Compile returns what tells whether an object of that name has all the values.
func (r Reader) Compile(object string, fields []event.KV) (func(object any) bool, error) {
	if r.Endpoint == nil {
		r.Endpoint = plain.SetEndpoint
	}
	if r.IP == nil {
		r.IP = plain.SetIP
	}
	tests, err := r.fields(r.object(object), nil, fields, nil)
	if err != nil {
		return nil, err
	}
	return func(object any) bool {
		for i := range tests {
			if !tests[i].holds(object) {
				return false
			}
		}
		return true
	}, nil
}

// object returns the catalogue row of one of the family's objects.
func (r Reader) object(name string) *event.Object {
	i := slices.IndexFunc(r.Family.Objects, func(o *event.Object) bool { return o.Name == name })
	return r.Family.Objects[i]
}

// fields adds the tests of a table of fields of o, which path leads to. A key may be
// a path itself: client.ip.
func (r Reader) fields(o *event.Object, path []*event.Field, fields []event.KV, tests []test) ([]test, error) {
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
			tests, err = r.fields(r.object(f.Type.Object), append(to, f), inner, tests)
		} else {
			var is func(any) bool
			is, err = r.value(f, value)
			tests = append(tests, test{to, is})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", first, err)
		}
	}
	return tests, nil
}

// value returns whether a field has the value, or one of a list of values.
func (r Reader) value(f *event.Field, value any) (func(object any) bool, error) {
	list, ok := value.([]any)
	if !ok {
		return r.single(f, value)
	}
	var each []func(object any) bool
	for _, v := range list {
		is, err := r.single(f, v)
		if err != nil {
			return nil, err
		}
		each = append(each, is)
	}
	return func(o any) bool {
		return slices.ContainsFunc(each, func(is func(any) bool) bool { return is(o) })
	}, nil
}

// single returns whether a field has the value.
func (r Reader) single(f *event.Field, value any) (func(object any) bool, error) {
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
		return equal(f, get.IP, value, r.IP)
	case event.Endpoint:
		return equal(f, get.Endpoint, value, r.Endpoint)
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
