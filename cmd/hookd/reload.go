package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/reload"
)

// refused answers a reload that was not taken, with what was found in the scripts.
func refused(out reload.Outcome) error {
	code := http.StatusUnprocessableEntity
	if errors.Is(out.Err, reload.ErrNothingBefore) {
		code = http.StatusConflict
	}
	e := control.Errorf(code, "%s", out.Err)
	if len(out.Diags) > 0 {
		detail, err := json.Marshal(out.Diags)
		if err != nil {
			return err
		}
		e.Detail = detail
	}
	return e
}

func (d *daemon) serveReload() {
	d.control.Handle("POST /reload", func(r *http.Request) (any, error) {
		out, err := d.reloader.Reload(r.Context(), d.watcher)
		if err != nil {
			return nil, err
		}
		if out.Err != nil {
			return nil, refused(out)
		}
		return out, nil
	})
	d.control.Handle("POST /shadow", d.shadow)
	d.control.Handle("POST /rollback", func(*http.Request) (any, error) {
		out, err := d.reloader.Rollback()
		if err != nil {
			return nil, refused(out)
		}
		return out, nil
	})
}

func newReload() *cobra.Command {
	cmd := changing("reload", "Have a running daemon read its scripts now", `Reload has the daemon read its scripts again and returns when they are live. It
does so by itself when a file changes; this is for scripts that did, and for data
that scripts read. Where the scripts are not taken the exit code is 3, what is
wrong is said, and what was live goes on.

With --shadow nothing becomes live: the scripts, or those at PATH, run beside the
live ones for that time, on the same traffic and without any effect, and what they
would have decided and alerted differently is printed. The exit code is 1 where
anything differs.`)
	shadowing(cmd)
	return cmd
}

func newRollback() *cobra.Command {
	return changing("rollback", "Make the scripts live that were live before", `Rollback makes the set live that was live before, again and again up to 10 sets
back. The files stay as they are, and the daemon leaves them until they change.`)
}

// changing makes a command that has the daemon change what is live.
func changing(name, short, long string) *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: none(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out reload.Outcome
			err := a.ask(cmd, http.MethodPost, "/"+name, nil, &out)
			var no *control.Error
			if errors.As(err, &no) {
				return notTaken(cmd, no)
			}
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &out)
			}
			if err := report(cmd.ErrOrStderr(), out.Diags); err != nil {
				return fail(exitIO, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "generation %d is live (%.12s), %s changed, in %s\n",
				out.Generation, out.Hash, plural(len(out.Changed), "script"), out.Duration.Round(100*time.Microsecond))
			return nil
		},
	}
	a.flags(cmd)
	return cmd
}

// notTaken says why the daemon kept what was live.
func notTaken(cmd *cobra.Command, no *control.Error) error {
	var diags diag.List
	if len(no.Detail) > 0 {
		if err := json.Unmarshal(no.Detail, &diags); err != nil {
			return fail(exitIO, fmt.Errorf("read the daemon's answer: %w", err))
		}
	}
	if err := report(cmd.ErrOrStderr(), diags); err != nil {
		return fail(exitIO, err)
	}
	if no.Status != http.StatusUnprocessableEntity && no.Status != http.StatusConflict {
		return fail(exitIO, no)
	}
	return fail(exitScripts, no)
}

// contextOf returns the command's context, which is not there where it is run by
// a test.
func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
