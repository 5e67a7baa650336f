package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// DecodeJSON makes a live root from what AppendJSON wrote, within limits. Keys
// that come twice, unknown "$" forms and anything after the object are errors.
func DecodeJSON(name string, limits *Limits, data []byte) (*Root, error) {
	r := NewRoot(name, limits)
	err := decode(r, data, func(d *decoder, b *Builder) error {
		d.marks = true
		version, err := d.header()
		if err != nil {
			return err
		}
		r.version = version
		if err := d.top(b); err != nil {
			return err
		}
		return d.expect(json.Delim('}'))
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ParseData makes a frozen root from any JSON text whose outermost value is an
// object or an array, as written by people: "$" means nothing, null means the
// key is not there. The error names the line.
func ParseData(name string, limits *Limits, data []byte) (*Root, error) {
	r := NewRoot(name, limits)
	err := decode(r, data, func(d *decoder, b *Builder) error { return d.top(b) })
	if err != nil {
		return nil, err
	}
	r.Freeze()
	return r, nil
}

// decoder turns JSON tokens into pairs for a Builder.
type decoder struct {
	dec   *json.Decoder
	marks bool // "$" forms have a meaning
}

func decode(r *Root, data []byte, run func(*decoder, *Builder) error) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("record: decode %s: not UTF-8", r.name)
	}
	d := decoder{dec: json.NewDecoder(bytes.NewReader(data))}
	left := r.limits.Total - tableCost
	b := Builder{t: &r.top, purse: &purse{left: left, limit: r.limits.Total, reason: Full}}
	err := run(&d, &b)
	if err == nil {
		if _, end := d.dec.Token(); end != io.EOF {
			err = errors.New("something follows the end")
		}
	}
	if err != nil {
		at := min(int(d.dec.InputOffset()), len(data))
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		return &SyntaxError{Name: r.name, Line: line, Err: err}
	}
	return nil
}

// header reads up to the value of "data".
func (d *decoder) header() (version int, err error) {
	for _, want := range []json.Token{json.Delim('{'), "v", 1.0, "version"} {
		if err := d.expect(want); err != nil {
			return 0, err
		}
	}
	tok, err := d.token()
	if err != nil {
		return 0, err
	}
	f, ok := tok.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<31 {
		return 0, errors.New("version is not an integer")
	}
	return int(f), d.expect("data")
}

func (d *decoder) token() (json.Token, error) {
	tok, err := d.dec.Token()
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return tok, err
}

func (d *decoder) expect(want json.Token) error {
	got, err := d.token()
	if err == nil && got != want {
		err = fmt.Errorf("expected %v, found %v", want, got)
	}
	return err
}

// top reads the outermost table into b.
func (d *decoder) top(b *Builder) error {
	tok, err := d.token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('['):
		return d.list(b)
	case json.Delim('{'):
		first, err := d.token()
		if err != nil || first == json.Delim('}') {
			return err
		}
		return d.object(b, first.(string))
	}
	return errors.New("the outermost value is not an object or an array")
}

// value reads one value and stores it under key.
func (d *decoder) value(b *Builder, key Value) error {
	tok, err := d.token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('['):
		return b.Table(key, nil, d.list)
	case json.Delim('{'):
		return d.braced(b, key)
	}
	return b.Set(key, scalar(tok))
}

// braced reads what a brace opened: a table, or a scalar that JSON lacks.
func (d *decoder) braced(b *Builder, key Value) error {
	first, err := d.token()
	if err != nil {
		return err
	}
	if first == json.Delim('}') {
		return b.Table(key, nil, func(*Builder) error { return nil })
	}
	if name := first.(string); !d.marks || name != "$number" && name != "$bytes" {
		return b.Table(key, nil, func(sub *Builder) error { return d.object(sub, name) })
	}
	v, err := d.marked(first.(string))
	if err != nil {
		return err
	}
	return b.Set(key, v)
}

// object reads members up to the closing brace; the first key was read.
func (d *decoder) object(b *Builder, key string) error {
	if d.marks && strings.HasPrefix(key, "$") {
		return d.mixed(b, key)
	}
	for {
		k := String(key)
		if b.t.st.has(k) {
			return fmt.Errorf("key %s comes twice", k)
		}
		if d.marks && strings.HasPrefix(key, "$") {
			return fmt.Errorf("key %s among others", k)
		}
		if err := d.value(b, k); err != nil {
			return err
		}
		tok, err := d.token()
		if err != nil || tok == json.Delim('}') {
			return err
		}
		key = tok.(string)
	}
}

// list reads elements up to the closing bracket into the array part.
func (d *decoder) list(b *Builder) error {
	for i := 1; d.dec.More(); i++ {
		before := b.t.st.bytes
		if err := d.value(b, intKey(i)); err != nil {
			return err
		}
		if b.t.st.bytes == before { // null
			if err := b.spend(slotCost); err != nil {
				return err
			}
			b.t.st.appendSlot(Value{})
			b.t.charge(slotCost)
		}
	}
	before := b.t.st.bytes
	b.t.st.trim()
	b.t.charge(b.t.st.bytes - before)
	return d.expect(json.Delim(']'))
}

// mixed reads {"$list":[...],"$pairs":[...]}; the first key was read.
func (d *decoder) mixed(b *Builder, key string) error {
	if key == "$list" {
		if err := d.expect(json.Delim('[')); err != nil {
			return err
		}
		if err := d.list(b); err != nil {
			return err
		}
		tok, err := d.token()
		if err != nil || tok == json.Delim('}') {
			return err
		}
		key = tok.(string)
	}
	if key != "$pairs" {
		return fmt.Errorf("unknown form %s", quote(key))
	}
	if err := d.expect(json.Delim('[')); err != nil {
		return err
	}
	for d.dec.More() {
		if err := d.pair(b); err != nil {
			return err
		}
	}
	if err := d.expect(json.Delim(']')); err != nil {
		return err
	}
	return d.expect(json.Delim('}'))
}

func (d *decoder) pair(b *Builder) error {
	if err := d.expect(json.Delim('[')); err != nil {
		return err
	}
	key, err := d.key()
	if err != nil {
		return err
	}
	if k, ok := readable(key); ok && b.t.st.has(k) {
		return fmt.Errorf("key %s comes twice", key)
	}
	if err := d.value(b, key); err != nil {
		return err
	}
	return d.expect(json.Delim(']'))
}

// key reads a scalar that may be a key.
func (d *decoder) key() (Value, error) {
	tok, err := d.token()
	if err != nil {
		return Value{}, err
	}
	if tok != json.Delim('{') {
		return scalar(tok), nil
	}
	form, err := d.token()
	if err != nil {
		return Value{}, err
	}
	name, _ := form.(string)
	return d.marked(name)
}

// marked reads the rest of {"$number":"nan"} or {"$bytes":"..."}.
func (d *decoder) marked(form string) (Value, error) {
	tok, err := d.token()
	if err != nil {
		return Value{}, err
	}
	text, ok := tok.(string)
	if !ok {
		return Value{}, fmt.Errorf("%s takes a string", quote(form))
	}
	var v Value
	switch {
	case form == "$number" && text == "nan":
		v = Number(math.NaN())
	case form == "$number" && text == "inf":
		v = Number(math.Inf(1))
	case form == "$number" && text == "-inf":
		v = Number(math.Inf(-1))
	case form == "$bytes":
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return Value{}, err
		}
		v = String(string(raw))
	default:
		return Value{}, fmt.Errorf("unknown form %s %s", quote(form), quote(text))
	}
	return v, d.expect(json.Delim('}'))
}

// scalar makes a value of a token that is no delimiter; null is nil.
func scalar(tok json.Token) Value {
	switch x := tok.(type) {
	case bool:
		return Bool(x)
	case float64:
		return Number(x)
	case string:
		return String(x)
	}
	return Value{}
}
