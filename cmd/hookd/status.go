package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/sock/scripted"
)

// status is what GET /status answers.
type status struct {
	Phase      string    `json:"phase"` // starting, running, stopping
	Version    string    `json:"version"`
	PID        int       `json:"pid"`
	Begun      time.Time `json:"begun"`
	EventTime  time.Time `json:"event_time"`
	Generation uint64    `json:"generation"`
	Hash       string    `json:"hash"`
	Since      time.Time `json:"since"` // the generation is live
	Stale      bool      `json:"stale"` // the files hold something else than what is live

	Shards    int    `json:"shards"`
	Scripts   int    `json:"scripts"`
	Rules     int    `json:"rules"`
	Suspended int    `json:"suspended"`
	Events    uint64 `json:"events"`
	Errors    uint64 `json:"errors"`
	Alerts    uint64 `json:"alerts"`
	Decisions uint64 `json:"decisions"`

	Reloads        uint64 `json:"reloads"`
	ReloadFailures uint64 `json:"reload_failures"`
	Rollbacks      uint64 `json:"rollbacks"`
	History        int    `json:"history"` // sets that rollback can go back
	LastError      string `json:"last_error"`
	Draining       int    `json:"draining"` // machines that go on for what they bound, or for what waits

	Packets     uint64 `json:"packets"`
	Connections uint64 `json:"connections"`
	Open        int    `json:"open"`
	LinesLost   uint64 `json:"lines_lost"` // records and log lines that could not be written fast enough

	Interfaces []interfaceStatus   `json:"interfaces,omitempty"`
	Listeners  []loop.ListenerView `json:"listeners,omitempty"`
	LoopConns  int                 `json:"loop_conns"` // connections of the event loop that are open
	SIP        *sipStatus          `json:"sip,omitempty"`
	Sock       scripted.Stats      `json:"sock"` // connections that scripts moved

	Passes     int    `json:"passes,omitempty"`        // over the captures
	Unlike     int    `json:"passes_unlike,omitempty"` // that came to something else than the one before
	LastPasses []pass `json:"last_passes,omitempty"`
}

// status asks all parts of the daemon.
func (d *daemon) status() *status {
	es, fs, rs := d.engine.Stats(), d.feed.Stats(), d.reloader.Status()
	st := &status{
		Phase: phase(d.phase.Load()).String(), Version: versionString(), PID: os.Getpid(), Begun: d.begun,
		Generation: rs.Generation, Hash: rs.Hash, Since: rs.Since, Stale: rs.Stale,
		Events: es.Events, Errors: es.Errors, Alerts: es.Alerts,
		Reloads: es.Reloads, ReloadFailures: rs.Failures, Rollbacks: rs.Rollbacks,
		History: rs.History, LastError: rs.LastError, Draining: es.Draining,
		Packets: fs.Frames, Connections: fs.Conns, Open: fs.Open,
		LinesLost: d.records.Dropped() + d.logs.Dropped(),
	}
	st.Shards = d.engine.Shards().Len()
	st.Interfaces = d.interfaces()
	st.Listeners, st.LoopConns = d.loops.Listeners(), d.loops.Stats().Conns
	st.SIP = d.sipStatus()
	st.Sock = d.socks.Stats()
	st.Passes, st.Unlike, st.LastPasses = d.passes.latest()
	scripts := map[string]bool{}
	for _, r := range d.engine.Rules() {
		scripts[r.Script] = true
		st.Rules++
		if r.Suspended {
			st.Suspended++
		}
	}
	st.Scripts = len(scripts)
	st.Decisions = d.out.Counts().Decisions
	if now := d.engine.Now(); now != 0 {
		st.EventTime = time.Unix(0, now).UTC()
	}
	return st
}

func (d *daemon) serveStatus() {
	d.control.Handle("GET /status", func(*http.Request) (any, error) { return d.status(), nil })
}

// asking are the flags of every command that asks a running daemon.
type asking struct {
	control string
	json    bool
}

func (a *asking) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.control, "control", defaultControl(), controlUsage)
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
}

// ask sends one request to the daemon and fills answer. The error has its exit
// code, but for a *control.Error: what the daemon says is for the command to judge.
func (a *asking) ask(cmd *cobra.Command, method, path string, body, answer any) error {
	c := control.NewClient(a.control)
	defer c.Close()
	err := c.Do(contextOf(cmd), method, path, body, answer)
	if _, said := err.(*control.Error); err == nil || said {
		return err
	}
	return fail(exitIO, err)
}

func newStatus() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What a running daemon does",
		Args:  none(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var st status
			if err := a.ask(cmd, http.MethodGet, "/status", nil, &st); err != nil {
				return fail(exitIO, err)
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &st)
			}
			st.write(cmd.OutOrStdout(), time.Now())
			return nil
		},
	}
	a.flags(cmd)
	return cmd
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fail(exitIO, err)
	}
	return nil
}

// write tells a person.
func (st *status) write(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "%s for %s, pid %d, hookd %s\n", st.Phase, age(now, st.Begun), st.PID, st.Version)
	fmt.Fprintf(w, "generation %d for %s (%.12s): %s in %s", st.Generation, age(now, st.Since), st.Hash, plural(st.Rules, "rule"), plural(st.Scripts, "script"))
	if st.Shards > 1 {
		fmt.Fprintf(w, " on %d shards", st.Shards)
	}
	fmt.Fprintln(w)
	if st.Stale {
		fmt.Fprintln(w, "the files hold something else than what is live")
	}
	if st.LastError != "" {
		fmt.Fprintf(w, "refused last: %s\n", st.LastError)
	}
	fmt.Fprintf(w, "%d reloads, %d refused, %d rolled back, %d draining\n", st.Reloads, st.ReloadFailures, st.Rollbacks, st.Draining)
	fmt.Fprintf(w, "%d packets, %d connections (%d open), %d events, %d alerts, %d decisions, %d script errors\n",
		st.Packets, st.Connections, st.Open, st.Events, st.Alerts, st.Decisions, st.Errors)
	if st.Suspended > 0 {
		fmt.Fprintf(w, "%s suspended\n", plural(st.Suspended, "rule"))
	}
	if st.LinesLost > 0 {
		fmt.Fprintf(w, "%d records and log lines lost: written too slowly\n", st.LinesLost)
	}
	for _, i := range st.Interfaces {
		fmt.Fprintf(w, "%s: %d packets, %d dropped by the kernel", i.Name, i.Packets, i.Drops)
		if i.Rings > 1 {
			fmt.Fprintf(w, ", over %d rings", i.Rings)
		}
		if i.Downs > 0 {
			fmt.Fprintf(w, ", went away %d times", i.Downs)
		}
		fmt.Fprintln(w)
	}
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "listener %s: %s at %s, %d connections\n", l.Name, l.URL, l.Addr, l.Conns)
	}
	if s := &st.Sock; *s != (scripted.Stats{}) {
		fmt.Fprintf(w, "connections moved: %d, restored: %d, failed: %d; %d blackouts outlasted their budget\n", s.Moved, s.Restored, s.Failed, s.Overruns)
	}
	if st.SIP != nil {
		st.SIP.write(w)
	}
	if st.Passes > 0 {
		fmt.Fprintf(w, "%d passes over the captures, %d of them unlike the one before\n", st.Passes, st.Unlike)
	}
}

// age says how long ago something was.
func age(now, then time.Time) time.Duration {
	d := now.Sub(then)
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
