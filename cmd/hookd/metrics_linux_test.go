package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/stacks/flow"
)

// TestMetrics reads a daemon's metrics as Prometheus does, at both places, and
// checks them against its status.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, `rule "calls" { on = flow.pkt_in, run = function(c, p) state.n = (state.n or 0) + 1 end }
rule "wrong" { on = flow.conn_start, run = function(c) error("wrong") end }
`)
	p := start(t, dir, script, "--pcap", "../../examples/rexmit-scope/capture.pcap", "--loop", "3", "--stay", "--metrics", "127.0.0.1:0", "--shards", "2")
	p.until(func(st *status) bool { return st.Passes == 3 && st.Packets == 3*149 })
	// That status was put together while the last pass ended; now nothing moves.
	st := p.until(func(*status) bool { return true })
	text, err := p.client.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	logs, err := os.ReadFile(p.logs)
	if err != nil {
		t.Fatal(err)
	}
	at := regexp.MustCompile(`msg=metrics at=(\S+)`).FindSubmatch(logs)
	if at == nil {
		t.Fatalf("%s", logs)
	}
	res, err := http.Get("http://" + string(at[1]) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	there, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(there, []byte("hookd_generation 1\n")) {
		t.Errorf("%s, %v", there, err)
	}
	if other, err := http.Get("http://" + string(at[1]) + "/status"); err != nil || other.StatusCode != http.StatusNotFound {
		t.Errorf("the status is told to anybody: %v, %v", other, err)
	} else {
		other.Body.Close()
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	got, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	one := func(name string) float64 {
		m := got[name].GetMetric()
		if len(m) != 1 {
			t.Errorf("%s: %v", name, m)
			return -1
		}
		return m[0].GetCounter().GetValue() + m[0].GetGauge().GetValue()
	}
	for name, want := range map[string]float64{
		"hookd_generation": 1, "hookd_policy_stale": 0, "hookd_reload_refused_total": 0,
		"hookd_flow_frames_total": float64(st.Packets), "hookd_flow_conns_total": float64(st.Connections),
		"hookd_engine_events_total": float64(st.Events), "hookd_engine_errors_total": 9,
	} {
		if v := one(name); v != want {
			t.Errorf("%s is %v, not %v", name, v, want)
		}
	}
	// Every counter of engine and stack is there.
	if n := numbers(reflect.TypeFor[engine.Stats]()) + numbers(reflect.TypeFor[flow.Stats]()) - 1; len(got) < n {
		t.Errorf("%d families for %d counters", len(got), n)
	}
	cpu := got["hookd_rule_cpu_seconds"].GetMetric()[0]
	calls := got["hookd_rule_calls_total"].GetMetric()[0].GetCounter().GetValue()
	samples, least := cpu.GetHistogram().GetSampleCount(), uint64(calls)/engine.SampleEvery
	if cpu.GetLabel()[1].GetValue() != "calls" || calls < 3*engine.SampleEvery || samples < least || samples > least+2 || cpu.GetHistogram().GetSampleSum() <= 0 {
		t.Errorf("%v of %v calls", cpu, calls)
	}
}

// numbers counts the numbers in a struct of counters.
func numbers(t reflect.Type) (n int) {
	for i := range t.NumField() {
		if f := t.Field(i).Type; f.Kind() == reflect.Struct {
			n += numbers(f)
		} else {
			n++
		}
	}
	return n
}
