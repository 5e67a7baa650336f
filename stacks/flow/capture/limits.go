package capture

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/setting"
)

// FixedLimits lists the limits of what a capture may hold; it ends, as damaged, at what goes beyond. They bound the
// memory that reading it takes.
func FixedLimits() []setting.Doc {
	limit := func(name string, n int, doc string) setting.Doc {
		return setting.Doc{Name: name, Value: strconv.Itoa(n), Doc: doc, Limit: true}
	}
	return []setting.Doc{
		limit("packet", MaxFrame, "captured bytes of a packet; a capture is damaged where one claims more"),
		limit("block", maxBlock, "bytes of a pcapng block of a packet or an interface, with its options; others are passed over at any length"),
		limit("interfaces", MaxInterfaces, "interfaces of a section of a pcapng capture"),
	}
}
