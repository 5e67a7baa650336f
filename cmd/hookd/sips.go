package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/edge"
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
}

// sipStatus returns nil where SIP is not served.
func (d *daemon) sipStatus() *sipStatus {
	list := d.sips.Listeners()
	if len(list) == 0 {
		return nil
	}
	s := d.sips.Stats()
	return &sipStatus{Listeners: list, Open: s.Open, Began: s.Began, Requests: s.Requests, Replies: s.Replies}
}

func (st *sipStatus) write(w io.Writer) {
	for _, l := range st.Listeners {
		fmt.Fprintf(w, "SIP listener %s: %s at %s, %d connections\n", l.Name, l.URL, l.Addr, l.Conns)
	}
	fmt.Fprintf(w, "%d SIP requests, %d replies, %d transactions (%d open)\n", st.Requests, st.Replies, st.Began, st.Open)
}
