package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/inspect"
)

// alwaysPrinted are the events that are printed without being asked for: what scripts block is decided
// as verdicts are.
const alwaysPrinted = "flow.block_*"

// tap prints the events of the hook points that the patterns name.
func (h *house) tap(patterns []string) error {
	points, err := h.points(patterns)
	if err != nil {
		return err
	}
	for _, p := range points {
		h.engine.Tap(p.ID, h.out.Event)
	}
	return nil
}

// points returns the hook points that any of the patterns names, each once.
func (h *house) points(patterns []string) ([]*event.PointInfo, error) {
	var all []*event.PointInfo
	for _, pattern := range patterns {
		points, err := h.engine.Catalogue().Match(pattern)
		if err != nil {
			return nil, usagef("--print %s: %w", pattern, err)
		}
		if len(points) == 0 {
			return nil, usagef("--print %s: no such hook point; 'hookd hooks' lists them", pattern)
		}
		for _, p := range points {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// printEvents prints what is always printed, and those events of the patterns
// that the expression selects, all where it is empty. Notes go to w.
func (h *house) printEvents(w io.Writer, patterns []string, where string) error {
	if where == "" {
		return h.tap(append([]string{alwaysPrinted}, patterns...))
	}
	if len(patterns) == 0 {
		return usagef("--where selects what --print prints: say what that is")
	}
	points, err := h.points(patterns)
	if err != nil {
		return err
	}
	f, diags, err := inspect.NewFilter(h.engine, where, points)
	if err != nil {
		return fail(exitIO, err)
	}
	if f == nil {
		if err := report(w, diags); err != nil {
			return fail(exitIO, err)
		}
		return usagef("--where: the expression is wrong")
	}
	h.where = f
	tellLeftOut(w, f.LeftOutNames())
	for _, p := range f.Taken {
		h.engine.Tap(p.ID, func(s *event.Shard, info *event.Info, where *event.PointInfo, e any) {
			if f.Selects(s, info, where, e) {
				h.out.Event(s, info, where, e)
			}
		})
	}
	always, err := h.points([]string{alwaysPrinted})
	if err != nil {
		return err
	}
	for _, p := range always {
		if !slices.Contains(points, p) {
			h.engine.Tap(p.ID, h.out.Event)
		}
	}
	return nil
}

// tellLeftOut says for which hook points --where has no meaning.
func tellLeftOut(w io.Writer, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(w, "hookd: --where has no meaning for %s\n", strings.Join(names, ", "))
	}
}

// tellWhere says on how many events the expression failed. That it was stopped is
// an error.
func (h *house) tellWhere(w io.Writer) error {
	if h.where == nil {
		return nil
	}
	if n, last := h.where.Errors(); n > 0 {
		fmt.Fprintf(w, "hookd: %d events not selected: %s\n", n, last)
	}
	if h.where.Stopped() {
		return fail(exitFinding, errors.New("--where takes too long: nothing was selected any more"))
	}
	return nil
}

func (h *house) closeWhere() {
	if h.where != nil {
		h.where.Close()
	}
}
