package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/flow"
)

// TestTraceOfStreams: a trace whose expression reads what connections sent has that
// kept while it runs, though no script reads it.
func TestTraceOfStreams(t *testing.T) {
	d, _, c := loaded(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reads := func() bool { return d.engine.Reads(flow.StreamFields()...) }
	for _, where := range []string{"client.sent:len() > 0", "server.sent:len() > 0 and server.sent:peek(0, 1) ~= ''"} {
		if reads() {
			t.Error("streams are wanted before anybody reads them")
		}
		seen := false
		err := c.Lines(ctx, "/trace?pattern=flow.new_data&where="+url.QueryEscape(where), func(line []byte) bool {
			seen = strings.Contains(string(line), `"event":"flow.new_data"`)
			return !seen
		})
		if err != nil || !seen {
			t.Errorf("%s: seen %t, %v", where, seen, err)
		}
		for i := 0; reads() && i < 60_000; i++ {
			time.Sleep(time.Millisecond) // until the server has heard that nobody listens
		}
	}
	if reads() {
		t.Error("streams are wanted when nobody reads them any more")
	}
}
