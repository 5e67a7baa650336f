package trace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/trace"
)

var origin = engine.Origin{TS: 1_500_000_000_000_000_001, Gen: 3, Script: "a.lua", Rule: "r", Line: 7, Conn: 17}

// TestRecords checks the order and form of every kind of record.
func TestRecords(t *testing.T) {
	tests := []struct {
		name string
		give func(w *trace.Writer)
		want string
	}{
		{"alert", func(w *trace.Writer) {
			w.Alert(&engine.AlertRecord{Origin: origin, Name: "found", Severity: "high", Fields: []event.KV{
				{Key: "n", Value: 1.5},
				{Key: "bytes", Value: "\xffA\n"},
				{Key: "list", Value: []any{true, nil, "x"}},
				{Key: "inner", Value: []event.KV{{Key: "k", Value: 2.0}}},
			}})
		}, `{"v":1,"ts":1500000000.000000001,"event":"alert","gen":3,"script":"a.lua","rule":"r","conn":17,"name":"found","severity":"high","fields":{"n":1.5,"bytes":"\u00ffA\n","list":[true,null,"x"],"inner":{"k":2}}}`},
		{"bare alert", func(w *trace.Writer) {
			w.Alert(&engine.AlertRecord{Origin: engine.Origin{Script: "a.lua"}, Name: "x"})
		}, `{"v":1,"ts":0.000000000,"event":"alert","gen":0,"script":"a.lua","rule":"","name":"x"}`},
		{"decision", func(w *trace.Writer) {
			w.Decision(&engine.DecisionRecord{Origin: origin, Point: "flow.conn_start.snd", Verdict: "flow.cut"})
		}, `{"v":1,"ts":1500000000.000000001,"event":"decision","gen":3,"script":"a.lua","rule":"r","conn":17,"point":"flow.conn_start.snd","verdict":"flow.cut"}`},
		{"observed decision", func(w *trace.Writer) {
			w.Decision(&engine.DecisionRecord{Origin: origin, Point: "p", Verdict: "flow.cut", Observe: true})
		}, `{"v":1,"ts":1500000000.000000001,"event":"decision","gen":3,"script":"a.lua","rule":"r","conn":17,"point":"p","verdict":"flow.cut","observe":true}`},
		{"event", func(w *trace.Writer) {
			cat := catalogue.New(catalogue.All()...)
			info, where := cat.Point(hookdev.OnStop.ID())
			s := event.NewShard(0)
			s.Enter()
			defer s.Leave()
			s.Advance(2e9)
			w.Event(s, info, where, &hookdev.Stop{Reason: hookdev.StopReasonSignal})
		}, `{"v":1,"ts":2.000000000,"event":"hookd.stop","gen":9,"reason":"signal"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			w := trace.NewWriter(&out, nil, func() uint64 { return 9 })
			tt.give(w)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(out.Bytes()) {
				t.Error("not JSON")
			}
		})
	}
}

// TestLogs checks that log lines carry event time, rule and fields, and that
// errors of scripts carry their traceback.
func TestLogs(t *testing.T) {
	var logs bytes.Buffer
	w := trace.NewWriter(&bytes.Buffer{}, slog.NewTextHandler(&logs, nil), func() uint64 { return 1 })
	w.Log(&engine.LogRecord{Origin: origin, Level: slog.LevelWarn, Message: "hm", Fields: []event.KV{{Key: "n", Value: 3.0}}})
	w.Log(&engine.LogRecord{Origin: origin, Level: slog.LevelDebug, Message: "quiet"})
	w.ScriptError(&engine.ErrorRecord{
		Origin: origin, Point: "flow.pkt_in.snd", Suspended: true,
		Err: &engine.ScriptError{Script: "a.lua", Line: 7, Message: "no", Traceback: "a.lua:7: in f"},
	})
	for _, want := range []string{
		`time=2017-07-14T02:40:00.000Z level=WARN msg=hm rule=r script=a.lua n=3`,
		`msg="a.lua:7: no"`, `point=flow.pkt_in.snd`, `traceback="a.lua:7: in f"`, `suspended until`,
	} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("no %s in\n%s", want, &logs)
		}
	}
	if strings.Contains(logs.String(), "quiet") {
		t.Error("a debug line was written")
	}
}

type fullDisk struct{}

var errFull = errors.New("disk is full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestWriteError checks that a write error is kept and writing goes on without
// harm.
func TestWriteError(t *testing.T) {
	w := trace.NewWriter(fullDisk{}, nil, func() uint64 { return 1 })
	for range 10_000 {
		w.Alert(&engine.AlertRecord{Origin: origin, Name: "x"})
	}
	if !errors.Is(w.Err(), errFull) || !errors.Is(w.Flush(), errFull) {
		t.Errorf("error %v", w.Err())
	}
}

// TestNoAllocation checks that a record costs no allocation once the buffer has
// grown.
func TestNoAllocation(t *testing.T) {
	r := &engine.DecisionRecord{Origin: origin, Point: "p", Verdict: "flow.cut"}
	out := trace.NewWriter(discard{}, nil, func() uint64 { return 1 })
	out.Decision(r)
	if n := testing.AllocsPerRun(1000, func() { out.Decision(r) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
