package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
)

// TestCancelCrosses has a CANCEL meet what is under way.
func TestCancelCrosses(t *testing.T) {
	t.Parallel()
	const canceled = "request_in CANCEL, response_pre_out 200 local, ! 200 caller, response_out 200 local"
	for _, row := range []struct {
		name   string
		before func(r *rig)
		want   string
		then   func(r *rig)
		after  string
	}{
		{
			"a 200 that went to the caller", func(r *rig) { r.reply("A", "INVITE", 200, "ta") }, canceled,
			func(r *rig) { r.ack("ack", "ta") }, "e2eack_in, ! ACK A",
		},
		{
			"a 200 of the callee", func(r *rig) { r.reply("A", "INVITE", 180, "ta") },
			"request_in CANCEL, e2ecancel_in, ! CANCEL A, response_pre_out 200 local, ! 200 caller, response_out 200 local",
			func(r *rig) { r.reply("A", "CANCEL", 481, "ta"); r.reply("A", "INVITE", 200, "ta") },
			"response_in 481, response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200",
		},
		{
			"a 486 that went to the caller", func(r *rig) { r.reply("A", "INVITE", 486, "ta") }, canceled,
			func(r *rig) { r.ackNegative() }, "ack_neg_in",
		},
		{
			"a 486 of the callee", func(r *rig) { r.reply("A", "INVITE", 180, "ta") },
			"request_in CANCEL, e2ecancel_in, ! CANCEL A, response_pre_out 200 local, ! 200 caller, response_out 200 local",
			func(r *rig) { r.reply("A", "INVITE", 486, "ta") },
			"response_in 486, ! ACK A, on_branch_failure 486, on_failure_ro 486, on_failure 486, response_fwded 486 of 486, response_pre_out 486, ! 486 caller, response_out 486",
		},
		{
			"a callee that is silent from then on", func(r *rig) { r.reply("A", "INVITE", 180, "ta") },
			"request_in CANCEL, e2ecancel_in, ! CANCEL A, response_pre_out 200 local, ! 200 caller, response_out 200 local",
			func(r *rig) { r.reply("A", "CANCEL", 200, "ta"); r.after(32 * time.Second) },
			"response_in 200, on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 487 cancel, ! 487 caller, response_out 487 cancel",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil, quiet...)
			r.invite()
			row.before(r)
			r.log = nil
			r.cancel()
			r.want("CANCEL", row.want)
			row.then(r)
			r.want("then", row.after)
			r.after(2 * time.Minute)
			r.empty()
		})
	}
}

// TestCancelFirst: a CANCEL that overtakes its INVITE finds nothing, and what comes
// behind it is not given up.
func TestCancelFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.recv("caller", strings.Replace(dialogRequest("CANCEL", 1, "inv", ""), "Max-Forwards: 70", "Max-Forwards: 0", 1))
	r.want("CANCEL", "request_in CANCEL, response_pre_out 481 local, ! 481 caller, response_out 481 local")
	r.invite()
	r.want("INVITE", "request_in INVITE, ! 100 caller, request_fwded 0, ! INVITE A")
}

// TestCancelOld is a CANCEL of a caller that knows no unique branches (RFC 2543): it is
// matched by what came, not by what rules made of it.
func TestCancelOld(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["request_in"] = func(e any) event.Verdict {
		if err := e.(*sipev.RequestIn).M.RURI().SetUser(nil, []byte("other")); err != nil {
			t.Error(err)
		}
		return relayTo("sip:a@192.0.2.11")
	}
	old := func(method string) {
		r.recv("caller", strings.Replace(dialogRequest(method, 1, "inv", ""), ";branch=z9hG4bKinv", "", 1))
	}
	old("INVITE")
	r.reply("A", "INVITE", 180, "ta")
	r.log = nil
	old("CANCEL")
	r.want("CANCEL", "request_in CANCEL, e2ecancel_in, ! CANCEL A, response_pre_out 200 local, ! 200 caller, response_out 200 local")
}
