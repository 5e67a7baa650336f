package lua

import (
	"fmt"
	"math"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/plain"
)

// str reads a text.
func (f *fields) str(key string) string {
	switch v := f.get(key).(type) {
	case glua.LString:
		return string(v)
	case *glua.LNilType:
		return ""
	}
	f.wrong(key, "text")
	return ""
}

// strs reads a list of texts; a single one is a list of one.
func (f *fields) strs(key string) []string {
	switch v := f.get(key).(type) {
	case *glua.LNilType:
		return nil
	case glua.LString:
		return []string{string(v)}
	case *glua.LTable:
		var list []string
		for k, item := v.Next(glua.LNil); k != glua.LNil; k, item = v.Next(k) {
			s, ok := item.(glua.LString)
			if !ok || k != glua.LNumber(len(list)+1) {
				f.report(key, key+": a list of texts expected", "")
				return nil
			}
			list = append(list, string(s))
		}
		return list
	}
	f.wrong(key, "a list of texts")
	return nil
}

// word reads one of some words.
func (f *fields) oneOf(key string, words ...string) string {
	s := f.str(key)
	if s == "" || contains(words, s) {
		return s
	}
	hint := nearest(s, words)
	if hint == "" {
		hint = "it is " + strings.Join(words, ", ")
	}
	f.report(key, fmt.Sprintf("%s: unknown word %q", key, s), hint)
	return ""
}

// integer reads a whole number between least and most.
func (f *fields) integer(key string, least, most int64) int64 {
	switch v := f.get(key).(type) {
	case *glua.LNilType:
		return 0
	case glua.LNumber:
		n, err := plain.Integer(float64(v), least, most)
		if err != nil {
			f.report(key, key+": "+err.Error(), "")
			return 0
		}
		return n
	}
	f.wrong(key, "a whole number")
	return 0
}

// boolean reads true or false; def where there is neither.
func (f *fields) boolean(key string, def bool) bool {
	switch v := f.get(key).(type) {
	case *glua.LNilType:
		return def
	case glua.LBool:
		return bool(v)
	}
	f.wrong(key, "true or false")
	return def
}

// duration reads a positive time: "10s", or a number of seconds.
func (f *fields) duration(key string) time.Duration {
	if !f.has(key) {
		return 0
	}
	d, err := durationOf(f.get(key))
	switch {
	case err != nil:
		f.report(key, key+": "+err.Error(), "")
		return 0
	case d <= 0:
		f.report(key, key+": a time is more than 0", "")
		return 0
	}
	return d
}

// durationOf reads "10s" or a number of seconds.
func durationOf(v glua.LValue) (time.Duration, error) {
	switch v := v.(type) {
	case glua.LString:
		return plain.Duration(string(v))
	case glua.LNumber:
		return plain.Seconds(float64(v))
	}
	return 0, fmt.Errorf("duration such as \"10s\" expected, got %s", describe(v))
}

// size reads a number of bytes: 512, "64KiB".
func (f *fields) size(key string) int {
	var n int64
	var err error
	switch v := f.get(key).(type) {
	case *glua.LNilType:
		return 0
	case glua.LString:
		n, err = plain.Size(string(v))
	case glua.LNumber:
		n, err = plain.Integer(float64(v), 1, math.MaxInt32)
	default:
		f.wrong(key, `size such as "64KiB"`)
		return 0
	}
	if err == nil && (n < 1 || n > math.MaxInt32) {
		err = fmt.Errorf("a size from 1 byte to 2 GiB expected, got %d", n)
	}
	if err != nil {
		f.report(key, key+": "+err.Error(), "")
		return 0
	}
	return int(n)
}

// fn reads a function.
func (f *fields) fn(key string) engine.FuncID {
	switch v := f.get(key).(type) {
	case *glua.LNilType:
		return 0
	case *glua.LFunction:
		return f.d.in.keep(f.d.serial+f.title+"."+key, v)
	}
	f.wrong(key, "a function")
	return 0
}

// point reads one hook point.
func (f *fields) point(key string, v glua.LValue, line int) (engine.PointRef, bool) {
	p, ok := valueOf[*point](v)
	if ok {
		return engine.PointRef{Name: p.name, Line: line}, true
	}
	hint := "as in " + key + " = flow.conn_start"
	if s, isText := v.(glua.LString); isText && strings.Contains(string(s), ".") {
		hint = "write it without quotes: " + string(s)
	}
	if fam, isFamily := valueOf[*family](v); isFamily {
		hint = "name one of its hook points: " + fam.name + ".…"
	}
	f.d.report(remark{
		msg:  fmt.Sprintf("%s: %s: a hook point expected, got %s", f.title, key, describe(v)),
		hint: hint, word: key, line: line,
	})
	return engine.PointRef{}, false
}

// points reads a hook point or a list of them.
func (f *fields) points(key string) []engine.PointRef {
	t, isList := f.get(key).(*glua.LTable)
	if !isList {
		if ref, ok := f.point(key, f.get(key), f.at(key)); ok {
			return []engine.PointRef{ref}
		}
		return nil
	}
	var list []engine.PointRef
	node := tableOf(fieldOf(f.node, key))
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		if k != glua.LNumber(len(list)+1) {
			f.report(key, key+": a list of hook points has no names and no holes", "")
			return nil
		}
		ref, ok := f.point(key, v, lineOfField(elementOf(node, len(list)+1), f.at(key)))
		if !ok {
			return nil
		}
		list = append(list, ref)
	}
	if len(list) == 0 {
		f.report(key, key+": the list is empty", "")
	}
	return list
}

// verdict reads a verdict.
func (f *fields) verdict(key string) *engine.VerdictDecl {
	v := f.get(key)
	if v == glua.LNil {
		return nil
	}
	vd, ok := verdictOf(v)
	switch {
	case !ok:
		hint := "as in " + key + " = flow.cut"
		if s, isText := v.(glua.LString); isText && strings.Contains(string(s), ".") {
			hint = "write it without quotes: " + string(s)
		}
		f.report(key, fmt.Sprintf("%s: a verdict expected, got %s", key, describe(v)), hint)
		return nil
	case !vd.called:
		f.report(key, fmt.Sprintf("%s: %s has arguments", key, vd), "write "+vd.String()+"(…)")
		return nil
	}
	return &engine.VerdictDecl{Decision: vd.decision(), Line: f.at(key)}
}
