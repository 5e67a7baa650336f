package main

import (
	"regexp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// streamWords are the words by which a script gets at bytes that were sent
// before: a connection's streams, and the first copy of what is sent again.
var streamWords = regexp.MustCompile(`\b(?:sent|old|differ)\b`)

// readsStreams reports whether any of the scripts may read kept bytes. It errs
// on the side of keeping them: a word in a comment counts.
func readsStreams(sources []engine.Source) bool {
	for _, src := range sources {
		if streamWords.Match(src.Text) {
			return true
		}
	}
	return false
}

// printsStreams reports whether the records of a hook point tell of kept bytes.
func printsStreams(id event.PointID) bool {
	return id == flowev.OnRexmitRcv.ID() || id == flowev.OnRexmitSnd.ID()
}
