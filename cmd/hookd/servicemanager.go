package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// serviceManager tells systemd, or what speaks its protocol, what is live
// (sd_notify, Type=notify-reload). Where nobody asked to be told it does nothing.
type serviceManager struct{ log *slog.Logger }

func (s serviceManager) tell(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		s.log.Warn("the service manager is not told", "err", err)
	}
}

// ready says what is live: at the start, and at the end of a reload.
func (s serviceManager) ready(status string) {
	s.tell(sd.SdNotifyReady + "\nSTATUS=" + status)
}

// reloading says that a reload began; ready ends it, whatever came of it.
func (s serviceManager) reloading() {
	s.tell(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec())
}

// status says what is live outside of a reload that was asked for.
func (s serviceManager) status(status string) { s.tell("STATUS=" + status) }

// stopping says that the daemon ends.
func (s serviceManager) stopping() { s.tell(sd.SdNotifyStopping + "\nSTATUS=draining") }

// keepAlive answers the service manager's watchdog, if it has one, as long as the
// shards can be entered: that is what all work of the daemon needs.
func (d *daemon) keepAlive(ctx context.Context) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		d.log.Warn("the watchdog is not answered", "err", err)
	}
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for i := range d.engine.Shards().Len() {
				shard := d.engine.Shard(i)
				shard.Enter()
				shard.Leave()
			}
			d.manager.tell(sd.SdNotifyWatchdog)
		}
	}
}

// liveLine is one line on what is live.
func (d *daemon) liveLine() string {
	rs := d.reloader.Status()
	line := fmt.Sprintf("generation %d (%.12s), %s", rs.Generation, rs.Hash, plural(len(d.engine.Rules()), "rule"))
	if rs.LastError != "" {
		line += "; refused: " + rs.LastError
	}
	return line
}
