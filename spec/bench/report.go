package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is what is printed and saved.
type report struct {
	b       *bench
	results []*result
	own     float64 // MiB below which a program's memory cannot be told
}

func newReport(b *bench) *report { return &report{b: b} }

func (r *report) add(res *result) {
	r.results = append(r.results, res)
	// A child's peak begins with what its parent had when it was forked.
	r.own = max(r.own, float64(residentPeak())/(1<<20))
}

// missed reports whether any measured figure is worse than its aim.
func (r *report) missed() bool {
	for _, res := range r.results {
		for i := range res.set.aims {
			a := &res.set.aims[i]
			if v := a.value(res); !math.IsNaN(v) && !a.met(v) {
				return true
			}
		}
	}
	return false
}

// markdown writes the tables.
func (r *report) markdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# Measured %s\n\n", time.Now().UTC().Format(time.DateOnly))
	fmt.Fprintf(out, "%s, %d processors, %s; %d rounds in turns. CPU is user and system seconds of the process, the median;\n",
		processor(), runtime.NumCPU(), runtime.Version(), r.b.rounds)
	fmt.Fprintf(out, "memory the most of any run, where it can be told: above %.0f MiB.\n", r.own)
	for _, res := range r.results {
		r.set(out, res)
	}
	return out.Flush()
}

func (r *report) set(w io.Writer, res *result) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n", res.set.name, res.set.doc)
	for _, line := range res.set.about {
		fmt.Fprintf(w, "%s\n", line)
	}
	fmt.Fprint(w, "\n| program | CPU s | least to most | wall s | MiB | found |\n|---|--:|--:|--:|--:|---|\n")
	for _, f := range res.runs {
		if f.skipped != "" {
			fmt.Fprintf(w, "| %s | | | | | %s |\n", f.program.name, f.skipped)
			continue
		}
		least, most := f.spread()
		if most == 0 { // not looked at
			fmt.Fprintf(w, "| %s | - | - | %.3f | - | %s |\n", f.program.name, f.wall(), f.found)
			continue
		}
		fmt.Fprintf(w, "| %s | %.3f | %.3f to %.3f | %.3f | %s | %s |\n", f.program.name, f.cpu(), least, most, f.wall(), r.memory(f), f.found)
	}
	fmt.Fprint(w, "\n| aim | bound | measured | |\n|---|--:|--:|---|\n")
	for i := range res.set.aims {
		a := &res.set.aims[i]
		v := a.value(res)
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", a.what, a.limit(), number(v, a.unit), a.word(v))
	}
}

func (r *report) memory(f *figures) string {
	if f.peak() <= r.own+1 {
		return "-"
	}
	return fmt.Sprintf("%.0f", f.peak())
}

func (a *aim) limit() string {
	switch {
	case a.told:
		return ""
	case a.least:
		return "≥ " + number(a.bound, a.unit)
	}
	return "≤ " + number(a.bound, a.unit)
}

// word says whether the aim is met.
func (a *aim) word(v float64) string {
	switch {
	case math.IsNaN(v), a.told:
		return ""
	case a.met(v):
		return "met"
	}
	return "**missed**"
}

func number(v float64, unit string) string {
	if math.IsNaN(v) {
		return "not measured"
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// saved is the machine-readable form, one object a set.
type saved struct {
	Set      string             `json:"set"`
	About    []string           `json:"about"`
	Programs []savedProgram     `json:"programs"`
	Probes   map[string]float64 `json:"probes"`
	Aims     []savedAim         `json:"aims"`
}

type savedProgram struct {
	Name   string    `json:"name"`
	Argv   []string  `json:"argv"`
	CPU    []float64 `json:"cpu_s"`
	Wall   []float64 `json:"wall_s"`
	MiB    []float64 `json:"mib"`
	Found  string    `json:"found,omitempty"`
	Absent string    `json:"absent,omitempty"`
}

type savedAim struct {
	What  string   `json:"what"`
	Bound float64  `json:"bound"`
	Least bool     `json:"least,omitempty"`
	Value *float64 `json:"value"` // null: not measured
	Met   *bool    `json:"met"`   // null: not measured, or nothing is aimed at
}

// save writes the figures to the file at path as JSON.
func (r *report) save(path string) error {
	doc := struct {
		Version   int     `json:"v"`
		Date      string  `json:"date"`
		Processor string  `json:"processor"`
		CPUs      int     `json:"cpus"`
		Go        string  `json:"go"`
		Sets      []saved `json:"sets"`
	}{1, time.Now().UTC().Format(time.RFC3339), processor(), runtime.NumCPU(), runtime.Version(), nil}
	for _, res := range r.results {
		doc.Sets = append(doc.Sets, res.saved())
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode figures: %w", err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func (r *result) saved() saved {
	s := saved{Set: r.set.name, About: r.set.about, Probes: r.values}
	for _, f := range r.runs {
		p := savedProgram{Name: f.program.name, Argv: f.program.argv, Found: f.found, Absent: f.skipped}
		for _, x := range f.samples {
			p.CPU = append(p.CPU, x.cpu.Seconds())
			p.Wall = append(p.Wall, x.wall.Seconds())
			p.MiB = append(p.MiB, float64(x.memory)/(1<<20))
		}
		s.Programs = append(s.Programs, p)
	}
	for i := range r.set.aims {
		a := &r.set.aims[i]
		out := savedAim{What: a.what, Bound: a.bound, Least: a.least}
		if v := a.value(r); !math.IsNaN(v) {
			out.Value = &v
			if met := a.met(v); !a.told {
				out.Met = &met
			}
		}
		s.Aims = append(s.Aims, out)
	}
	return s
}

// processor returns the processor's name, as Linux tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
