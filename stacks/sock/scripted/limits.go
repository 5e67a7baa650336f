package scripted

import (
	"strconv"

	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/image"
	"github.com/hookd/hookd/stacks/sock/survey"
)

// Limit is a bound of the stack, as `hookd doc limits` lists it.
type Limit struct{ Name, Default, Doc string }

// DocLimits lists the stack's bounds.
func DocLimits() []Limit {
	return []Limit{
		{"lease", sock.DefaultLease.String(), "for which packets of a connection stay blocked (hookd sock checkpoint --lease)"},
		{"held", "65536", "packets that are held in a network namespace; what comes beyond is dropped (fixed)"},
		{"queue", strconv.Itoa(image.MaxQueue), "bytes of a connection's queue in an image (fixed)"},
		{"sockets", strconv.Itoa(survey.MaxSockets), "sockets that are looked at (fixed)"},
		{"found", strconv.Itoa(MaxFound), "connections that one sock.find lists (fixed)"},
		{"kept", strconv.Itoa(MaxKept), "connections that scripts know; the first found are forgotten (fixed)"},
		{"blackout_budget", Budget.String(), "for all handlers of one blackout together; later hook points of it are not raised; settings { sock = { blackout_budget = … } }"},
	}
}
