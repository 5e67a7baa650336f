package sip

import (
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// merged makes one reply of all that ask for credentials, so that the caller can meet
// every one (RFC 3261, 16.7, step 7).
func (t *Tx) merged(pick *Branch) *Message {
	var fields []byte
	v := &t.stack.trial
	for _, b := range t.branches {
		if !b.challenges() || b.shown(v) == nil {
			continue
		}
		for _, n := range [...]msg.Name{msg.WWWAuthenticate, msg.ProxyAuthenticate} {
			for i := v.Index(0, n, ""); i >= 0; i = v.Index(i+1, n, "") {
				value := msg.Unfold(nil, v.Field(i).Value)
				fields = msg.AppendField(fields, n.String(), string(value))
			}
		}
	}
	reason := "Unauthorized"
	if pick.code == 407 {
		reason = "Proxy Authentication Required"
	}
	return t.stack.faked(t, sipev.FakedByMerged, pick.code, reason, fields)
}
