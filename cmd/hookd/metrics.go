package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/metrics"
)

// writeMetrics writes everything that is counted.
func (d *daemon) writeMetrics(w *metrics.Writer) {
	es, rs := d.engine.Stats(), d.reloader.Status()
	stale := 0.0
	if rs.Stale {
		stale = 1
	}
	w.One("hookd_generation", metrics.Gauge, "Number of the live generation.", float64(rs.Generation))
	w.One("hookd_generation_since_seconds", metrics.Gauge, "When it became live, since the epoch.", float64(rs.Since.UnixNano())/1e9)
	w.One("hookd_reload_refused_total", metrics.Counter, "Changes of scripts that were not taken.", float64(rs.Failures))
	w.One("hookd_rollbacks_total", metrics.Counter, "Generations taken back.", float64(rs.Rollbacks))
	w.One("hookd_policy_stale", metrics.Gauge, "1 where the files hold something else than what is live.", stale)
	w.Counts("hookd_engine", "Counted by the engine", es)
	w.Counts("hookd_flow", "Counted by the flow stack", d.feed.Stats())
	w.Counts("hookd_loop", "Counted by the event loop", d.loops.Stats())
	d.loops.Counted(func(protocol string, stats any) {
		w.Counts("hookd_"+protocol, "Counted by "+protocol+" on the event loop", stats)
	})
	w.Counts("hookd_sip", "Counted by the SIP stack", d.sips.Stats())
	w.Counts("hookd_sip", "Counted beside the SIP stack", d.opts.desk.Stats())
	if d.seen != nil {
		w.Counts("hookd_sip_seen", "Counted of SIP that passes", d.seen.stats())
	}
	w.Counts("hookd_sock", "Counted of connections that scripts move", d.socks.Stats())
	w.One("hookd_lines_lost_total", metrics.Counter, "Records and log lines that could not be written fast enough.", float64(d.records.Dropped()+d.logs.Dropped()))
	d.writeInterfaces(w)
	writeRuleMetrics(w, d.engine.Rules())
	d.writeProcess(w)
}

func (d *daemon) writeInterfaces(w *metrics.Writer) {
	list := d.interfaces()
	if len(list) == 0 {
		return
	}
	for _, f := range []struct {
		name, help string
		value      func(*interfaceStatus) uint64
	}{
		{"hookd_interface_packets_total", "Packets that passed the filter, dropped ones included.", func(i *interfaceStatus) uint64 { return i.Packets }},
		{"hookd_interface_drops_total", "Packets that the kernel dropped because the ring was full.", func(i *interfaceStatus) uint64 { return i.Drops }},
		{"hookd_interface_downs_total", "How often the interface went away.", func(i *interfaceStatus) uint64 { return i.Downs }},
	} {
		w.Family(f.name, metrics.Counter, f.help)
		for i := range list {
			w.Sample(f.name, float64(f.value(&list[i])), metrics.Label{Name: "interface", Value: list[i].Name})
		}
	}
}

func writeRuleMetrics(w *metrics.Writer, rules []engine.RuleStatus) {
	if len(rules) == 0 {
		return
	}
	labels := func(r *engine.RuleStatus) []metrics.Label {
		return []metrics.Label{{Name: "script", Value: r.Script}, {Name: "rule", Value: r.Name}, {Name: "line", Value: fmt.Sprint(r.Line)}}
	}
	for _, f := range []struct {
		name, help string
		value      func(*engine.RuleStatus) uint64
	}{
		{"hookd_rule_seen_total", "Events at the rule's hook points.", func(r *engine.RuleStatus) uint64 { return r.Seen }},
		{"hookd_rule_matched_total", "Events that passed all its filters.", func(r *engine.RuleStatus) uint64 { return r.Matched }},
		{"hookd_rule_calls_total", "Calls of its handler.", func(r *engine.RuleStatus) uint64 { return r.Calls }},
		{"hookd_rule_decided_total", "Verdicts it gave.", func(r *engine.RuleStatus) uint64 { return r.Decided }},
		{"hookd_rule_errors_total", "Failures of its functions.", func(r *engine.RuleStatus) uint64 { return r.Errors }},
		{"hookd_rule_overruns_total", "Of those, by the budget.", func(r *engine.RuleStatus) uint64 { return r.Overruns }},
	} {
		w.Family(f.name, metrics.Counter, f.help)
		for i := range rules {
			w.Sample(f.name, float64(f.value(&rules[i])), labels(&rules[i])...)
		}
	}
	w.Family("hookd_rule_suspended", metrics.Gauge, "1 where the rule failed too often and waits for its next reload.")
	for i := range rules {
		n := 0.0
		if rules[i].Suspended {
			n = 1
		}
		w.Sample("hookd_rule_suspended", n, labels(&rules[i])...)
	}
	const cpu = "hookd_rule_cpu_seconds"
	w.Family(cpu, metrics.Histogram, fmt.Sprintf("Processor time of its handler: one call in %d is measured, by the thread's clock.", engine.SampleEvery))
	for i := range rules {
		c := &rules[i].CPU
		w.Seconds(cpu, engine.CPUBounds[:], c.Buckets[:], c.Nanos, labels(&rules[i])...)
	}
}

// writeProcess tells of the process, by the names that Prometheus' own libraries
// use.
func (d *daemon) writeProcess(w *metrics.Writer) {
	heap := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}} // read without stopping anything
	runtimemetrics.Read(heap)
	cpu, _ := processUse()
	w.One("process_cpu_seconds_total", metrics.Counter, "Processor time of the process.", cpu.Seconds())
	w.One("process_start_time_seconds", metrics.Gauge, "When it began, since the epoch.", float64(d.begun.UnixNano())/1e9)
	w.One("go_goroutines", metrics.Gauge, "Goroutines.", float64(runtime.NumGoroutine()))
	w.One("go_memstats_heap_alloc_bytes", metrics.Gauge, "Bytes of heap objects.", float64(heap[0].Value.Uint64()))
}

// ServeHTTP answers with the metrics.
func (d *daemon) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	var w metrics.Writer
	d.writeMetrics(&w)
	rw.Header().Set("Content-Type", metrics.ContentType)
	if _, err := w.WriteTo(rw); err != nil {
		d.log.Debug("metrics were not taken", "err", err)
	}
}

// metricsAddress reads where metrics are to be served. Whoever reaches that place
// may read them, so that only this host does where no address is named.
func metricsAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = "", text
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return "", fmt.Errorf("metrics at %q: a port, or an address and a port expected, such as 9187 or 10.0.0.1:9187", text)
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

// serveMetrics answers at the control socket, and where --metrics or the settings
// say, with nothing but /metrics.
func (d *daemon) serveMetrics() error {
	d.control.HandleRaw("GET /metrics", d)
	if d.takeover != nil {
		return nil // the port is the other daemon's yet
	}
	return d.listenForMetrics(context.Background())
}

// listenForMetrics serves them until the daemon ends; ctx is done when it does.
func (d *daemon) listenForMetrics(ctx context.Context) error {
	at := cmp.Or(d.options.metrics, d.opts.metrics)
	if at == "" {
		return nil
	}
	at, err := metricsAddress(at)
	if err != nil {
		return usagef("%w", err)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fail(exitIO, fmt.Errorf("listen for metrics: %w", err))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	if d.scraped.Store(s); ctx.Err() != nil {
		_ = s.Close() // who ends the daemon may not have seen it
	}
	d.tasks.Go(func() { _ = s.Serve(l) }) // its end is ours
	d.log.Info("metrics", "at", l.Addr().String())
	return nil
}
