package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/engine/shadow"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/stacks/flow"
)

// shadowRequest asks a daemon for a trial.
type shadowRequest struct {
	For   time.Duration `json:"for"`
	Paths []string      `json:"paths,omitempty"` // none: the daemon's own
}

// shadow answers with what a trial of scripts showed, when it is over.
func (d *daemon) shadow(r *http.Request) (any, error) {
	var req shadowRequest
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&req); err != nil {
		return nil, control.Errorf(http.StatusBadRequest, "read the request: %s", err)
	}
	paths := req.Paths
	if len(paths) == 0 {
		paths = d.paths
	}
	sources, err := watch.Scan(paths...)
	if err != nil {
		return nil, control.Errorf(http.StatusUnprocessableEntity, "%s", err)
	}
	inPlace(sources, d.paths)
	var tally shadow.Tally
	opts, fns := d.opts, flow.NewFunctions()
	opts.state, opts.inherit, opts.trial, opts.undone = nil, d.engine, d.trials.Add(1), func(_ *event.Shard, what string) { tally.Add(what) }
	trial := newEngine(opts, engine.Discard{}, fns)
	defer trial.Close()
	if !d.trial.CompareAndSwap(nil, trial) {
		return nil, control.Errorf(http.StatusConflict, "%s", engine.ErrShadowed)
	}
	defer d.wantStreams()
	defer d.trial.Store(nil)
	d.front.Serve(fns, trial.Shards())
	gen, diags := trial.Apply(sources)
	if diags.HasErrors() {
		return nil, refused(reload.Outcome{Diags: diags, Err: errors.New("scripts do not load")})
	}
	d.wantStreams()
	report, err := shadow.Run(r.Context(), shadow.Config{Live: d.engine, Trial: trial, For: req.For, Describe: ends})
	if err != nil {
		return nil, control.Errorf(http.StatusConflict, "%s", err)
	}
	report.Hash, report.Undone = gen.Hash, tally.Counts()
	return report, nil
}

// keepRead has streams kept from before a generation is live that reads them.
func (d *daemon) keepRead(may func(fields ...string) bool) {
	if may(flow.StreamFields()...) {
		d.front.WantStreams(true, may(flow.FirstCopyFields()...) || d.engine.Reads(flow.FirstCopyFields()...))
	}
}

// wantStreams has streams kept where the live scripts read them, or those of a trial.
func (d *daemon) wantStreams() {
	d.wanting.Lock()
	defer d.wanting.Unlock()
	trial := d.trial.Load()
	d.front.WantStreams(readBy(func(fields ...string) bool {
		return d.engine.Reads(fields...) || trial != nil && trial.Reads(fields...)
	}))
}

// inPlace names scripts as if they were at the first of the paths, so that they take
// the place of what is live there.
func inPlace(sources []engine.Source, paths []string) {
	root := path.Clean(filepath.ToSlash(paths[0]))
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		root = path.Dir(root)
	}
	move := func(p, from string) string {
		if rest, ok := strings.CutPrefix(p, from); ok && (rest == "" || rest[0] == '/') {
			return root + rest
		}
		return p
	}
	for i := range sources {
		s := &sources[i]
		if s.File == "" {
			s.File = s.Path
		}
		s.Path = move(s.Path, s.Root)
		if s.Module != "" {
			s.Base = move(s.Base, s.Root)
		}
	}
}

// shadowing adds --shadow to a command that has a daemon reload.
func shadowing(cmd *cobra.Command) {
	var length time.Duration
	cmd.Use += " [--shadow TIME [PATH...]]"
	cmd.Flags().DurationVar(&length, "shadow", 0, "only try the scripts beside the live ones for so long, and print what differs")
	apply := cmd.RunE
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if length == 0 && len(args) > 0 {
			return usagef("%s: paths are for --shadow", args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("shadow") {
			return apply(cmd, args)
		}
		return askShadow(cmd, args, length)
	}
}

func askShadow(cmd *cobra.Command, args []string, length time.Duration) error {
	var a asking
	var err error
	if a.control, err = cmd.Flags().GetString("control"); err != nil {
		return err
	}
	if a.json, err = cmd.Flags().GetBool("json"); err != nil {
		return err
	}
	req := shadowRequest{For: length}
	for _, p := range args {
		if p, err = filepath.Abs(p); err != nil {
			return fail(exitIO, err)
		}
		req.Paths = append(req.Paths, p)
	}
	var r shadow.Report
	err = a.ask(cmd, http.MethodPost, "/shadow", &req, &r)
	var no *control.Error
	switch {
	case errors.As(err, &no):
		return notTaken(cmd, no)
	case err != nil:
		return err
	case a.json:
		err = printJSON(cmd.OutOrStdout(), &r)
	default:
		err = writeShadow(cmd, &r)
	}
	if err == nil && r.Different() {
		return fail(exitFinding, nil)
	}
	return err
}

func writeShadow(cmd *cobra.Command, r *shadow.Report) error {
	out := cmd.OutOrStdout()
	for _, line := range r.Differences {
		fmt.Fprintln(out, line)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "and %d more\n", r.More)
	}
	t := &r.Total
	fmt.Fprintf(out, "%s beside generation %d (ended by %s): %d decisions the same, %d only live, %d only tried, %d changed\n",
		r.Duration.Round(time.Millisecond), r.Generation, r.Ended, t.Same, t.OnlyOld, t.OnlyNew, t.Changed)
	fmt.Fprintf(out, "alerts: %d the same, %d only live, %d only tried; script errors: %d\n", t.AlertsSame, t.AlertsOld, t.AlertsNew, r.Errors)
	for i, name := range slices.Sorted(maps.Keys(r.Undone)) {
		fmt.Fprintf(out, "%s%s %d", []string{"not done: ", ", "}[min(i, 1)], name, r.Undone[name])
	}
	if len(r.Undone) > 0 {
		fmt.Fprintln(out)
	}
	return nil
}
