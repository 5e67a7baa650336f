package flow

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/flow/layers"
)

// FixedLimits lists the limits that are no settings: what one call lists or copies, and what one
// connection carries.
func FixedLimits() []setting.Doc {
	limit := func(name string, n int, doc string) setting.Doc {
		return setting.Doc{Name: name, Value: strconv.Itoa(n), Doc: doc, Limit: true}
	}
	return []setting.Doc{
		limit("conns_listed", maxListed, "connections that one flow.conns lists"),
		limit("conns_looked_at", maxLookedAt, "connections that one flow.conns looks at"),
		limit("blocks_listed", maxBlocksListed, "blocks that one flow.blocks lists"),
		limit("block_reason", maxReason, "bytes that are kept of why an address is blocked"),
		limit("tags", maxTags, "tags of a connection"),
		limit("tag_bytes", maxTagLen, "bytes of a tag"),
		limit("takers", maxTakers, "scripts that take from one stream"),
		limit("gaps_listed", maxGiven, "gaps of a stream that are remembered, the latest"),
		limit("rst_answers", maxAnswers, "RSTs made for what comes after a reset"),
		limit("layers", layers.MaxLayers, "layers that pkt:layers() decodes"),
		limit("layer_list", layers.MaxList, "items of a list in a layer"),
		limit("layer_bytes", layers.MaxBytes, "bytes of a field of a layer"),
	}
}
