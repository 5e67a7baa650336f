package scripted

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/image"
	"github.com/hookd/hookd/stacks/sock/survey"
)

// DocLimits lists the stack's bounds.
func DocLimits() []setting.Limit {
	return []setting.Limit{
		setting.TextLimit("lease", sock.DefaultLease.String(), "for which packets of a connection stay blocked (hookd sock checkpoint --lease)"),
		setting.TextLimit("held", "65536", "packets that are held in a network namespace; what comes beyond is dropped (fixed)"),
		setting.TextLimit("queue", strconv.Itoa(image.MaxQueue), "bytes of a connection's queue in an image (fixed)"),
		setting.TextLimit("sockets", strconv.Itoa(survey.MaxSockets), "sockets that are looked at (fixed)"),
		setting.TextLimit("found", strconv.Itoa(MaxFound), "connections that one sock.find lists (fixed)"),
		setting.TextLimit("kept", strconv.Itoa(MaxKept), "connections that scripts know; the first found are forgotten (fixed)"),
	}
}
