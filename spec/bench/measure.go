package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// sample is one run of a program.
type sample struct {
	cpu, wall time.Duration
	memory    int64 // bytes at most
}

// figures are a program's samples.
type figures struct {
	program *program
	samples []sample
	found   string // by its check
	skipped string // why it did not run
}

// result is what a set's programs and probes gave.
type result struct {
	set    *set
	runs   []*figures
	values map[string]float64 // of the probes
}

// measure runs the programs of s in turns.
func (b *bench) measure(s *set) (*result, error) {
	r := &result{set: s, values: map[string]float64{}}
	for _, p := range s.programs {
		f := &figures{program: p}
		if _, err := exec.LookPath(p.argv[0]); err != nil {
			f.skipped = "not installed: " + p.get
		}
		if _, err := exec.LookPath(p.also); p.also != "" && err != nil {
			f.skipped = p.also + " is not installed"
		}
		r.runs = append(r.runs, f)
	}
	for round := range b.rounds {
		for _, f := range r.runs {
			if f.skipped != "" || f.program.slow && round >= b.slowRounds() {
				continue
			}
			fmt.Fprintf(b.log, "round %d of %d: %s\n", round+1, b.rounds, f.program.name)
			if err := b.sample(f); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range s.probes {
		fmt.Fprintf(b.log, "%s\n", p.name)
		v, err := p.run()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		r.values[p.name] = v
	}
	return r, nil
}

// slowRounds is how often slow programs run.
func (b *bench) slowRounds() int {
	if b.short {
		return 1
	}
	return min(3, b.rounds)
}

// sample runs f's program once, and checks what it printed the first time.
func (b *bench) sample(f *figures) error {
	if f.program.run != nil {
		s, found, err := f.program.run(f.program.argv)
		if err != nil {
			return fmt.Errorf("%s: %w", f.program.name, err)
		}
		f.samples, f.found = append(f.samples, s), found
		return nil
	}
	path := filepath.Join(b.dir, "output")
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(b.ctx, f.program.argv[0], f.program.argv[1:]...)
	cmd.Stdout = out
	begin := time.Now()
	err = cmd.Run()
	wall := time.Since(begin)
	if err := out.Close(); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", f.program.name, err)
	}
	f.samples = append(f.samples, sample{
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		wall:   wall,
		memory: peakOf(cmd.ProcessState),
	})
	if len(f.samples) > 1 || f.program.check == nil {
		return nil
	}
	if f.found, err = f.program.check(path); err != nil {
		return fmt.Errorf("%s: check its output: %w", f.program.name, err)
	}
	return nil
}

// cpu returns the median of CPU seconds, not a number without any.
func (f *figures) cpu() float64 {
	return f.median(func(s sample) float64 { return s.cpu.Seconds() })
}

// wall returns the median of the seconds that passed, not a number without any.
func (f *figures) wall() float64 {
	return f.median(func(s sample) float64 { return s.wall.Seconds() })
}

// median is of what value says about the samples.
func (f *figures) median(value func(sample) float64) float64 {
	if len(f.samples) == 0 {
		return math.NaN()
	}
	all := make([]float64, len(f.samples))
	for i, s := range f.samples {
		all[i] = value(s)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// spread returns the least and the greatest CPU seconds.
func (f *figures) spread() (least, most float64) {
	least, most = math.Inf(1), 0
	for _, s := range f.samples {
		least, most = min(least, s.cpu.Seconds()), max(most, s.cpu.Seconds())
	}
	return least, most
}

// peak returns the most memory that any run took, in MiB.
func (f *figures) peak() float64 {
	peak := int64(0)
	for _, s := range f.samples {
		peak = max(peak, s.memory)
	}
	return float64(peak) / (1 << 20)
}

// run returns the figures of the program of that name.
func (r *result) run(name string) *figures {
	for _, f := range r.runs {
		if f.program.name == name {
			return f
		}
	}
	return &figures{program: &program{name: name}}
}

// cpu returns the CPU seconds of the program of that name.
func (r *result) cpu(name string) float64 { return r.run(name).cpu() }

// ratio returns the CPU seconds of a, in those of b.
func ratio(a, b string) func(*result) float64 {
	return func(r *result) float64 { return r.cpu(a) / r.cpu(b) }
}

// probed returns the value of a probe.
func probed(name string) func(*result) float64 {
	return func(r *result) float64 {
		if v, ok := r.values[name]; ok {
			return v
		}
		return math.NaN()
	}
}
