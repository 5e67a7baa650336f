package trace_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/trace"
)

// lines reads the log lines, time and level taken off.
func lines(b *bytes.Buffer) []string {
	var list []string
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if _, rest, ok := strings.Cut(line, "msg="); ok {
			list = append(list, rest)
		}
	}
	b.Reset()
	return list
}

// TestErrorsAreFolded checks what is logged of errors that come again.
func TestErrorsAreFolded(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	w := trace.NewWriter(&bytes.Buffer{}, slog.NewTextHandler(&logs, nil), func() uint64 { return 1 })
	fail := func(sec int64, rule string, conn uint64, msg string, suspended bool) {
		w.ScriptError(&engine.ErrorRecord{
			Origin: engine.Origin{TS: sec * 1e9, Gen: 3, Script: "a.lua", Rule: rule, Conn: conn}, Point: "flow.pkt_in.snd", Suspended: suspended,
			Err: &engine.ScriptError{Script: "a.lua", Line: 7, Message: msg, Traceback: "a.lua:7: in f"},
		})
	}
	full := func(rule string, conn int, msg string) string {
		return fmt.Sprintf(`"a.lua:7: %s" rule=%s script=a.lua gen=3 point=flow.pkt_in.snd conn=%d traceback="a.lua:7: in f"`, msg, rule, conn)
	}
	again := func(rule, msg string, times string) string {
		return fmt.Sprintf(`"a.lua:7: %s: repeated %s" rule=%s script=a.lua`, msg, times, rule)
	}
	check := func(step string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, lines(&logs)); diff != "" {
			t.Errorf("%s: %s", step, diff)
		}
	}
	fail(0, "r", 17, "connection 17 ended", false)
	check("the first", full("r", 17, "connection 17 ended"))
	for i := range 40 {
		fail(int64(i/10), "r", uint64(i), fmt.Sprintf("connection %d ended", i), false)
	}
	fail(3, "other", 1, "connection 1 ended", false)
	fail(3, "r", 1, "something else", false)
	check("the same, another rule's, another", full("other", 1, "connection 1 ended"), full("r", 1, "something else"))
	fail(10, "r", 99, "connection 99 ended", false)
	check("after a while", again("r", "connection 99 ended", "41 times"))
	fail(11, "r", 99, "connection 99 ended", false)
	fail(12, "r", 99, "connection 98 ended", true)
	check("suspended", again("r", "connection 98 ended", "2 times"), `"suspended until its next reload" rule=r script=a.lua`)
	fail(13, "other", 1, "connection 1 ended", false)
	check("after a while, once", again("other", "connection 1 ended", "1 time"))
	fail(13, "other", 1, "connection 2 ended", false)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	check("the end", again("other", "connection 2 ended", "1 time"))
	if err := w.Flush(); err != nil || logs.Len() > 0 {
		t.Errorf("a second flush: %v, %s", err, &logs)
	}
	if w.Counts().Errors != 48 {
		t.Errorf("%d errors seen", w.Counts().Errors)
	}
}

// TestFoldsAreBounded checks that a script which fails in ever new words takes
// no more memory than so much.
func TestFoldsAreBounded(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	w := trace.NewWriter(&bytes.Buffer{}, slog.NewTextHandler(&logs, nil), func() uint64 { return 1 })
	word := func(i int) string { return strings.Repeat("x", i%97) + strings.Repeat("y", i/97) }
	for i := range 3000 {
		for range 2 {
			w.ScriptError(&engine.ErrorRecord{Origin: engine.Origin{Script: "a.lua"}, Err: &engine.ScriptError{Script: "a.lua", Message: word(i)}})
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	got := lines(&logs)
	repeated := 0
	for _, l := range got {
		if strings.Contains(l, "repeated 1 time\"") {
			repeated++
		}
	}
	if len(got) != 6000 || repeated != 3000 {
		t.Errorf("%d lines, %d of them of repeats", len(got), repeated)
	}
}
