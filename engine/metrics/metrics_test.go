package metrics_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hookd/hookd/engine/metrics"
)

type inner struct{ UDPFlows uint64 }

type counters struct {
	BadSYNs, Frames uint64
	NotIP           uint64
	Open            int
	Inner           inner
	inner
}

// TestText checks the text by Prometheus' own reader, however labels look.
func TestText(t *testing.T) {
	t.Parallel()
	var w metrics.Writer
	const odd = "a \"quoted\" back\\slash\nnew line \xff"
	w.Family("x_total", metrics.Counter, "Help with a \\ and\na new line.")
	w.Sample("x_total", 1.5, metrics.Label{Name: "rule", Value: odd}, metrics.Label{Name: "line", Value: "7"})
	w.Family("cpu_seconds", metrics.Histogram, "Time.")
	w.Seconds("cpu_seconds", []int64{1e3, 1e6}, []uint64{3, 2, 1}, 5_000_000, metrics.Label{Name: "rule", Value: "r"})
	w.Counts("f", "Counted", counters{BadSYNs: 1, Frames: 2, NotIP: 3, Open: -4, Inner: inner{5}, inner: inner{6}})
	var text bytes.Buffer
	if _, err := w.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	got, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	x := got["x_total"].GetMetric()[0]
	if v := x.GetLabel()[0].GetValue(); v != strings.ToValidUTF8(odd, "\uFFFD") || x.GetCounter().GetValue() != 1.5 || x.GetLabel()[1].GetValue() != "7" {
		t.Errorf("%q, %v", v, x)
	}
	h := got["cpu_seconds"].GetMetric()[0].GetHistogram()
	if b := h.GetBucket(); h.GetSampleCount() != 6 || h.GetSampleSum() != 0.005 || len(b) != 3 || b[1].GetCumulativeCount() != 5 || b[1].GetUpperBound() != 0.001 {
		t.Errorf("%v", h)
	}
	values := map[string]float64{}
	for name, f := range got {
		if strings.HasPrefix(name, "f_") {
			m := f.GetMetric()[0]
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"f_bad_syns_total": 1, "f_frames_total": 2, "f_not_ip_total": 3, "f_open": -4,
		"f_inner_udp_flows_total": 5, "f_udp_flows_total": 6,
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Error(diff)
	}
}
