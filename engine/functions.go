package engine

import (
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Functions returns the bodies of the functions that every script has.
func (e *Engine) Functions() hookdev.Functions { return functions{e} }

type functions struct{ engine *Engine }

// fieldsOf returns the details a script passed. What has no names gets its places
// for names, so that no line is lost for its form.
func fieldsOf(v any) []event.KV {
	switch v := v.(type) {
	case nil:
		return nil
	case []event.KV:
		return v
	case []any:
		list := make([]event.KV, len(v))
		for i, item := range v {
			list[i] = event.KV{Key: strconv.Itoa(i + 1), Value: item}
		}
		return list
	}
	return []event.KV{{Key: "1", Value: v}}
}

// Alert implements [hookdev.Functions].
func (f functions) Alert(c *event.Caller, name string, fields any) error {
	s, ok := f.allow(c, func(k *kept) *lineLimit { return &k.alerts }, f.engine.cfg.Limits.Alerts)
	if !ok {
		return errTooMany
	}
	rec := &AlertRecord{Origin: f.origin(c, s), Name: name, Fields: fieldsOf(fields)}
	if r := s.gen.rule(c.Script, c.Rule); r != nil {
		rec.Severity = r.decl.Severity
	}
	s.alerts++
	s.sink.Alert(rec)
	return nil
}

// LogDebug implements [hookdev.Functions].
func (f functions) LogDebug(c *event.Caller, message string, fields any) error {
	return f.log(c, slog.LevelDebug, message, fields)
}

// LogInfo implements [hookdev.Functions].
func (f functions) LogInfo(c *event.Caller, message string, fields any) error {
	return f.log(c, slog.LevelInfo, message, fields)
}

// LogWarn implements [hookdev.Functions].
func (f functions) LogWarn(c *event.Caller, message string, fields any) error {
	return f.log(c, slog.LevelWarn, message, fields)
}

// LogError implements [hookdev.Functions].
func (f functions) LogError(c *event.Caller, message string, fields any) error {
	return f.log(c, slog.LevelError, message, fields)
}

func (f functions) log(c *event.Caller, level slog.Level, message string, fields any) error {
	s, ok := f.allow(c, func(k *kept) *lineLimit { return &k.lines }, f.engine.cfg.Limits.LogLines)
	if !ok {
		return errTooMany
	}
	s.sink.Log(&LogRecord{Origin: f.origin(c, s), Level: level, Message: message, Fields: fieldsOf(fields)})
	return nil
}

// errTooMany is what a script gets whose lines are dropped.
var errTooMany = errors.New("too many lines in this second")

// allow counts one line or alert of a script against a limit of its own and
// reports whether it may still be written in this second of event time.
func (f functions) allow(c *event.Caller, of func(*kept) *lineLimit, limit int) (*shard, bool) {
	s := f.engine.shards[c.Shard.Index()]
	sc := s.gen.scripts[c.Script]
	if sc == nil {
		return s, true
	}
	return s, of(sc.kept).allow(s.Now(), limit)
}

func (f functions) origin(c *event.Caller, s *shard) Origin {
	o := Origin{TS: s.Now(), Gen: c.Gen, Script: c.Script, Rule: c.Rule, Line: c.At()}
	switch {
	case s.handed == nil || c != &s.handed.Caller: // a coroutine
		o.about(f.engine.infos[c.Point], c.Event)
	case s.handed.Object != nil:
		o.Subject, o.Conn = s.handed.Object, s.handed.Object.ID()
	default:
		o.about(s.handed.Info, c.Event)
	}
	return o
}

// lineLimit counts lines within one second of event time, of all shards.
type lineLimit struct {
	mu     sync.Mutex // guards what follows
	second int64
	n      int
	over   uint64
}

// dropped counts what was not allowed.
func (l *lineLimit) dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

func (l *lineLimit) allow(now int64, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Shards that are driven apart may be a little behind each other.
	if sec := now / 1e9; sec > l.second {
		l.second, l.n = sec, 0
	}
	if l.n >= limit {
		l.over++
		return false
	}
	l.n++
	return true
}
