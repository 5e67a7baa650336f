package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

type replayOptions struct {
	houseOptions
	scripts []string
	print   []string
	where   string
	filter  string
	quiet   bool
	stats   bool
	profile string // file for a CPU profile; empty: none

	verdicts string
	write    string
	batch    int // packets an entry of a shard
	online   bool
}

func newReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay CAPTURE...",
		Short: "Run rules over captures, exactly",
		Long: `Replay reads captures (pcap, pcapng, gzip of both; - is standard input), merged
by time (those of the same time in the order of their names here), and runs rules
over them. Alerts and decisions are written to standard output as JSON lines, and
so are the events that --print names; log lines and a summary go to standard
error. The same input gives the same output.

With --shards connections are spread over several shards, each with a Lua machine
of its own a script; the output is the same for any number of them, as long as no
handler assigns globals or outer locals, which 'hookd check --shards' looks for.
--jobs runs shards at the same time, which is faster. Then what happens in one
connection happens in order, but the order between connections, and with it their
numbers, changes from run to run.

What rules decide is recorded, and the capture goes on as it went; with
--verdicts apply it is done, as inline: a dropped packet does not reach the
receiver. --write makes a capture of what passed, which says at each packet what
rule decided what.

Handlers that ask by http, dns or sntp are told that there is no network: what
servers say today is not in the capture. With --online they are asked, and the
packets wait for the answers.

SIGINT and SIGTERM end a replay in order: connections end, and everything is
written. The exit code is then 130.`,
		Example: `  hookd replay calls.pcap -s scripts
  hookd replay calls.pcap --print flow.conn_end
  hookd replay calls.pcap --print 'flow.rexmit.*' -s rules.lua
  hookd replay calls.pcap --print flow.conn_end --where 'server.port == 5060'
  hookd replay big.pcap -s rules --jobs 4
  hookd replay calls.pcap -s rules --verdicts apply --write passed.pcapng`,
		Args: captures,
		RunE: func(cmd *cobra.Command, args []string) error { return replay(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.scripts, "scripts", "s", nil, "script, or directory of scripts, to run (repeatable)")
	f.StringArrayVar(&o.print, "print", nil, "print the events of these hook points: a glob over stack.event.phase (repeatable)")
	f.StringVar(&o.where, "where", "", "of --print "+whereUsage)
	f.StringVar(&o.filter, "filter", "", "only packets that this pcap-filter expression selects")
	f.BoolVar(&o.observe, "observe", false, "rules record what they would decide, and decide nothing")
	f.StringVar(&o.verdicts, "verdicts", "record", "record what rules decide, or apply it")
	f.BoolVar(&o.online, "online", false, "ask the network what handlers want to know by http, dns and sntp; packets wait for the answers")
	f.StringVar(&o.write, "write", "", "pcapng file for the packets that pass, with comments; - is standard output, and records then go to standard error")
	f.StringArrayVar(&o.flow, "flow", nil, flowUsage)
	f.StringArrayVar(&o.limit, "limit", nil, "NAME=VALUE: set a limit; 'hookd doc limits' lists them (repeatable)")
	f.StringVar(&o.state, "state", "", "directory in which stores that persist are kept")
	f.BoolVar(&o.debug, "debug", false, "show debug log lines")
	f.BoolVar(&o.checkNative, "check-native", false, "run functions that have a native form both ways and report differences; not with --jobs")
	f.IntVar(&o.shards, "shards", 0, shardsUsage)
	f.IntVar(&o.jobs, "jobs", 1, "how many shards run at the same time; more than 1 gives up the order between connections")
	f.IntVar(&o.batch, "batch", feed.EntryFrames, "how many packets are handled in one entry of a shard")
	_ = f.MarkHidden("batch")
	_ = cmd.RegisterFlagCompletionFunc("print", completePoints)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no summary")
	f.BoolVar(&o.stats, "stats", false, "tell what the replay cost: time, memory, allocations")
	f.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile, for go tool pprof, to this file")
	return cmd
}

func replay(cmd *cobra.Command, paths []string, o replayOptions) error {
	mode, err := o.check(paths)
	if err != nil {
		return err
	}
	defer easeCollector()()
	opts, err := o.engineOptions(cmd.ErrOrStderr(), o.scripts)
	if err != nil {
		return err
	}
	opts.notes, opts.flow.Verdicts = o.write != "", mode
	records := cmd.OutOrStdout()
	if o.write == "-" {
		records = cmd.ErrOrStderr()
	}
	var asks *online
	if o.online {
		if asks, err = goOnline(); err != nil {
			return fail(exitIO, err)
		}
		defer asks.Close()
		opts.asks, o.batch = asks, 1 // an answer comes before the next packet
	}
	h := newHouse(opts, o.debug, records, cmd.ErrOrStderr())
	defer h.engine.Close()
	h.jobs, h.batch, h.online = o.jobs, o.batch, asks
	if err := h.printEvents(cmd.ErrOrStderr(), o.print, o.where); err != nil {
		return err
	}
	defer h.closeWhere()
	if len(o.scripts) > 0 {
		if err := h.load(cmd.ErrOrStderr(), o.scripts); err != nil {
			return err
		}
	}
	keep, err := newPacketFilter(o.filter)
	if err != nil {
		return err
	}
	stop := newInterrupt(cmd.Context())
	src, err := openMerged(stop.ctx, paths, cmd.InOrStdin())
	if err != nil {
		return fail(exitIO, err)
	}
	defer src.Close()
	src.filter = keep
	m, err := startMeter(o.profile)
	if err != nil {
		return fail(exitIO, err)
	}
	if o.write != "" {
		if h.packets, err = newPacketWriter(o.write, cmd.OutOrStdout(), src, paths, h.notes); err != nil {
			return fail(exitIO, errors.Join(err, m.stop()))
		}
		h.stack.Forward = h.packets.outcome
		if mode == flow.Apply {
			h.stack.Send = h.packets.send
		}
	}
	h.progress = newProgress(cmd.ErrOrStderr(), cmd.OutOrStdout(), o.quiet)
	return h.replay(cmd.ErrOrStderr(), src, stop, m, &o)
}

// check reads what the flags say and refuses what makes no sense.
func (o *replayOptions) check(paths []string) (flow.VerdictMode, error) {
	if len(o.scripts) == 0 && len(o.print) == 0 && o.write == "" && !o.stats {
		return 0, usagef("nothing to do: give scripts with -s, events with --print (as in --print flow.conn_end), a file with --write, or --stats")
	}
	if err := notAmong(o.write, paths); err != nil {
		return 0, err
	}
	switch {
	case o.jobs < 1:
		return 0, usagef("--jobs %d: 1 to %d", o.jobs, engine.MaxShards)
	case o.jobs > 1 && o.write != "":
		return 0, usagef("--write needs the packets in order: leave --jobs out")
	case o.jobs > 1 && o.online:
		return 0, usagef("--online holds the packets up while it asks: leave --jobs out")
	case o.jobs > 1 && o.verdicts != "record":
		return 0, usagef("--verdicts %s needs the packets in order: leave --jobs out", o.verdicts)
	case o.jobs > 1 && o.checkNative:
		return 0, usagef("--check-native takes what another job writes in between for a difference: leave --jobs out")
	case o.batch < 1:
		return 0, usagef("--batch %d: 1 or more", o.batch)
	}
	return verdictMode(o.verdicts)
}

// replay runs src to its end and writes everything that comes of it.
func (h *house) replay(logs io.Writer, src *merged, stop *interrupt, m *meter, o *replayOptions) error {
	over := stop.listen()
	stats, readErr := h.feed(src, stop)
	over()
	var errs []error
	if err := h.out.Flush(); err != nil {
		errs = append(errs, fmt.Errorf("write records: %w", err))
	}
	if h.packets != nil {
		if err := h.packets.finish(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := h.engine.SaveState(); err != nil {
		errs = append(errs, err)
	}
	if err := m.stop(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fail(exitIO, errors.Join(errs...))
	}
	if !o.quiet {
		h.summary(logs, stats)
	}
	if o.stats {
		m.report(logs, stats.Frames, src.offset())
	}
	if err := h.tellWhere(logs); err != nil {
		return err
	}
	switch {
	case errors.Is(readErr, errInterrupted):
		return interruptedAfter(stats.Frames)
	case readErr != nil:
		return fail(exitIO, readErr)
	case h.engine.Stats().Errors > 0:
		return fail(exitFinding, fmt.Errorf("scripts raised %s", plural(h.engine.Stats().Errors, "error")))
	}
	return nil
}

// summary tells a person what happened.
func (h *house) summary(w io.Writer, fs flow.Stats) {
	st := h.engine.Stats()
	fmt.Fprintf(w, "%d packets, %d connections, %d events handled", fs.Frames, fs.Conns, st.Events)
	fmt.Fprintf(w, "; %d decisions, %d alerts, %d script errors\n", h.out.Counts().Decisions, st.Alerts, st.Errors)
	h.seen.write(w)
	h.forwarded(w, fs)
	writeCounts(w, "not handled", []count{
		{fs.NotIP - fs.UnknownLinks, "packets without IP"},
		{fs.UnknownLinks, fmt.Sprintf("packets of a link type that is not read (%s)", capture.LinkType(fs.UnknownLink))},
		{fs.Malformed, "malformed"},
		{fs.Truncated, "cut off in the headers"},
		{fs.Compressed.Refused(), "compressed packets that could not be inflated"},
	})
	writeCounts(w, "blocks", []count{
		{fs.Blocks.Blocked, "prefixes blocked"}, {fs.Blocked, "packets from or to them"}, {fs.Blocks.Never, "that are never blocked refused"},
	})
	writeCounts(w, "sent", []count{{fs.Sent, "packets by scripts"}, {fs.Unsent, "could not be sent"}})
	writeCounts(w, "limits", []count{
		{st.Refused, "raised events refused"},
		{st.PostsRefused, "posts between shards refused"},
		{st.LinesDropped, "log lines dropped"},
		{st.AlertsDropped, "alerts dropped"},
		{st.TimerSkips, "timer periods skipped"},
		{fs.Evicted, "connections evicted"},
		{fs.NotHeld, "segments not held"},
		{fs.Unread, "bytes of streams that the capture no longer has"},
		{fs.CutLists, "lists of flow.conns cut short"},
		{fs.OverlapDisputes, "connections whose rules disagree on overlaps"},
		{fs.Blocks.Full, "blocks refused"},
	})
	writeRules(w, h.engine.Rules())
}

// writeRules writes the counters of the rules as a table.
func writeRules(w io.Writer, rules []engine.RuleStatus) {
	if len(rules) == 0 {
		return
	}
	width := 4
	for i := range rules {
		width = max(width, len(rules[i].Script)+2+len(rules[i].Name))
	}
	fmt.Fprintf(w, "%-*s  %10s %10s %10s %7s\n", width, "rule", "seen", "matched", "decided", "errors")
	for i := range rules {
		r := &rules[i]
		note := ""
		if r.Suspended {
			note = "  suspended"
		}
		fmt.Fprintf(w, "%-*s  %10d %10d %10d %7d%s\n", width, r.Script+": "+r.Name, r.Seen, r.Matched, r.Decided, r.Errors, note)
	}
}

// count is one counter of the summary.
type count struct {
	n    uint64
	what string
}

// writeCounts writes those counters that counted something, on one line.
func writeCounts(w io.Writer, title string, counts []count) {
	var parts []string
	for _, c := range counts {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "%s: %s\n", title, strings.Join(parts, ", "))
	}
}
