// Package setting is what people set by name, in `settings { … }` and by flags: a table
// of names, each with the place that its value goes to.
//
// A Table is made where it is used, over one configuration, and belongs to one goroutine.
package setting

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event/plain"
)

// ErrNone is returned by [Table.Set] for a name that no setting has.
var ErrNone = errors.New("there is no such setting")

// Value is where a setting's value goes to, as people write and read it.
type Value interface {
	// Set takes a bool, a float64, a string such as "64KiB", "10s" or "true", or a list
	// of strings. It changes nothing where it returns an error.
	Set(value any) error
	// String returns the value as Set takes it.
	String() string
}

// Field is one setting of a Table.
type Field struct {
	Name, Doc string
	Value     Value
	// Limit tells settings that bound something.
	Limit bool
}

// Doc is a setting as it stands.
type Doc struct {
	Name, Value, Doc string
	Limit            bool
}

// Limit is a bound and its default, for the list of limits.
type Limit struct{ Name, Default, Doc string }

// NumberLimit returns the Limit of a number.
func NumberLimit(name string, n int, doc string) Limit { return Limit{name, strconv.Itoa(n), doc} }

// TextLimit returns the Limit of what is written otherwise, such as a time.
func TextLimit(name, value, doc string) Limit { return Limit{name, value, doc} }

// Table lists settings in the order in which they are documented.
type Table []Field

// Docs lists the settings with their values.
func (t Table) Docs() []Doc {
	list := make([]Doc, 0, len(t))
	for _, f := range t {
		list = append(list, Doc{f.Name, f.Value.String(), f.Doc, f.Limit})
	}
	return list
}

// Names lists the names that [Table.Set] knows.
func (t Table) Names() []string {
	names := make([]string, 0, len(t))
	for _, f := range t {
		names = append(names, f.Name)
	}
	return names
}

// Set changes the setting of that name.
func (t Table) Set(name string, value any) error {
	for _, f := range t {
		if f.Name == name {
			return f.Value.Set(value)
		}
	}
	return ErrNone
}

type flag struct {
	dst *bool
	not bool
}

// Flag is a bool, or one of the words true and false.
func Flag(dst *bool) Value { return flag{dst: dst} }

// Not is a Flag whose place says the opposite.
func Not(dst *bool) Value { return flag{dst, true} }

func (f flag) String() string { return strconv.FormatBool(*f.dst != f.not) }

func (f flag) Set(value any) error {
	switch value {
	case "true":
		value = true
	case "false":
		value = false
	}
	var is bool
	if err := plain.SetBool(&is, value); err != nil {
		return err
	}
	*f.dst = is != f.not
	return nil
}

type count struct{ dst *int }

// Count is a whole number of at least 1, or a size such as "64KiB".
func Count(dst *int) Value { return count{dst} }

func (c count) String() string { return strconv.Itoa(*c.dst) }

func (c count) Set(value any) error {
	var n int64
	if err := plain.SetSize(&n, value); err != nil {
		return err
	}
	if n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("a whole number from 1 to %d expected, got %d", math.MaxInt32, n)
	}
	*c.dst = int(n)
	return nil
}

type within struct {
	dst         *time.Duration
	least, most time.Duration
}

// Time is a time within bounds, which belong to it.
func Time(dst *time.Duration, least, most time.Duration) Value { return within{dst, least, most} }

func (w within) String() string { return w.dst.String() }

func (w within) Set(value any) error {
	var d time.Duration
	if err := plain.SetDuration(&d, value); err != nil {
		return err
	}
	if d < w.least || d > w.most {
		return fmt.Errorf("a time from %s to %s expected", w.least, w.most)
	}
	*w.dst = d
	return nil
}
