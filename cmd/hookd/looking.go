package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/inspect"
	"github.com/hookd/hookd/stacks/flow"
)

// serveLooks registers what the commands ask that look into the daemon.
func (d *daemon) serveLooks() {
	in := inspect.New(d.engine, d.log)
	in.Changed = d.wantStreams
	in.Serve(d.control)
	d.control.Handle("GET /conns", func(r *http.Request) (any, error) {
		limit, err := inspect.Number(r, "limit", defaultConns, flow.MaxSurveyed)
		if err != nil {
			return nil, err
		}
		v, err := d.front.Survey(r.URL.Query().Get("filter"), limit)
		if err != nil {
			return nil, control.Errorf(http.StatusBadRequest, "%s", err)
		}
		return v, nil
	})
	d.control.Handle("GET /loop/conns", d.surveyLoops)
	d.control.Handle("GET /sip/calls", func(r *http.Request) (any, error) { return d.calls(r.URL.Query().Get("id")), nil })
	d.control.Handle("GET /blocks", func(r *http.Request) (any, error) {
		limit, err := inspect.Number(r, "limit", defaultBlocks, maxBlocksShown)
		if err != nil {
			return nil, err
		}
		return d.house.stack.Blocks.Show(limit, d.engine.Now()), nil
	})
	d.control.Handle("POST /blocks/add", d.changeBlocks)
	d.control.Handle("POST /blocks/remove", d.changeBlocks)
}

// changeBlocks blocks an address or takes a block back, as flow.block and
// flow.unblock do.
func (d *daemon) changeBlocks(r *http.Request) (any, error) {
	var b blockRequest
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		return nil, control.Errorf(http.StatusBadRequest, "read the request: %s", err)
	}
	shard := d.engine.Shard(0)
	caller := &event.Caller{Shard: shard}
	var err error
	shard.Enter()
	if r.URL.Path == "/blocks/add" {
		err = d.flow.Block(caller, b.Prefix, b.TTL, b.TTL != 0, b.Reason)
	} else {
		err = d.flow.Unblock(caller, b.Prefix)
	}
	shard.Leave()
	if err != nil {
		return nil, control.Errorf(http.StatusConflict, "%s", err)
	}
	d.log.Warn("blocks changed by hand", "what", r.URL.Path[len("/blocks/"):], "prefix", b.Prefix, "ttl", b.TTL, "reason", b.Reason)
	return &b, nil
}

// look is [asking.ask] where nothing the daemon says is for the command to judge:
// the error has its exit code, and diagnostics that came with it are reported.
func (a *asking) look(cmd *cobra.Command, method, path string, body, answer any) error {
	return refusedBy(cmd, a.ask(cmd, method, path, body, answer))
}

// refusedBy gives what a daemon said its exit code: what was asked wrongly is
// usage, what is not there a finding.
func refusedBy(cmd *cobra.Command, err error) error {
	var no *control.Error
	if !errors.As(err, &no) {
		return err
	}
	var diags diag.List
	if len(no.Detail) > 0 && json.Unmarshal(no.Detail, &diags) == nil {
		if err := report(cmd.ErrOrStderr(), diags); err != nil {
			return fail(exitIO, err)
		}
		no = control.Errorf(no.Status, "the expression is wrong")
	}
	switch no.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fail(exitUsage, no)
	case http.StatusNotFound, http.StatusConflict:
		return fail(exitFinding, no)
	}
	return fail(exitIO, fmt.Errorf("the daemon says: %w", no))
}

// wrote gives an error of writing its exit code.
func wrote(err error) error {
	if err != nil {
		return fail(exitIO, err)
	}
	return nil
}
