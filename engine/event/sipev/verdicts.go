package sipev

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// String says what is answered: "403 Forbidden". Header fields are left out: a challenge among them is another
// each time.
func (a *ReplyArgs) String() string {
	return strings.TrimSpace(fmt.Sprint(a.Code, " ", a.Reason))
}

// String says where it goes and how: "sip:b@192.0.2.2 timeout=5s", several with spaces between; no place where
// Route or the request's URI say it.
func (a *RelayArgs) String() string {
	var w event.Words
	w.Say(a.To)
	for _, uri := range a.Fork {
		w.Say(uri)
	}
	list, _ := a.Targets.([]any)
	for _, target := range list {
		sayTarget(&w, target)
	}
	if a.NextHop != "" {
		w.Say("by " + a.NextHop)
	}
	w.Name(a.HasTimeout, "timeout", a.Timeout)
	w.Name(a.OnFailure != nil, "on_failure", a.OnFailure)
	if a.RecordRoute {
		w.Say("record_route")
	}
	return w.String()
}

// sayTarget says one of the targets: its URI, and what else a relay reads of it.
func sayTarget(w *event.Words, target any) {
	if uri, ok := target.(string); ok {
		w.Say(uri)
		return
	}
	fields, _ := target.([]event.KV)
	said := map[string]any{}
	for _, kv := range fields {
		said[kv.Key] = kv.Value
	}
	if uri, ok := said["uri"].(string); ok {
		w.Say(uri)
	}
	if hop, ok := said["next_hop"].(string); ok {
		w.Say("by " + hop)
	}
	for _, name := range [...]string{"route", "socket", "step", "backup"} {
		v := said[name]
		w.Name(v != nil && v != 1.0 && v != false, name, v)
	}
}
