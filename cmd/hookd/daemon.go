package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/trace"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/feed"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/sip/edge"
	"github.com/hookd/hookd/stacks/sip/services"
	"github.com/hookd/hookd/stacks/sock/scripted"
)

// daemon is a house that stays: its rules are reloaded, it is asked and told over
// the control socket, and it ends by a signal.
//
// Who adds a command against it writes a method that registers its requests and a
// line in [daemon.serve]. A request runs in a goroutine of its own: it enters the
// shard where it touches what belongs to it.
type daemon struct {
	*house
	options *runOptions
	opts    engineOptions // that the engine was made with
	trials  atomic.Uint64
	trial   atomic.Pointer[engine.Engine] // that runs beside the live one; nil: none
	paths   []string
	log     *slog.Logger
	level   *slog.LevelVar
	logs    *trace.Outlet // log lines
	records *trace.Outlet // alerts, decisions, printed events
	state   *statedir.Dir

	watcher   *watch.Watcher
	reloader  *reload.Reloader
	control   *control.Server
	listener  atomic.Pointer[net.Listener] // of control; nil: none, or none yet
	scraped   atomic.Pointer[http.Server]  // where --metrics says; nil: nowhere
	takeover  *takeover                    // of the daemon before; nil: there is none
	noPackets sync.Once                    // it was said that none come in
	leaving   atomic.Bool                  // to the daemon that comes after this one,
	left      atomic.Bool                  // which has all there was to give
	end       context.CancelFunc
	front     *flow.Front
	wanting   sync.Mutex // who asks what is read, and tells the front
	feed      *feed.Feed
	loops     *loop.Group
	sips      *edge.Group
	socks     *scripted.Stack
	looping   bool // they run, or ran
	manager   serviceManager
	line      *statusLine // nil: no terminal
	source    sources
	live      []*liveInterface // of the sources, those that are interfaces
	passes    passCounts

	begun time.Time
	phase atomic.Int32 // of type phase
	tasks sync.WaitGroup
}

// phase is where a daemon is in its life.
type phase int32

const (
	starting phase = iota
	running
	stopping
)

// String returns the word that status shows.
func (p phase) String() string { return [...]string{"starting", "running", "stopping"}[p] }

// newDaemon wires a daemon, loads its scripts and opens what it needs. Nothing
// runs yet but what writes records and log lines.
func newDaemon(o *runOptions, paths []string, stdout, stderr io.Writer) (d *daemon, err error) {
	d = &daemon{options: o, paths: paths, begun: time.Now(), level: new(slog.LevelVar)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	opts, err := o.engineOptions(stderr, paths)
	if err != nil {
		return d, err
	}
	if len(o.pcap) == 0 && opts.shards > 1 {
		opts.drive = event.Apart // a capture is read by one, and comes to the same each time
	}
	d.opts = opts
	opts.threadCPU, opts.reading = threadCPU, d.keepRead
	if err := d.openOutlets(stdout, stderr); err != nil {
		return d, fail(exitIO, err)
	}
	// First of all: where another daemon runs, its state is not touched.
	if o.control != "" && !o.takeover {
		l, err := control.Listen(o.control)
		if err != nil {
			return d, fail(exitIO, err)
		}
		d.listener.Store(&l)
	}
	d.loops = newLoops(loop.Config{Tuning: opts.loop, Log: slog.New(slog.NewTextHandler(d.logs, nil))})
	opts.loops = d.loops
	opts.desk = services.New(opts.services)
	d.opts.desk, opts.sip.Watcher = opts.desk, opts.desk
	proveRoutes(&opts.sip, opts.state, slog.New(slog.NewTextHandler(d.logs, nil)))
	d.sips = edge.New(edge.Config{SIP: opts.sip, Log: slog.New(slog.NewTextHandler(d.logs, nil))})
	opts.sips = d.sips
	d.socks = scripted.New(opts.sock, slog.New(slog.NewTextHandler(d.logs, nil)))
	opts.socks = d.socks
	d.house = newHouse(opts, o.debug, d.records, d.logs)
	d.log = slog.New(slog.NewTextHandler(d.logs, &slog.HandlerOptions{Level: d.level}))
	d.manager = serviceManager{d.log}
	if o.debug {
		d.level.Set(slog.LevelDebug)
	} else if o.console {
		d.level.Set(slog.LevelWarn) // who sits there is told what becomes of what they do
	}
	d.state = opts.state
	if err := d.tap([]string{alwaysPrinted}); err != nil {
		return d, err
	}
	if len(o.pcap) > 0 || opts.sniff.Live {
		d.seen = observeSIP(d.engine, d.sink, opts.sip, opts.sniff, &d.house.stack)
	}
	d.front = flow.NewFront(d.engine.Shards(), d.house.stack)
	d.front.Install(d.flow)
	if err := d.openLoops(); err != nil {
		return d, err
	}
	if o.takeover {
		if err := d.comeAfter(); err != nil {
			return d, err
		}
	}
	err = d.loadScripts(stderr)
	if err = errors.Join(err, d.loops.Disinherit()); err != nil {
		return d, err
	}
	if err := d.openSources(); err != nil {
		return d, err
	}
	if len(d.live) > 0 || o.user != "" {
		if err := d.dropPrivileges(); err != nil {
			return d, err
		}
	}
	d.control = control.NewServer(d.log)
	if err := d.serve(); err != nil {
		return d, err
	}
	return d, nil
}

// openOutlets makes what log lines and records are written through.
func (d *daemon) openOutlets(stdout, stderr io.Writer) (err error) {
	kept := func(w io.Writer) func() (io.WriteCloser, error) {
		return func() (io.WriteCloser, error) { return notClosed{w}, nil }
	}
	logs := stderr
	if d.line = newStatusLine(stderr, stdout); d.line != nil {
		logs = d.line
	}
	if d.logs, err = trace.NewOutlet(kept(logs), 0); err != nil {
		return err
	}
	open := kept(stdout)
	if name := d.options.log; name != "" {
		open = func() (io.WriteCloser, error) {
			return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		}
	}
	d.records, err = trace.NewOutlet(open, 0)
	return err
}

// notClosed is a stream of the process, which outlives the daemon.
type notClosed struct{ io.Writer }

func (notClosed) Close() error { return nil }

// loadScripts makes the first generation live.
func (d *daemon) loadScripts(stderr io.Writer) error {
	o := d.options
	cfg := reload.Config{
		Engine: d.engine, State: d.state, Log: d.log, Published: d.published,
		MaxErrors: o.maxErrors, Probation: o.probation,
	}
	if o.verify {
		cfg.Verify = verify
	}
	d.watcher = watch.New(watch.Config{Paths: d.paths, Poll: o.poll, Log: d.log})
	d.reloader = reload.New(cfg)
	var change watch.Change
	if len(d.paths) > 0 { // a console may have no scripts at all
		change = d.watcher.Read()
	}
	out := d.reloader.Apply(change)
	if err := report(stderr, out.Diags); err != nil {
		return fail(exitIO, err)
	}
	if out.Err == nil {
		return nil
	}
	d.watcher.Again()
	if o.start == "last-good" {
		return d.restore(stderr)
	}
	if change.Err != nil {
		return fail(exitIO, change.Err)
	}
	return fail(exitScripts, out.Err)
}

// restore begins with the scripts that were live last.
func (d *daemon) restore(stderr io.Writer) error {
	kept, err := reload.LastGood(d.state)
	if err != nil {
		return fail(exitScripts, fmt.Errorf("scripts do not load, and %w", err))
	}
	out := d.reloader.Restore(kept)
	if out.Err != nil {
		return fail(exitScripts, errors.Join(
			errors.New("scripts do not load, and neither do those that were live last"), report(stderr, out.Diags), out.Err))
	}
	d.log.Warn("scripts do not load; those that were live last are live again", "hash", out.Hash)
	return nil
}

// published follows each publication.
func (d *daemon) published(g *engine.Generation) {
	d.watcher.SetData(g.Files)
	d.wantStreams()
	d.loops.Wake()
	d.sips.Wake()
	if phase(d.phase.Load()) == running {
		d.manager.status(d.liveLine())
	}
	d.log.Info("live", "generation", g.Number, "hash", g.Hash, "changed", len(g.Changed))
	o := d.options
	if !o.console && len(o.interfaces)+len(o.pcap) == 0 && wantsPackets(g.Plan()) {
		d.noPackets.Do(func() {
			d.log.Warn("there are rules on events of flow, and no packets come in: -i IFACE or --pcap FILE says where from")
		})
	}
}

// wantsPackets reports whether a plan has hook points that only packets lead to.
func wantsPackets(plan []string) bool {
	return slices.ContainsFunc(plan, func(line string) bool {
		return strings.HasPrefix(line, "flow.") && !strings.HasPrefix(line, "flow.block_")
	})
}

// serve registers what the control socket answers.
func (d *daemon) serve() error {
	d.serveStatus()
	d.serveReload()
	d.serveConsole()
	d.serveLooks()
	d.serveHandover()
	return d.serveMetrics()
}

// run serves until ctx ends, a signal comes, or the captures are over.
func (d *daemon) run(parent context.Context) error {
	stop := newInterrupt(parent)
	ctx, cancel := context.WithCancel(stop.ctx)
	defer cancel()
	d.end = cancel
	if !d.options.console {
		over := stop.listen()
		defer over()
	}
	d.phase.Store(int32(running))
	if l := d.listener.Load(); l != nil {
		d.tasks.Go(func() { d.whileServing(cancel, d.control.Serve(*l)) })
	}
	if len(d.paths) > 0 {
		d.tasks.Go(func() { d.whileServing(cancel, d.reloader.Run(ctx, d.watcher)) })
	}
	d.tasks.Go(func() { d.onHangup(ctx) })
	d.tasks.Go(func() { d.keepWriting(ctx) })
	d.tasks.Go(func() { d.keepAlive(ctx) })
	d.tasks.Go(func() { d.showStatus(ctx) })
	d.manager.ready(d.liveLine())
	drain, drainSIP := d.runServer(ctx, d.loops, cancel), d.runServer(ctx, d.sips, cancel)
	d.looping = true
	if d.takeover != nil {
		d.tasks.Go(func() { d.whileServing(cancel, d.goOn(ctx)) })
	}
	err := d.feed.Run(ctx)
	d.phase.Store(int32(stopping))
	d.manager.stopping()
	err = errors.Join(err, drainSIP(), drain())
	reason := hookdev.StopReasonDone
	switch {
	case stop.happened():
		reason = hookdev.StopReasonSignal
	case err != nil:
		reason = hookdev.StopReasonError
	}
	if d.seen != nil {
		d.seen.close()
	}
	d.engine.Stop(reason)
	cancel()
	if err != nil {
		return fail(exitIO, err)
	}
	return nil
}

// whileServing ends the daemon where one of its parts could not go on.
func (d *daemon) whileServing(cancel func(), err error) {
	if err != nil && !d.left.Load() {
		d.log.Error("the daemon ends", "err", err)
		cancel()
	}
}

// close ends what runs, in the order in which things need each other, and writes
// what is left.
func (d *daemon) close() error {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	// Who gave up being root may not remove the socket that root made: the next
	// start does.
	if d.control != nil {
		if err := d.control.Close(); !errors.Is(err, fs.ErrPermission) && !errors.Is(err, net.ErrClosed) {
			add(err)
		}
	}
	if l := d.listener.Load(); l != nil {
		if err := (*l).Close(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, fs.ErrPermission) {
			add(err)
		}
	}
	if s := d.scraped.Load(); s != nil {
		add(s.Close())
	}
	d.tasks.Wait()
	if d.takeover != nil {
		add(d.takeover.close())
	}
	add(d.source.close())
	if d.socks != nil {
		add(d.socks.Close())
	}
	if d.loops != nil && !d.looping {
		d.loops.Close()
		d.sips.Close()
	}
	if d.house != nil {
		add(d.out.Flush())
		if d.phase.Load() != int32(starting) {
			add(d.saveState())
		}
		d.engine.Close()
	}
	for _, o := range []*trace.Outlet{d.records, d.logs} {
		if o != nil {
			add(o.Close())
		}
	}
	if len(errs) > 0 {
		return fail(exitIO, errors.Join(errs...))
	}
	return nil
}
