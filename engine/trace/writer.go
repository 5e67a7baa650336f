package trace

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// Version is the version of the records' format.
const Version = 1

// Writer is an [engine.Sink] that writes records to one stream and log lines to
// a slog handler. Write errors are kept and returned by Flush, so that a closed
// pipe is noticed once and not at each event. Shards may write at the same time:
// records stay whole lines.
type Writer struct {
	gen   func() uint64
	lines sync.Pool // *[]byte, for what is made without the lock

	mu   sync.Mutex // guards all that follows
	out  *bufio.Writer
	log  slog.Handler
	buf  []byte
	err  error
	seen Counts

	folds folds
}

// Counts says how many records of each kind were written.
type Counts struct {
	Events, Alerts, Decisions, Logs, Errors uint64
}

// Counts returns how many records were written so far.
func (t *Writer) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// NewWriter returns a Writer of records to w and of log lines to h; a nil h
// drops them. gen tells the generation that is live.
func NewWriter(w io.Writer, h slog.Handler, gen func() uint64) *Writer {
	t := &Writer{out: bufio.NewWriterSize(w, 64<<10), log: h, gen: gen}
	t.lines.New = func() any { return new([]byte) }
	return t
}

// Flush writes out what is buffered, tells of repeated errors, and returns the
// first error of any write.
func (t *Writer) Flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellAll(nil)
	if err := t.out.Flush(); t.err == nil {
		t.err = err
	}
	return t.err
}

// Push writes out what is buffered, where nothing more may come for a while.
// Repeated errors go on being counted.
func (t *Writer) Push() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.out.Flush(); t.err == nil {
		t.err = err
	}
}

// Err returns the first error of any write so far.
func (t *Writer) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Event writes one event; it is an [engine.Tap]. Only the finished line is written
// under the lock: where shards run at the same time, events are most of what they
// write.
func (t *Writer) Event(s *event.Shard, info *event.Info, where *event.PointInfo, e any) {
	line := t.lines.Get().(*[]byte)
	*line = append(appendEvent((*line)[:0], s.Now(), t.gen(), info, where, e), '}', '\n')
	t.mu.Lock()
	t.seen.Events++
	t.write(*line)
	t.mu.Unlock()
	t.lines.Put(line)
}

// AppendEvent appends an event's record, without the end of the line.
func AppendEvent(b []byte, ts int64, gen uint64, info *event.Info, where *event.PointInfo, e any) []byte {
	return append(appendEvent(b, ts, gen, info, where, e), '}')
}

// AppendUser appends the record of a user-defined event, "event.http_get", without the
// end of the line: what its base tells, and what it was raised with.
func AppendUser(b []byte, ts int64, gen uint64, name string, c *engine.Call) []byte {
	b = appendHead(b, ts, name)
	b = append(b, `,"gen":`...)
	b = strconv.AppendUint(b, gen, 10)
	if c.Info != nil && c.Info.AppendJSON != nil {
		b = c.Info.AppendJSON(b, c.Event)
	}
	if c.Payload != nil {
		b = append(b, `,"payload":`...)
		b = event.AppendJSONValue(b, c.Payload)
	}
	return append(b, '}')
}

func appendEvent(b []byte, ts int64, gen uint64, info *event.Info, where *event.PointInfo, e any) []byte {
	b = appendHead(b, ts, info.Name)
	if where.Phase != "" {
		b = append(b, `,"phase":"`...)
		b = append(b, where.Phase...)
		b = append(b, '"')
	}
	b = append(b, `,"gen":`...)
	b = strconv.AppendUint(b, gen, 10)
	return info.AppendJSON(b, e)
}

// Alert implements [engine.Sink].
func (t *Writer) Alert(r *engine.AlertRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Alerts++
	b := t.origin("alert", &r.Origin)
	b = append(b, `,"name":`...)
	b = event.AppendJSONString(b, r.Name)
	if r.Severity != "" {
		b = append(b, `,"severity":`...)
		b = event.AppendJSONString(b, r.Severity)
	}
	if len(r.Fields) > 0 {
		b = append(b, `,"fields":`...)
		b = event.AppendJSONFields(b, r.Fields)
	}
	t.end(b)
}

// Decision implements [engine.Sink]. What a rule does routinely is not written, unless
// the rule only observes: then nothing else shows it.
func (t *Writer) Decision(r *engine.DecisionRecord) {
	if r.Routine && !r.Observe {
		return
	}
	detail := r.Detail()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Decisions++
	b := t.origin("decision", &r.Origin)
	b = append(b, `,"point":"`...)
	b = append(b, r.Point...)
	b = append(b, `","verdict":"`...)
	b = append(b, r.Verdict...)
	b = append(b, '"')
	if detail != "" {
		b = append(b, `,"detail":`...)
		b = event.AppendJSONString(b, detail)
	}
	if r.Observe {
		b = append(b, `,"observe":true`...)
	}
	t.end(b)
}

// Log implements [engine.Sink].
func (t *Writer) Log(r *engine.LogRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Logs++
	t.slog(r.Level, r.Message, &r.Origin, r.Fields)
}

// ScriptError implements [engine.Sink]. The first of the same errors is logged
// with its traceback, further ones are counted: "repeated 41 times" follows when
// they have gone on for ten seconds of event time, when the rule is suspended,
// and at [Writer.Flush].
func (t *Writer) ScriptError(r *engine.ErrorRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.Errors++
	if !t.repeats(r) {
		t.scriptError(r)
	}
	if r.Suspended {
		t.tellAll(&r.Origin)
		t.slog(slog.LevelError, "suspended until its next reload", &r.Origin, nil)
	}
}

// scriptError logs one error in full.
func (t *Writer) scriptError(r *engine.ErrorRecord) {
	fields := []event.KV{{Key: "gen", Value: float64(r.Gen)}}
	if r.Point != "" {
		fields = append(fields, event.KV{Key: "point", Value: r.Point})
	}
	if r.Conn != 0 {
		fields = append(fields, event.KV{Key: "conn", Value: float64(r.Conn)})
	}
	if r.Err.Traceback != "" {
		fields = append(fields, event.KV{Key: "traceback", Value: r.Err.Traceback})
	}
	if r.Err.Poisoned {
		fields = append(fields, event.KV{Key: "rebuilt", Value: true})
	}
	t.slog(slog.LevelError, r.Err.Error(), &r.Origin, fields)
}

// slog hands one line to the log handler, at event time.
func (t *Writer) slog(level slog.Level, message string, o *engine.Origin, fields []event.KV) {
	ctx := context.Background()
	if t.log == nil || !t.log.Enabled(ctx, level) {
		return
	}
	rec := slog.NewRecord(time.Unix(0, o.TS).UTC(), level, message, 0)
	if o.Rule != "" {
		rec.AddAttrs(slog.String("rule", o.Rule))
	}
	rec.AddAttrs(slog.String("script", o.Script))
	for _, f := range fields {
		rec.AddAttrs(attr(f))
	}
	if err := t.log.Handle(ctx, rec); err != nil && t.err == nil {
		t.err = err
	}
}

// attr renders a script's value for a log line.
func attr(f event.KV) slog.Attr {
	switch v := f.Value.(type) {
	case string:
		return slog.String(f.Key, v)
	case bool:
		return slog.Bool(f.Key, v)
	default:
		return slog.String(f.Key, string(event.AppendJSONValue(nil, v)))
	}
}

// appendHead starts a record.
func appendHead(b []byte, ts int64, name string) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = append(b, `,"ts":`...)
	b = event.AppendJSONTime(b, ts)
	b = append(b, `,"event":"`...)
	b = append(b, name...)
	return append(b, '"')
}

// origin starts a record that a script caused.
func (t *Writer) origin(name string, o *engine.Origin) []byte {
	b := appendHead(t.buf[:0], o.TS, name)
	b = append(b, `,"gen":`...)
	b = strconv.AppendUint(b, o.Gen, 10)
	b = append(b, `,"script":`...)
	b = event.AppendJSONString(b, o.Script)
	b = append(b, `,"rule":`...)
	b = event.AppendJSONString(b, o.Rule)
	if o.Conn != 0 {
		b = append(b, `,"conn":`...)
		b = strconv.AppendUint(b, o.Conn, 10)
	}
	return b
}

// end closes a record and writes it.
func (t *Writer) end(b []byte) {
	b = append(b, '}', '\n')
	t.buf = b[:0]
	t.write(b)
}

// write writes a whole line.
func (t *Writer) write(line []byte) {
	if t.err != nil {
		return
	}
	if _, err := t.out.Write(line); err != nil {
		t.err = err
	}
}
