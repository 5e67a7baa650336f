// Command bench compares hookd with other programs and with itself: every
// program of a comparison runs once a round, round after round, so that a busy
// machine is busy for all; medians count. It prints a Markdown table and, on
// request, writes a machine-readable file. See README.md.
//
// Comparisons come in sets, one a file: set_flow.go and so on. All run on one
// goroutine, one program at a time; a program under load has its load beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// sets are the sets there are, in the order in which they run.
var sets = []struct {
	name string
	make func(*bench) (*set, error)
}{
	{"flow", flowSet},
	{"http", httpSet},
	{"echo", echoSet},
	{"sip", sipSet},
	{"sock", sockSet},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errMissed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

// errMissed says that a measured figure is worse than its aim.
var errMissed = errors.New("an aim was missed")

// options are the command line.
type options struct {
	short   bool
	strict  bool
	rounds  int
	only    []string // names of sets; empty: all
	capture string
	truth   string
	hookd   string
	json    string
	profile string
}

func parse(args []string, w io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(w)
	f.BoolVar(&o.short, "short", false, "under five minutes: 3 rounds, slow programs once")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 if an aim is missed")
	f.IntVar(&o.rounds, "rounds", 0, "how often each program runs; 7, with -short 3")
	only := f.String("set", "", "sets to run, with commas, of "+strings.Join(setNames(), ", ")+"; all when empty")
	f.StringVar(&o.capture, "capture", os.Getenv("HOOKD_BENCH_CAPTURE"), "capture to run on (or HOOKD_BENCH_CAPTURE); made when empty")
	f.StringVar(&o.truth, "truth", os.Getenv("HOOKD_BENCH_TRUTH"), "TSV of the connections that begin in the capture (or HOOKD_BENCH_TRUTH)")
	f.StringVar(&o.hookd, "hookd", "", "program to measure; built when empty")
	f.StringVar(&o.json, "json", "", "write the figures to this file")
	f.StringVar(&o.profile, "profile", "", "instead of measuring, write a profile for profile-guided builds to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("argument %q: only flags are expected", f.Arg(0))
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(setNames(), name) {
			return o, fmt.Errorf("-set %s: there are %s", name, strings.Join(setNames(), ", "))
		}
	}
	switch {
	case o.rounds < 0:
		return o, fmt.Errorf("-rounds %d: 1 or more", o.rounds)
	case o.rounds == 0 && o.short:
		o.rounds = 3
	case o.rounds == 0:
		o.rounds = 7
	}
	return o, nil
}

func setNames() []string {
	var names []string
	for _, s := range sets {
		names = append(names, s.name)
	}
	return names
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer b.Close()
	rep := newReport(b)
	var profiles []string
	for _, s := range sets {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		set, err := s.make(b)
		if err != nil {
			return fmt.Errorf("set %s: %w", s.name, err)
		}
		if o.profile != "" {
			parts, err := b.profile(set)
			if err != nil {
				return fmt.Errorf("set %s: %w", s.name, err)
			}
			profiles = append(profiles, parts...)
			continue
		}
		res, err := b.measure(set)
		if err != nil {
			return fmt.Errorf("set %s: %w", s.name, err)
		}
		rep.add(res)
	}
	if o.profile != "" {
		return b.mergeProfiles(o.profile, profiles)
	}
	if err := rep.markdown(stdout); err != nil {
		return err
	}
	if o.json != "" {
		if err := rep.save(o.json); err != nil {
			return err
		}
	}
	if o.strict && rep.missed() {
		return errMissed
	}
	return nil
}
