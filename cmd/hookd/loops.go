package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqtt"
	"github.com/hookd/hookd/stacks/loop/nameserver"
	"github.com/hookd/hookd/stacks/loop/socks"
	"github.com/hookd/hookd/stacks/loop/web"
)

// protocols are those that listeners, loop.dial and c:use can name.
func protocols() []loop.Protocol {
	http := web.New()
	return []loop.Protocol{
		http,
		http.Sockets(),
		mqtt.New(),
		nameserver.New(),
		socks.New(),
	}
}

// newLoops makes the event loops, which open nothing before they are started.
func newLoops(cfg loop.Config) *loop.Group {
	cfg.Protocols = protocols()
	g, err := loop.New(cfg)
	if err != nil {
		panic(fmt.Sprintf("hookd: %v", err)) // the list above is wrong
	}
	return g
}

// listeners keeps up what scripts declare by loop.listen.
type listeners struct{ group *loop.Group }

// Prepare implements [engine.Fixtures].
func (l listeners) Prepare(list []engine.Fixture) (engine.FixtureChange, []error) {
	wanted := make([]loop.Listen, len(list))
	for i := range list {
		wanted[i] = loop.Listen{Name: list[i].Name, Options: list[i].Options, Dir: filepath.Dir(list[i].Script)}
	}
	change, errs := l.group.Prepare(wanted)
	if change == nil {
		return nil, errs
	}
	return change, errs
}

// openLoops makes the loops ready for listeners, before the scripts are loaded, unless
// time is that of captures which are read as fast as they go: sockets live by the
// clock.
func (d *daemon) openLoops() error {
	if len(d.options.pcap) > 0 && d.options.speed != "1x" {
		d.log.Warn("captures are read at full speed: no listeners are opened, no connections made; --speed 1x keeps the clock")
		return nil
	}
	if err := d.loops.Start(d.engine.Shards()); err != nil {
		return fail(exitIO, err)
	}
	if err := d.sips.Start(d.engine.Shards()); err != nil {
		return fail(exitIO, err)
	}
	d.socks.Start(control.Listen, startKeeper)
	return nil
}

// server is what has listeners and connections: the event loops, SIP.
type server interface {
	Run(ctx context.Context) error
	Drain(within time.Duration)
}

// runServer runs s until the daemon's work is done, and then as long as connections take to
// end, at most for the time of --drain. It returns what waits for that.
func (d *daemon) runServer(ctx context.Context, s server, failed func()) (drain func() error) {
	done := make(chan error, 1)
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		err := s.Run(inner)
		if err != nil {
			failed()
		}
		done <- err
	}()
	return func() error {
		defer cancel()
		s.Drain(d.options.drain)
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}
