package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/stacks/flow"
)

// defaultScripts is where scripts are looked for when no path is given.
const defaultScripts = "scripts"

// noScripts says that there are none, where no path is given.
const noScripts = "no scripts: give a path, or make a folder ./" + defaultScripts + ", as 'hookd init' does"

// defaultPaths is what is taken where no path is given; nil if it is not there.
func defaultPaths() []string {
	if info, err := os.Stat(defaultScripts); err != nil || !info.IsDir() {
		return nil
	}
	return []string{defaultScripts}
}

type checkOptions struct {
	houseOptions
	format   string
	plan     bool
	explain  bool
	settings bool
	verify   bool
}

func newCheck() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Check scripts without running traffic",
		Long: `Check parses the scripts, looks up every name, runs their top level aside and
binds their rules, as a start or a reload would. Without a path it checks
./scripts.`,
		Example: `  hookd check
  hookd check rules/scan.lua --explain
  hookd check rules --plan`,
		RunE: func(cmd *cobra.Command, args []string) error { return check(cmd, args, o) },
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&o.settings, "settings", false, "print the settings that hold, and why")
	cmd.Flags().StringArrayVar(&o.limit, "limit", nil, "NAME=VALUE: set a limit; 'hookd doc limits' lists them (repeatable)")
	cmd.Flags().StringArrayVar(&o.flow, "flow", nil, flowUsage)
	cmd.Flags().IntVar(&o.shards, "shards", 0, "check for so many shards: names what each of them would have for itself")
	cmd.Flags().BoolVar(&o.verify, "verify", false, "run the scripts' specs too, as 'hookd run --verify' does before it takes scripts")
	cmd.Flags().BoolVar(&o.plan, "plan", false, "print the order in which rules run at each hook point")
	cmd.Flags().BoolVar(&o.explain, "explain", false, "print per rule what runs native, which fields become arguments, what escapes and where")
	return cmd
}

func check(cmd *cobra.Command, paths []string, o checkOptions) error {
	if o.format != "text" && o.format != "json" {
		return usagef("--format %s: text or json", o.format)
	}
	if len(paths) == 0 {
		if paths = defaultPaths(); paths == nil {
			return usagef(noScripts)
		}
	}
	sources, err := watch.Scan(paths...)
	if err != nil {
		return fail(exitIO, err)
	}
	set, err := readSettings(cmd.ErrOrStderr(), paths, &o.houseOptions)
	if err != nil {
		return err
	}
	if o.settings && o.format == "text" {
		if err := set.write(cmd.OutOrStdout()); err != nil {
			return fail(exitIO, err)
		}
	}
	o.shards = set.shards // as a daemon would
	shards, drive, err := o.spread()
	if err != nil {
		return err
	}
	opts := engineOptions{observe: set.observe, limits: set.limits, shards: shards, drive: drive}
	e := newEngine(opts, engine.Discard{}, flow.NewFunctions())
	defer e.Close()
	gen, diags := e.Apply(sources)
	loaded := !diags.HasErrors()
	if o.verify && loaded {
		diags = append(diags, verify(sources, gen.Changed)...)
	}
	if err := writeDiagnostics(cmd, o.format, diags); err != nil {
		return fail(exitIO, err)
	}
	switch {
	case !loaded:
		return fail(exitScripts, errors.New("scripts do not load"))
	case diags.HasErrors():
		return fail(exitFinding, errors.New("scripts fail their specs"))
	}
	if o.format == "json" {
		return nil
	}
	var lines []string
	if o.plan {
		lines = append(lines, gen.Plan()...)
	}
	if o.explain {
		lines = append(lines, gen.Explain()...)
	}
	lines = append(lines, fmt.Sprintf("%s, %s: ok\n", plural(len(gen.Scripts()), "script"), plural(len(e.Rules()), "rule")))
	if _, err := io.WriteString(cmd.OutOrStdout(), strings.Join(lines, "\n")); err != nil {
		return fail(exitIO, err)
	}
	return nil
}

func writeDiagnostics(cmd *cobra.Command, format string, diags diag.List) error {
	if format == "text" {
		return report(cmd.ErrOrStderr(), diags)
	}
	if diags == nil {
		diags = diag.List{}
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(diags)
}
