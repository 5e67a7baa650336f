package trace

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/hookd/hookd/engine"
)

// Limits of folding.
const (
	// foldWindow is the event time after which repeats of an error are told of,
	// if it goes on.
	foldWindow = int64(10 * time.Second)
	// maxFolds is how many different errors are followed; beyond that the one
	// followed for longest is told of and forgotten.
	maxFolds = 1000
)

// foldKey says which errors are the same: numbers in a message, such as those of
// connections, make no difference.
type foldKey struct {
	script, rule, message string
}

// fold is an error that was logged, with what came of it since.
type fold struct {
	key     foldKey
	message string // of the latest
	origin  engine.Origin
	since   int64 // event time of the last line about it
	count   int   // since that line
}

// folds follow errors, in the order of their first line.
type folds struct {
	byKey map[foldKey]*fold
	order []*fold
}

// keyOf makes the key of an error.
func keyOf(r *engine.ErrorRecord) foldKey {
	return foldKey{r.Script, r.Rule, withoutNumbers(r.Err.Error())}
}

// withoutNumbers puts # for each run of digits.
func withoutNumbers(text string) string {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		c := text[i]
		switch {
		case c < '0' || c > '9':
			b = append(b, c)
		case len(b) == 0 || b[len(b)-1] != '#':
			b = append(b, '#')
		}
	}
	return string(b)
}

// repeats counts an error that was logged before and reports whether it was. It
// tells of the repeats when they have gone on for a while.
func (t *Writer) repeats(r *engine.ErrorRecord) bool {
	key := keyOf(r)
	f := t.folds.byKey[key]
	if f == nil {
		t.follow(key, r)
		return false
	}
	f.count++
	f.message, f.origin = r.Err.Error(), r.Origin
	if r.TS-f.since >= foldWindow {
		t.tell(f)
	}
	return true
}

// follow begins to count an error that is logged now.
func (t *Writer) follow(key foldKey, r *engine.ErrorRecord) {
	if t.folds.byKey == nil {
		t.folds.byKey = map[foldKey]*fold{}
	}
	if len(t.folds.order) == maxFolds {
		oldest := t.folds.order[0]
		t.tell(oldest)
		delete(t.folds.byKey, oldest.key)
		t.folds.order = append(t.folds.order[:0], t.folds.order[1:]...)
	}
	f := &fold{key: key, origin: r.Origin, since: r.TS}
	t.folds.byKey[key] = f
	t.folds.order = append(t.folds.order, f)
}

// tell logs how often an error came again since the last line about it.
func (t *Writer) tell(f *fold) {
	if f.count == 0 {
		return
	}
	times := "times"
	if f.count == 1 {
		times = "time"
	}
	t.slog(slog.LevelError, fmt.Sprintf("%s: repeated %d %s", f.message, f.count, times), &f.origin, nil)
	f.count, f.since = 0, f.origin.TS
}

// tellAll logs what is still to be told: of one rule, or of all where rule is
// nil.
func (t *Writer) tellAll(rule *engine.Origin) {
	for _, f := range t.folds.order {
		if rule == nil || f.key.script == rule.Script && f.key.rule == rule.Rule {
			t.tell(f)
		}
	}
}
