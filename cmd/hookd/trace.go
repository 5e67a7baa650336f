package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/inspect"
)

// traceOptions are the flags of trace.
type traceOptions struct {
	asking
	where  string
	sample string
	count  int
	last   time.Duration
}

// whereUsage describes --where.
const whereUsage = "only events of which this Lua expression is true: the names of handlers (c, pkt, d, this), and fields of the event and its subject"

func newTrace() *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:   "trace PATTERN...",
		Short: "Show a running daemon's events as they happen",
		Long: `Trace prints the events of hook points, one line each: a glob over
stack.event.phase, as for 'hookd replay --print', or over the events that scripts
define, such as 'event.*'. It ends with --count, --for or
SIGINT. The daemon makes at most 10,000 records a second for it, and never waits
for it: what is too much is dropped, and that is said.`,
		Example: `  hookd trace flow.conn_end
  hookd trace 'flow.rexmit.*' --where 'client.port == 5060' --json
  hookd trace flow.pkt_in --where 'pkt.len > 1400' --sample 1/100 --for 10s`,
		Args:              atLeastOne("a pattern"),
		ValidArgsFunction: completePoints,
		RunE:              func(cmd *cobra.Command, args []string) error { return traceEvents(cmd, args, &o) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.where, "where", "", whereUsage)
	f.StringVar(&o.sample, "sample", "1/1", "1/N: one of so many events that are selected")
	f.IntVar(&o.count, "count", 0, "end after so many; 0: go on")
	f.DurationVar(&o.last, "for", 0, "end after so long; 0: go on")
	return cmd
}

// query makes the request.
func (o *traceOptions) query(patterns []string) (string, error) {
	one, n, ok := strings.Cut(o.sample, "/")
	sample, err := strconv.ParseUint(n, 10, 32)
	if !ok || one != "1" || err != nil || sample < 1 || sample > inspect.MaxSample {
		return "", usagef("--sample %s: 1/N expected, N from 1 to %d", o.sample, inspect.MaxSample)
	}
	if o.count < 0 || o.last < 0 {
		return "", usagef("--count and --for are 0 or more")
	}
	q := url.Values{"pattern": patterns, "sample": {strconv.FormatUint(sample, 10)}}
	if o.where != "" {
		q.Set("where", o.where)
	}
	return "/trace?" + q.Encode(), nil
}

func traceEvents(cmd *cobra.Command, patterns []string, o *traceOptions) error {
	path, err := o.query(patterns)
	if err != nil {
		return err
	}
	return o.stream(cmd, path, o.last, &tracePrinter{
		out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), json: o.json, left: o.count, color: useColor(cmd.OutOrStdout()),
	})
}

// linePrinter takes the lines of a stream until it has enough.
type linePrinter interface {
	line(line []byte) (more bool)
	// result is what came of it, nil where that is good.
	result() error
}

// stream prints the daemon's lines until the printer has enough, the time is over,
// or a signal comes. That the daemon ends first is an error.
func (a *asking) stream(cmd *cobra.Command, path string, last time.Duration, p linePrinter) error {
	ctx, stop := signal.NotifyContext(contextOf(cmd), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if last > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, last)
		defer cancel()
	}
	c := control.NewClient(a.control)
	defer c.Close()
	enough := false
	err := c.Lines(ctx, path, func(line []byte) bool {
		enough = !p.line(line)
		return !enough
	})
	var no *control.Error
	switch {
	case errors.As(err, &no):
		return refusedBy(cmd, err)
	case p.result() != nil:
		return p.result()
	case enough || ctx.Err() != nil:
		return nil
	case err == nil:
		err = errors.New("the daemon ended")
	}
	return fail(exitIO, err)
}

// tracePrinter prints records for people, or as they come.
type tracePrinter struct {
	out, notes io.Writer
	json       bool
	color      bool
	left       int // records until it is enough; 0: never
	err        error
	buf        []byte
}

// result implements [linePrinter].
func (p *tracePrinter) result() error { return p.err }

// traceLine tells a record from the lines between.
type traceLine struct {
	Event   string   `json:"event"`
	LeftOut []string `json:"left_out"`
	inspect.Note
}

// line implements [linePrinter].
func (p *tracePrinter) line(line []byte) bool {
	var l traceLine
	if err := json.Unmarshal(line, &l); err != nil {
		p.err = fail(exitIO, fmt.Errorf("read the daemon's answer: %w", err))
		return false
	}
	if l.Event == "" {
		p.note(&l)
		return p.err == nil
	}
	p.buf = p.buf[:0]
	if p.json {
		p.buf = append(append(p.buf, line...), '\n')
	} else {
		p.buf = appendTraceText(p.buf, line, p.color)
	}
	if _, err := p.out.Write(p.buf); err != nil {
		p.err = fail(exitIO, err)
		return false
	}
	p.left--
	return p.left != 0
}

// note tells what is no record. In JSON it is on standard error too: records are
// alone on standard output.
func (p *tracePrinter) note(l *traceLine) {
	tellLeftOut(p.notes, l.LeftOut)
	if l.Dropped > 0 {
		fmt.Fprintf(p.notes, "hookd: dropped %d\n", l.Dropped)
	}
	if l.Gone != "" {
		fmt.Fprintf(p.notes, "hookd: %s is not declared any more\n", shown(l.Gone))
	}
	if l.Errors > 0 {
		fmt.Fprintf(p.notes, "hookd: %d events not selected: %s\n", l.Errors, shown(l.Error))
	}
	if l.Stopped {
		p.err = fail(exitFinding, errors.New("the expression takes too long: the daemon stopped the trace"))
	}
}

// appendTraceText writes a record for people: time, hook point, fields.
//
//	09:26:40.001204 flow.conn_start.snd conn=17 client=10.0.0.1:40000
func appendTraceText(b []byte, line []byte, color bool) []byte {
	fields := recordFields(line)
	name := fields.text("event")
	if phase := fields.text("phase"); phase != "" {
		name += "." + phase
	}
	if color {
		name = "\x1b[36m" + name + "\x1b[0m"
	}
	b = append(b, clockOf(fields.text("ts"))+" "+name...)
	for _, f := range fields {
		switch f.key {
		case "v", "ts", "event", "phase", "gen", "cid":
			continue
		}
		b = append(b, ' ')
		b = append(append(b, shown(f.key)...), '=')
		b = append(b, f.shown()...)
	}
	return append(b, '\n')
}

// recordField is one member of a record, in its order.
type recordField struct {
	key   string
	value json.RawMessage
}

type fieldList []recordField

// recordFields reads a record's members; what is no object has none.
func recordFields(line []byte) (list fieldList) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return list
		}
		f := recordField{}
		f.key, _ = key.(string)
		if d.Decode(&f.value) != nil {
			return list
		}
		list = append(list, f)
	}
	return list
}

func (l fieldList) text(key string) string {
	for _, f := range l {
		if f.key == key {
			return f.plain()
		}
	}
	return ""
}

// plain is the value's text, without the quotes of a string.
func (f *recordField) plain() string {
	var s string
	if json.Unmarshal(f.value, &s) == nil && f.value[0] == '"' {
		return s
	}
	return string(f.value)
}

// shown is plain, quoted where it would be read wrongly.
func (f *recordField) shown() string {
	s := f.plain()
	if f.value[0] == '"' && (s == "" || strings.ContainsAny(s, " =\"") || shown(s) != s) {
		return strconv.Quote(s)
	}
	return shown(s)
}

// clockOf writes a record's time, seconds since the epoch, as the time of day.
func clockOf(ts string) string {
	whole, frac, _ := strings.Cut(ts, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return shown(ts)
	}
	nano, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil {
		return shown(ts)
	}
	return time.Unix(sec, nano).UTC().Format("15:04:05.000000")
}
