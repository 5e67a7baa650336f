package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/runtime/lua/spec"
)

type testOptions struct {
	verbose bool
	match   string
}

func newTest() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the specs of scripts",
		Long: `Test runs *_spec.lua files: each "it" gets an engine of its own with the scripts
beside the spec loaded, replays captures, makes connections, calls and clients of
listeners by hand, and asserts what the rules decided. Without a path it runs those
below the current directory.`,
		Example: `  hookd test
  hookd test rules/scan_spec.lua -v
  hookd test rules --run scan`,
		RunE: func(cmd *cobra.Command, args []string) error { return test(cmd, args, o) },
	}
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "name what passed, too, with what it printed")
	cmd.Flags().StringVar(&o.match, "run", "", "only specs whose file name contains this")
	return cmd
}

func test(cmd *cobra.Command, paths []string, o testOptions) error {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	files, err := watch.Find(paths, watch.IsSpec)
	if err != nil {
		return fail(exitIO, err)
	}
	for _, p := range paths {
		if isScript(p) && !watch.IsSpec(filepath.Base(p)) {
			return usagef("%s is no spec: specs are files *%s; give one, or the folder", p, watch.SpecSuffix)
		}
	}
	out := cmd.OutOrStdout()
	started := time.Now()
	passed, failed, ran := 0, 0, 0
	broken := false
	for _, file := range files {
		if !strings.Contains(file, o.match) {
			continue
		}
		ran++
		results, diags := spec.New(specHost()).File(file)
		if len(diags) > 0 {
			broken = broken || diags.HasErrors()
			if err := report(cmd.ErrOrStderr(), diags); err != nil {
				return fail(exitIO, err)
			}
		}
		for i := range results {
			if results[i].Failure == nil {
				passed++
			} else {
				failed++
			}
			if err := writeResult(out, &results[i], o.verbose); err != nil {
				return fail(exitIO, err)
			}
		}
	}
	if ran == 0 {
		return fail(exitIO, fmt.Errorf("no *%s below %s", watch.SpecSuffix, strings.Join(paths, ", ")))
	}
	fmt.Fprintf(out, "%d passed, %d failed (%s, %.2fs)\n", passed, failed, plural(ran, "spec"), time.Since(started).Seconds())
	switch {
	case broken:
		return fail(exitScripts, nil)
	case failed > 0:
		return fail(exitFinding, nil)
	}
	return nil
}

func writeResult(w io.Writer, r *spec.Result, verbose bool) error {
	if r.Failure == nil && !verbose {
		return nil
	}
	word := "ok   "
	if r.Failure != nil {
		word = "FAIL "
	}
	if _, err := fmt.Fprintf(w, "%s %s: %s\n", word, r.File, r.Name); err != nil {
		return err
	}
	if r.Failure != nil {
		if err := r.Failure.Render(w, useColor(w)); err != nil {
			return err
		}
	}
	for _, lines := range [][]string{r.Printed, r.Notes} {
		for _, line := range lines {
			if _, err := fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(line, "\n", "\n  ")); err != nil {
				return err
			}
		}
	}
	return nil
}
