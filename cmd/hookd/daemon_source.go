package main

import (
	"context"
	"errors"
	"io"

	"github.com/hookd/hookd/stacks/flow/feed"
)

// sources are where a daemon's packets come from.
type sources struct {
	list    []feed.Source
	closers []io.Closer
}

func (s *sources) add(src interface {
	feed.Source
	io.Closer
},
) {
	s.list, s.closers = append(s.list, src), append(s.closers, src)
}

func (s *sources) close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openSources opens what the flags name and makes the feed of it.
func (d *daemon) openSources() error {
	cfg, err := d.sources()
	if err != nil {
		return err
	}
	d.feed = feed.New(cfg)
	return nil
}

// sources opens what the flags name.
func (d *daemon) sources() (feed.Config, error) {
	o := d.options
	cfg := feed.Config{
		Shards: d.engine.Shards(), Front: d.front, Clocked: true, Stay: o.stay,
		Begin: d.engine.Start,
	}
	if len(o.pcap) > 0 {
		loop, err := o.openLoop()
		if err != nil {
			return cfg, err
		}
		d.source.add(loop)
		cfg.Clocked = o.speed == "1x"
		cfg.Passed = d.passed
		cfg.Between = d.records.Room
	}
	if len(o.interfaces) > 0 {
		if err := d.openLive(&cfg); err != nil {
			return cfg, err
		}
	}
	cfg.Sources = d.source.list
	return cfg, nil
}

// openLoop opens the captures once, so that what cannot be read is said at once.
func (o *runOptions) openLoop() (*feed.Loop, error) {
	keep, err := newPacketFilter(o.filter)
	if err != nil {
		return nil, err
	}
	open := func() (feed.Reader, error) {
		m, err := openMerged(context.Background(), o.pcap, nil)
		if err != nil {
			return nil, err
		}
		m.filter = keep
		return m, nil
	}
	first, err := open()
	if err != nil {
		return nil, fail(exitIO, err)
	}
	if err := first.Close(); err != nil {
		return nil, fail(exitIO, err)
	}
	return feed.NewLoop(feed.LoopConfig{Open: open, Passes: o.loop, Paced: o.speed == "1x"}), nil
}
