package loop

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/fieldtest"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/plain"
)

// filter selects connections; nil selects all.
type filter func(c any) bool

func (f filter) matches(c *Conn) bool { return f == nil || f(c) }

var connFields = fieldtest.Reader{Family: loopev.Family}

// readFilter reads the filter of loop.conns: a table, or a number.
func readFilter(v any) (filter, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case float64:
		return connFields.Compile("loop.conn", []event.KV{{Key: "id", Value: v}})
	case []event.KV:
		return connFields.Compile("loop.conn", v)
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("a table or a number expected, got %s", plain.Describe(v))
}
