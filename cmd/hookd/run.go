package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/flow/capture/live"
)

// runOptions are the flags of run.
type runOptions struct {
	houseOptions
	interfaces  []string
	promiscuous bool
	ring        int // MiB
	user        string
	pcap        []string
	speed       string
	loop        int
	stay        bool
	filter      string
	control     string
	takeover    bool
	log         string
	start       string
	metrics     string
	verify      bool
	maxErrors   uint64
	probation   time.Duration
	poll        bool
	drain       time.Duration
	console     bool // somebody sits in this terminal, and signals are for them
}

func newRun() *cobra.Command {
	o := runOptions{houseOptions: houseOptions{daemon: true}}
	cmd := &cobra.Command{
		Use:   "run [PATH...]",
		Short: "The daemon: rules on live traffic, reloaded when they change",
		Long: `Run loads the scripts below the paths (./scripts without one), watches them, and
runs them on what comes in: packets of interfaces with -i, of captures with --pcap,
or nothing but time.
A script that is saved is live at once, with nothing lost; one that does not load
is refused, and the rules before it go on.

Alerts and decisions go to standard output as JSON lines, or to --log FILE; log
lines to standard error. The other commands ask and tell a running daemon over
its control socket, which only its owner and root may use.

SIGHUP reloads, and opens --log anew. SIGTERM and SIGINT end it in order: what came
in is handled, connections end, everything is written. A second one ends it now.
Without --stay it ends too when its captures do.`,
		Example: `  sudo hookd run scripts -i eth0 --filter 'tcp port 443'
  hookd run scripts --pcap calls.pcap --speed 1x --loop 0
  hookd run scripts --state /var/lib/hookd --start last-good`,
		RunE: func(cmd *cobra.Command, args []string) error { return runDaemon(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringSliceVarP(&o.interfaces, "interface", "i", nil, "packets of these interfaces, live")
	f.BoolVar(&o.promiscuous, "promiscuous", false, "also packets that are addressed to other hosts")
	f.IntVar(&o.ring, "ring", live.RingBytes>>20, "MiB of memory per interface that the kernel fills before it drops packets")
	f.StringVar(&o.user, "user", "", "who to be once interfaces are open; without it, started by sudo, who called that")
	f.StringArrayVar(&o.pcap, "pcap", nil, "packets of this capture (repeatable: merged by time)")
	f.StringVar(&o.speed, "speed", "max", "of --pcap: 1x keeps the pace of the capture, as if it were now; max is as fast as it goes")
	f.IntVar(&o.loop, "loop", 1, "read --pcap so many times, time going on; 0 is without end")
	f.BoolVar(&o.stay, "stay", false, "go on when the captures end, until a signal")
	f.StringVar(&o.filter, "filter", "", "only packets that this pcap-filter expression selects")
	f.StringVar(&o.control, "control", defaultControl(), controlUsage)
	f.BoolVar(&o.takeover, "takeover", false, "go on for the daemon at the control socket: with its listeners and their plain connections; it ends when the scripts are live here, and serves on if they are not. What stores and state change while they load here stays with it")
	f.StringVar(&o.log, "log", "", "file for alerts and decisions, instead of standard output")
	f.StringVar(&o.start, "start", "files", "what to begin with where the scripts do not load: files (nothing: end with exit code 3), or last-good (those that were live last, of --state)")
	f.BoolVar(&o.verify, "verify", false, "run the specs of changed scripts before they go live; one that fails refuses them")
	f.Uint64Var(&o.maxErrors, "max-errors", 0, "take a generation back whose scripts raise more errors than that within --probation; 0: never")
	f.DurationVar(&o.probation, "probation", time.Minute, "how long --max-errors looks at a generation")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "how long connections of listeners get to end when the daemon does")
	f.BoolVar(&o.poll, "poll", false, "look at the files once a second instead of being told by the kernel")
	f.BoolVar(&o.console, "console", false, "a console in this terminal; the daemon ends when it is left")
	f.IntVar(&o.shards, "shards", 0, "spread connections over so many shards, each with a ring and a goroutine of its own where there are interfaces; 1 by default")
	f.StringVar(&o.metrics, "metrics", "", "[ADDRESS:]PORT where Prometheus finds /metrics; a port alone is on 127.0.0.1. Without it only at the control socket")
	f.BoolVar(&o.observe, "observe", false, "rules record what they would decide, and decide nothing")
	f.StringArrayVar(&o.flow, "flow", nil, flowUsage)
	f.StringArrayVar(&o.limit, "limit", nil, "NAME=VALUE: set a limit; 'hookd doc limits' lists them (repeatable)")
	f.StringVar(&o.state, "state", "", "directory for stores that persist and the scripts that were live last")
	f.BoolVar(&o.debug, "debug", false, "show debug log lines")
	return cmd
}

// controlUsage describes --control.
const controlUsage = "path of the daemon's control socket"

// defaultControl is where the control socket is without --control: beside the
// user's other sockets, for root in /run.
func defaultControl() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "hookd.sock")
	}
	if os.Geteuid() == 0 {
		return "/run/hookd.sock"
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("hookd-%d.sock", os.Geteuid()))
}

// check refuses what makes no sense.
func (o *runOptions) check(paths []string) error {
	switch {
	case len(paths) == 0:
		return usagef(noScripts)
	case o.speed != "1x" && o.speed != "max":
		return usagef("--speed %s: 1x or max", o.speed)
	case len(o.pcap) > 0 && len(o.interfaces) > 0:
		return usagef("--pcap and --interface: one or the other")
	case o.ring < 1 || o.ring > 2048:
		return usagef("--ring %d: 1 to 2048", o.ring)
	case o.loop < 0:
		return usagef("--loop %d: 0 or more", o.loop)
	case o.start != "files" && o.start != "last-good":
		return usagef("--start %s: files or last-good", o.start)
	case o.takeover && (o.control == "" || len(o.pcap) > 0):
		return usagef("--takeover goes on for the daemon at --control, and not with --pcap")
	case o.start == "last-good" && o.state == "":
		return usagef("--start last-good: --state DIR says where they are kept")
	}
	return nil
}

// runDaemon runs one daemon from its start to its end.
func runDaemon(cmd *cobra.Command, paths []string, o *runOptions) error {
	if len(paths) == 0 {
		paths = defaultPaths()
	}
	if err := o.check(paths); err != nil {
		return err
	}
	if o.console {
		o.stay = true
		return runWithConsole(cmd, paths, o)
	}
	d, err := newDaemon(o, paths, cmd.OutOrStdout(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return errors.Join(d.run(ctx), d.close())
}
