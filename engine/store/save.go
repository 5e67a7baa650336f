package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/hookd/hookd/engine/record"
)

// SaveVersion is the version of the format that Save writes.
const SaveVersion = 1

// savedHead is the first line of what Save writes.
type savedHead struct {
	V     int    `json:"v"`
	Store string `json:"store"`
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	At    int64  `json:"at"` // event time, nanoseconds since the epoch
}

// Save writes the store's content as lines of JSON: what it is, then a list for
// each entry in the order of insertion: the key, the event time at which it ends
// (0: never), and what a map or counter has under it.
//
//	{"v":1,"store":"blocked","kind":"set","key":"ip","at":1772345109500000000}
//	["192.0.2.1",1772345709500000000]
//
// Strings that are not UTF-8, and numbers that JSON lacks, are written as
// [record.AppendValue] does. The store may be used meanwhile.
func (s *Store) Save(w io.Writer) error {
	head, err := json.Marshal(savedHead{SaveVersion, s.name, s.kind.String(), s.keys.String(), s.clock.Now()})
	if err != nil {
		return fmt.Errorf("store: save %q: %w", s.name, err)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	buf := append(head, '\n')
	for item := range s.All() {
		if _, err := out.Write(buf); err != nil {
			return fmt.Errorf("store: save %q: %w", s.name, err)
		}
		buf = append(buf[:0], '[')
		buf = record.AppendValue(buf, item.Key.Value())
		buf = append(buf, ',')
		buf = strconv.AppendInt(buf, item.Until, 10)
		if s.kind != Set {
			buf = append(buf, ',')
			buf = record.AppendValue(buf, item.Value)
		}
		buf = append(buf, ']', '\n')
	}
	out.Write(buf) // its error stays and shows at the flush
	if err := out.Flush(); err != nil {
		return fmt.Errorf("store: save %q: %w", s.name, err)
	}
	return nil
}

// maxSavedLine bounds one line of what is loaded: far above what the limits of a
// key and a value come to.
const maxSavedLine = 4 << 20

// errOther says that what was saved is of another store than this.
var errOther = errors.New("it was saved from another kind of store")

// Load puts in what Save wrote. Entries beyond the store's limits are left out
// and counted, as any that is refused. A text that is something else is an error
// with its line; what came before is in.
func (s *Store) Load(r io.Reader) (refused int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxSavedLine)
	line := 1
	fail := func(err error) (int, error) {
		return refused, fmt.Errorf("store: load %q: line %d: %w", s.name, line, err)
	}
	var head savedHead
	if !in.Scan() {
		if in.Err() != nil {
			return fail(in.Err())
		}
		return fail(io.ErrUnexpectedEOF)
	}
	if err := json.Unmarshal(in.Bytes(), &head); err != nil {
		return fail(err)
	}
	switch {
	case head.V != SaveVersion:
		return fail(fmt.Errorf("version %d, not %d", head.V, SaveVersion))
	case head.Kind != s.kind.String() || head.Key != s.keys.String():
		return fail(fmt.Errorf("%w: a %s of %s, and this is a %s of %s", errOther, head.Kind, head.Key, s.kind, s.keys))
	}
	for in.Scan() {
		line++
		switch err := s.loadLine(in.Bytes()); {
		case isRefusal(err):
			refused++
		case err != nil:
			return fail(err)
		}
	}
	if in.Err() != nil {
		return fail(in.Err())
	}
	return refused, nil
}

// isRefusal tells what the store does not take from what nobody can read.
func isRefusal(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == Full || e.Reason == TooLarge)
}

func (s *Store) loadLine(line []byte) error {
	var parts []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(line))
	if err := d.Decode(&parts); err != nil {
		return err
	}
	want := 3
	if s.kind == Set {
		want = 2
	}
	if len(parts) != want {
		return fmt.Errorf("%d parts, not %d", len(parts), want)
	}
	raw, err := record.DecodeValue("a key", s.limits, parts[0])
	if err != nil {
		return err
	}
	k, err := s.Key(raw)
	if err != nil {
		return err
	}
	until, err := strconv.ParseInt(string(bytes.TrimSpace(parts[1])), 10, 64)
	if err != nil || until < 0 {
		return fmt.Errorf("%q is no time", parts[1])
	}
	var v record.Value
	if s.kind != Set {
		if v, err = record.DecodeValue(s.inner, s.limits, parts[2]); err != nil {
			return err
		}
	}
	return s.restore(k, v, until)
}

// restore puts in an entry that ends at a given event time; 0 is never.
func (s *Store) restore(k Key, v record.Value, until int64) error {
	var err error
	switch s.kind {
	case Map:
		if v.IsNil() {
			return errors.New("a map's entry without a value")
		}
		err = s.Put(k, v, Forever)
	case Counter:
		n, ok := v.AsNumber()
		if !ok {
			return errors.New("a counter's entry without a number")
		}
		_, err = s.Incr(k, n, Forever)
	default:
		_, err = s.Add(k, Forever)
	}
	if err != nil || until == 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.index.Get(s.exact(k)); ok {
		s.due.set(e, until)
	}
	return nil
}
