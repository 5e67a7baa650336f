package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// bench is one run: where it works, and what it works on.
type bench struct {
	options
	ctx   context.Context
	log   io.Writer
	root  string // of the module
	dir   string // removed at the end
	hookd string
}

func newBench(ctx context.Context, o options, log io.Writer) (*bench, error) {
	b := &bench{options: o, ctx: ctx, log: log}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	b.root = strings.TrimSpace(string(out))
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	b.hookd = o.hookd
	if b.hookd == "" {
		b.hookd, err = b.build("cmd/hookd")
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close removes what the run made.
func (b *bench) Close() error { return os.RemoveAll(b.dir) }

// build builds a program of the module and returns its path.
func (b *bench) build(pkg string) (string, error) {
	bin := filepath.Join(b.dir, filepath.Base(pkg))
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", bin, "./"+pkg)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}

// goBench runs one Go benchmark once and returns its metric of that unit.
func (b *bench) goBench(pkg, name, unit string, env ...string) (float64, error) {
	cmd := exec.CommandContext(b.ctx, "go", "test", "-run", "^$", "-bench", name, "-benchtime", "1x", "./"+pkg)
	cmd.Dir = b.root
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("benchmark %s: %w\n%s", name, err, out)
	}
	fields := strings.Fields(string(out))
	for i, f := range fields {
		if f == unit && i > 0 {
			return strconv.ParseFloat(fields[i-1], 64)
		}
	}
	return 0, fmt.Errorf("benchmark %s: no figure in %s:\n%s", name, unit, out)
}

// profileRuns is how often each program runs for a profile.
const profileRuns = 5

// profile runs the programs of a set that are to be fast under the profiler, and
// returns the files with what it saw: none where the set has no such program.
func (b *bench) profile(s *set) ([]string, error) {
	var parts []string
	for i, p := range s.programs {
		if !p.profiled {
			continue
		}
		for n := range profileRuns {
			part := filepath.Join(b.dir, fmt.Sprintf("%s.%d.%d.prof", s.name, i, n))
			argv := append(append([]string(nil), p.argv...), "--cpuprofile", part)
			fmt.Fprintf(b.log, "profile %s\n", p.name)
			if out, err := exec.CommandContext(b.ctx, argv[0], argv[1:]...).Output(); err != nil {
				return nil, fmt.Errorf("run %s: %w\n%.200s", p.name, err, out)
			}
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// mergeProfiles merges the profiles of all sets into the file at path.
func (b *bench) mergeProfiles(path string, parts []string) error {
	if len(parts) == 0 {
		return errors.New("no set that was asked for has a program to profile")
	}
	args := append([]string{"tool", "pprof", "-proto", "-output", path}, parts...)
	if out, err := exec.CommandContext(b.ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("merge profiles: %w\n%s", err, out)
	}
	return nil
}
