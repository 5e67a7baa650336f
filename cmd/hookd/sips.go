package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/edge"
	"github.com/hookd/hookd/stacks/sip/ladder"
	"github.com/hookd/hookd/stacks/sip/services"
)

// sipListeners keeps up what scripts declare by sip.listen.
type sipListeners struct{ group *edge.Group }

// Prepare implements [engine.Fixtures].
func (l sipListeners) Prepare(list []engine.Fixture) (engine.FixtureChange, []error) {
	wanted := make([]edge.Listen, len(list))
	for i := range list {
		wanted[i] = edge.Listen{Name: list[i].Name, Options: list[i].Options, Dir: filepath.Dir(list[i].Script)}
	}
	change, errs := l.group.Prepare(wanted)
	if change == nil {
		return nil, errs
	}
	return change, errs
}

// sipSets keeps up what scripts declare by dispatcher.set. A trial beside an engine only
// checks them.
type sipSets struct {
	desk  *services.Desk
	trial bool
}

// Prepare implements [engine.Fixtures].
func (s sipSets) Prepare(list []engine.Fixture) (engine.FixtureChange, []error) {
	wanted := make([]services.Declared, len(list))
	for i := range list {
		wanted[i] = services.Declared{Name: list[i].Name, Options: list[i].Options}
	}
	change, errs := s.desk.PrepareSets(wanted)
	if change == nil || s.trial {
		return nil, errs
	}
	return change, errs
}

// sipFunctions are what SIP policies call.
type sipFunctions struct {
	*services.Desk
	*edge.Requests
}

var _ sipev.Functions = sipFunctions{}

// sipStatus is what status says of SIP.
type sipStatus struct {
	Listeners []edge.ListenerView `json:"listeners"`
	Open      int                 `json:"open"` // transactions that exist
	Began     uint64              `json:"began"`
	Requests  uint64              `json:"requests"`
	Replies   uint64              `json:"replies"`
	// Seen counts messages that passed and were looked at.
	Seen uint64 `json:"seen,omitempty"`
}

// sipStatus returns nil where SIP is neither served nor seen.
func (d *daemon) sipStatus() *sipStatus {
	list := d.sips.Listeners()
	seen := uint64(0)
	if d.seen != nil {
		seen = d.seen.stats().Found.Messages
	}
	if len(list) == 0 && seen == 0 {
		return nil
	}
	s := d.sips.Stats()
	return &sipStatus{Listeners: list, Open: s.Open, Began: s.Began, Requests: s.Requests, Replies: s.Replies, Seen: seen}
}

func (st *sipStatus) write(w io.Writer) {
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "SIP listener %s: %s at %s, %d connections\n", l.Name, l.URL, l.Addr, l.Conns)
	}
	if len(st.Listeners) > 0 {
		fmt.Fprintf(w, "%d SIP requests, %d replies, %d transactions (%d open)\n", st.Requests, st.Replies, st.Began, st.Open)
	}
	if st.Seen > 0 {
		fmt.Fprintf(w, "%d SIP messages seen that passed\n", st.Seen)
	}
}

// calls collects the calls whose Call-ID fits a glob, of the messages that are kept: of what
// is served, and of what passes.
func (d *daemon) calls(id string) []*ladder.Call {
	book := ladder.NewBook((&ladderOptions{callID: id}).wanted)
	add := func(m *sip.Kept) { book.Add(m.TS, m.From, m.To, m.Proto, m.Raw) }
	d.sips.Messages(add)
	if d.seen != nil {
		d.seen.messages(add)
	}
	return book.Calls
}

// ladder draws those calls for who sits at a console.
func (d *daemon) ladder(id string, width int) (string, error) {
	calls := d.calls(id)
	if len(calls) == 0 {
		return "", fmt.Errorf("no message is kept of a call %s; max_kept says how many are", id)
	}
	var b strings.Builder
	for _, c := range calls {
		if err := c.Draw(&b, ladder.Style{Width: width}); err != nil {
			return "", err
		}
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
