package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookd/hookd/engine/record"
)

// LineError is what is wrong with a line of a file.
type LineError struct {
	Line int // from 1
	Text string
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong there.
func (e *LineError) Unwrap() error { return e.Err }

// maxLineErrors is how many lines are reported before the rest of a file is not
// looked at.
const maxLineErrors = 10

// AddLines puts in what a text holds, an entry a line: of a set a key, of a map a
// key, white space and a text, of a counter a key, white space and a number. What
// stands behind a # at the start or behind white space is a comment; where keys
// are addresses or prefixes so is what stands behind a semicolon. Empty lines
// count for nothing; a key may come again, and its last line holds.
func (s *Store) AddLines(text string) []*LineError {
	var errs []*LineError
	text = strings.TrimPrefix(text, "\ufeff")
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		body := s.uncommented(strings.TrimSuffix(line, "\r"))
		if body == "" {
			continue
		}
		if err := s.addLine(body); err != nil {
			errs = append(errs, &LineError{Line: n, Text: strings.TrimRight(line, "\r"), Err: err})
			if len(errs) == maxLineErrors {
				return errs
			}
		}
	}
	return errs
}

// uncommented returns what is left of a line without its comment.
func (s *Store) uncommented(line string) string {
	for i := range len(line) {
		switch c := line[i]; {
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'),
			c == ';' && s.keys >= KeyIP:
			return strings.TrimSpace(line[:i])
		}
	}
	return strings.TrimSpace(line)
}

func (s *Store) addLine(line string) error {
	if !utf8.ValidString(line) {
		return fmt.Errorf("not UTF-8")
	}
	word, rest := line, ""
	if s.kind != Set {
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			word, rest = line[:i], strings.TrimSpace(line[i:])
		}
	}
	k, err := s.keys.Parse(word)
	if err != nil {
		return err
	}
	switch s.kind {
	case Map:
		if rest == "" {
			return fmt.Errorf("a map's line is a key, a space and a text")
		}
		return plain(s.Put(k, record.String(rest), Forever))
	case Counter:
		n, err := strconv.ParseFloat(rest, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("a counter's line is a key, a space and a number")
		}
		if _, err := s.Reset(k); err != nil {
			return plain(err)
		}
		_, err = s.Incr(k, n, Forever)
		return plain(err)
	}
	_, err = s.Add(k, Forever)
	return plain(err)
}

// plain takes the store's name off an error, which who reads a file knows.
func plain(err error) error {
	if e, ok := err.(*Error); ok {
		if e.Reason == Full {
			return fmt.Errorf("the store is full: %s", e.Detail)
		}
		return fmt.Errorf("%s", e.Detail)
	}
	return err
}
