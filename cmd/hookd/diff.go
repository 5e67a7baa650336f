package main

import (
	"bufio"
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/compare"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/capture"
)

type diffOptions struct {
	houseOptions
	old, new []string
	filter   string
	format   string
	show     uint64 // how many differences are printed; 0: all
}

func newDiff() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff CAPTURE... --old PATH --new PATH",
		Short: "Show what a change of rules would have decided differently",
		Long: `Diff replays captures through two sets of rules side by side, packet by packet,
and prints each spot at which another verdict would have held, and each alert
that only one of them gives. Both sets see the traffic as it was captured. Script
errors are counted, and are a difference where one set has more. Packets have the
numbers that they have in the capture, or in all of them merged by time.

The exit code is 0 where nothing differs and 1 where something does. SIGINT and
SIGTERM end it in order, with the summary of what was compared; it is then 130.`,
		Example: `  hookd diff monday.pcap --old rules --new rules.next
  git stash; cp -r rules /tmp/before; git stash pop
  hookd diff monday.pcap --old /tmp/before --new rules --format json`,
		Args: captures,
		RunE: func(cmd *cobra.Command, args []string) error { return diff(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.old, "old", nil, "script, or directory of scripts, as it was (repeatable)")
	f.StringArrayVar(&o.new, "new", nil, "script, or directory of scripts, as it would be (repeatable)")
	f.StringVar(&o.filter, "filter", "", "only packets that this pcap-filter expression selects")
	f.StringVar(&o.format, "format", "text", "text or json")
	f.Uint64Var(&o.show, "show", 0, "print so many differences at most; all are counted (default all)")
	f.IntVar(&o.shards, "shards", 0, "spread connections over so many shards; 1 by default")
	f.StringArrayVar(&o.flow, "flow", nil, flowUsage)
	f.StringArrayVar(&o.limit, "limit", nil, "NAME=VALUE: set a limit; 'hookd doc limits' lists them (repeatable)")
	return cmd
}

// differences is where differences are written.
type differences interface {
	Write(compare.Place, compare.Difference)
	Summary(packets uint64, c *compare.Comparison)
	Err() error
}

func diff(cmd *cobra.Command, paths []string, o *diffOptions) error {
	if len(o.old) == 0 || len(o.new) == 0 {
		return usagef("two sets of rules are compared: give --old and --new")
	}
	records := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	var out differences
	shown := compare.Shown{Most: o.show}
	switch o.format {
	case "text":
		out = &compare.Text{W: records, Shown: shown}
	case "json":
		lines := compare.NewJSON(records)
		lines.Shown, out = shown, lines
	default:
		return usagef("--format %s: text or json", o.format)
	}
	both := compare.New(catalogue.New(catalogue.All()...), ends)
	var lanes [2]*lane
	for i, set := range []struct {
		name  string
		paths []string
		side  *compare.Side
	}{{"--old", o.old, both.Old}, {"--new", o.new, both.New}} {
		var err error
		if lanes[i], err = newLane(cmd.ErrOrStderr(), &o.houseOptions, set.paths, set.side); err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		defer lanes[i].engine.Close()
	}
	stop := newInterrupt(cmd.Context())
	src, err := attend(paths, o.filter, stop, cmd.InOrStdin(), cmd.ErrOrStderr(), cmd.OutOrStdout(), records.Flush)
	if err != nil {
		return err
	}
	defer src.Close()
	over := stop.listen()
	packets, readErr := feedLanes(src, lanes, both, out)
	over()
	out.Summary(packets, both)
	switch err := cmp.Or(out.Err(), records.Flush()); {
	case err != nil:
		return fail(exitIO, fmt.Errorf("write differences: %w", err))
	case readErr != nil:
		return src.failed(readErr)
	case both.Different():
		return fail(exitFinding, nil)
	}
	return nil
}

// ends names a connection by its ends.
func ends(k event.Kept) string {
	if c, ok := k.(flowev.Conn); ok {
		return fmt.Sprintf("%s > %s", c.Client().Endpoint(), c.Server().Endpoint())
	}
	return k.Label()
}

// feedLanes runs every packet through both lanes and writes what they say
// differently. What was read before an error counts.
func feedLanes(src storedFrames, lanes [2]*lane, both *compare.Comparison, out differences) (uint64, error) {
	var f capture.Frame
	var packets uint64
	at := compare.Place{Start: true}
	step := func() { both.Step(func(d compare.Difference) { out.Write(at, d) }) }
	err := src.Next(&f)
	at.TS = f.TS
	for _, l := range lanes {
		l.begin(src)
		l.engine.Start(f.TS)
	}
	step()
	at.Start = false
	for err == nil && out.Err() == nil {
		packets++
		at.Packet = packets + src.passedOver()
		at.TS = max(at.TS, f.TS)
		for _, l := range lanes {
			l.frame(&f)
		}
		step()
		err = src.Next(&f)
	}
	reason, err := endedBy(err)
	at.Packet = 0
	for _, l := range lanes {
		err = cmp.Or(err, l.end(reason))
	}
	step()
	return packets, err
}
