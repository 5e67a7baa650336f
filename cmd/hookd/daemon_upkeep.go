package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// pushEvery is how often records that wait are written: a record is in its file
	// within a second.
	pushEvery = 250 * time.Millisecond
	// saveEvery is how often stores that persist are written.
	saveEvery = 30 * time.Second
)

// keepWriting writes out what is buffered, and what persists.
func (d *daemon) keepWriting(ctx context.Context) {
	push, save := time.NewTicker(pushEvery), time.NewTicker(saveEvery)
	defer push.Stop()
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-push.C:
			d.out.Push() // into the outlet, which does not wait
		case <-save.C:
			if err := d.saveState(); err != nil {
				d.log.Error("stores are not saved", "err", err)
			}
		}
	}
}

// saveState writes stores that persist, unless they are the next daemon's by now.
func (d *daemon) saveState() error {
	if d.left.Load() {
		return nil
	}
	return d.engine.SaveState()
}

// onHangup reloads, and opens the log file anew, at each SIGHUP.
func (d *daemon) onHangup(ctx context.Context) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			if err := d.records.Reopen(); err != nil {
				d.log.Error("the log file is not opened anew", "err", err)
			}
			d.manager.reloading()
			if _, err := d.reloader.Reload(ctx, d.watcher); err != nil {
				return // it ends
			}
			d.manager.ready(d.liveLine())
		}
	}
}
