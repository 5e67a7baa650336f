package layers

import (
	"net"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/hookd/hookd/engine/event"
)

// writer turns Go values into plain data, within a limit. gopacket has some 200 kinds of layers, whose
// fields are those of Go structs: they are walked as such.
type writer struct{ left int }

// structure returns the exported fields of the struct that v points to or is, but for what is common to
// all layers.
func (w *writer) structure(v any) []event.KV {
	r := reflect.Indirect(reflect.ValueOf(v))
	if r.Kind() != reflect.Struct {
		return nil
	}
	return w.fields(r, 0)
}

func (w *writer) fields(r reflect.Value, depth int) []event.KV {
	var list []event.KV
	t := r.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "BaseLayer" {
			continue
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			list = append(list, w.fields(r.Field(i), depth)...)
			continue
		}
		if v, ok := w.value(r.Field(i), depth+1); ok {
			list = append(list, event.KV{Key: snake(f.Name), Value: v})
		}
	}
	return list
}

// value turns one value into plain data; ok is false for what cannot be, for nothing, and where the
// limit is reached.
func (w *writer) value(r reflect.Value, depth int) (v any, ok bool) {
	if w.left == 0 || depth > maxDepth {
		return nil, false
	}
	w.left--
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if r.Type() == reflect.TypeFor[time.Duration]() {
			return time.Duration(r.Int()).Seconds(), true
		}
		return float64(r.Int()), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(r.Uint()), true
	case reflect.Float32, reflect.Float64:
		return r.Float(), true
	case reflect.String:
		return clip(r.String()), true
	case reflect.Slice, reflect.Array:
		return w.list(r, depth)
	case reflect.Struct:
		fields := w.fields(r, depth)
		return fields, len(fields) > 0
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return nil, false
		}
		return w.value(r.Elem(), depth)
	}
	return nil, false
}

// list turns a list into one; bytes become a string, addresses text.
func (w *writer) list(r reflect.Value, depth int) (any, bool) {
	n := r.Len()
	if r.Type().Elem() == reflect.TypeFor[byte]() {
		b := make([]byte, min(n, MaxBytes))
		reflect.Copy(reflect.ValueOf(b), r)
		switch {
		case n == 0:
			return "", true
		case r.Type() == reflect.TypeFor[net.IP]() && (n == net.IPv4len || n == net.IPv6len):
			return net.IP(b).String(), true
		case r.Type() == reflect.TypeFor[net.HardwareAddr]() && n <= 8:
			return net.HardwareAddr(b).String(), true
		}
		return string(b), true
	}
	list := []any{}
	for i := range min(n, MaxList) {
		if v, ok := w.value(r.Index(i), depth+1); ok {
			list = append(list, v)
		}
	}
	return list, true
}

// clip cuts a text to its limit.
func clip(s string) string { return s[:min(len(s), MaxBytes)] }

// snake turns a Go name into lower_snake: SrcPort into src_port, HTTPMethod into http_method, SrcMAC
// into src_mac.
func snake(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			afterLower := !unicode.IsUpper(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if (afterLower || beforeLower) && runes[i-1] != '_' {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
