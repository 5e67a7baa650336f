// Package metrics writes counters in the text format that Prometheus reads
// (version 0.0.4): families with a help line and a type, samples with labels.
//
// A Writer belongs to one goroutine.
package metrics

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// ContentType is what the text is sent as.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Writer collects the text.
type Writer struct{ buf bytes.Buffer }

// Label is a name and a value that tell one sample of a family from another.
type Label struct{ Name, Value string }

// Kind is the type of a family.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// What stands in help lines and labels is escaped; a Replacer is safe for all goroutines.
var (
	helpText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// Family begins a family; its samples follow before the next one.
func (w *Writer) Family(name string, kind Kind, help string) {
	help = helpText.Replace(help)
	fmt.Fprintf(&w.buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Sample writes one value.
func (w *Writer) Sample(name string, value float64, labels ...Label) {
	w.buf.WriteString(name)
	for i, l := range labels {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		w.buf.WriteByte(sep)
		w.buf.WriteString(l.Name)
		w.buf.WriteString(`="`)
		w.buf.WriteString(labelText.Replace(strings.ToValidUTF8(l.Value, "\uFFFD")))
		w.buf.WriteByte('"')
	}
	if len(labels) > 0 {
		w.buf.WriteByte('}')
	}
	w.buf.WriteByte(' ')
	w.buf.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	w.buf.WriteByte('\n')
}

// One is a family of one sample.
func (w *Writer) One(name string, kind Kind, help string, value float64) {
	w.Family(name, kind, help)
	w.Sample(name, value)
}

// Seconds writes a histogram of durations: counts[i] samples of up to bounds[i]
// nanoseconds and more than the bound before, the last without a bound; sum is
// that of all, in nanoseconds. The family was begun under name.
func (w *Writer) Seconds(name string, bounds []int64, counts []uint64, sum uint64, labels ...Label) {
	var n uint64
	for i, c := range counts {
		n += c
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(float64(bounds[i])/1e9, 'g', -1, 64)
		}
		w.Sample(name+"_bucket", float64(n), append(labels[:len(labels):len(labels)], Label{"le", le})...)
	}
	w.Sample(name+"_sum", float64(sum)/1e9, labels...)
	w.Sample(name+"_count", float64(n), labels...)
}

// Counts writes each number of a struct of counters as a family of its own, named
// for its field: BadSYNs is prefix_bad_syns. Fields that are unsigned are counters
// and end in _total, signed ones are gauges; structs inside, embedded or not, are
// written too, those not embedded behind their name. A field whose tag says metrics:"-"
// is left out.
func (w *Writer) Counts(prefix, help string, counters any) {
	w.counts(prefix, help, reflect.ValueOf(counters))
}

func (w *Writer) counts(prefix, help string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("metrics") == "-" {
			continue
		}
		name := prefix + "_" + snake(f.Name)
		switch value := v.Field(i); {
		case value.CanUint():
			w.One(name+"_total", Counter, help+": "+f.Name, float64(value.Uint()))
		case value.CanInt():
			w.One(name, Gauge, help+": "+f.Name, float64(value.Int()))
		case value.Kind() == reflect.Struct && f.Anonymous:
			w.counts(prefix, help, value)
		case value.Kind() == reflect.Struct:
			w.counts(name, help, value)
		}
	}
}

// snake writes a Go name with underscores: a run of capitals is one word.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := i > 0 && unicode.IsUpper(r) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]) && runes[i+1] != 's')
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// WriteTo writes what was collected.
func (w *Writer) WriteTo(to io.Writer) (int64, error) {
	n, err := w.buf.WriteTo(to)
	if err != nil {
		return n, fmt.Errorf("metrics: write: %w", err)
	}
	return n, nil
}
