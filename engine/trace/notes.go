package trace

import (
	"strconv"

	"github.com/hookd/hookd/engine"
)

// maxNotes bounds how many decisions are noted between two calls of [Notes.Take].
const maxNotes = 64

// Notes is an [engine.Sink] that passes everything on to another one, and notes what rules decide
// until that is taken: once for each packet.
type Notes struct {
	engine.Sink
	list []note
	more uint64
}

type note struct {
	conn    uint64
	verdict string
	text    string
}

// Decision implements [engine.Sink].
func (n *Notes) Decision(r *engine.DecisionRecord) {
	n.Sink.Decision(r)
	if len(n.list) == maxNotes {
		n.more++
		return
	}
	text := r.Verdict + " by " + r.Script + ": " + r.Rule + " at " + r.Point
	if r.Observe {
		text += " (observed)"
	}
	n.list = append(n.list, note{conn: r.Conn, verdict: r.Verdict, text: text})
}

// Take appends to b what was decided about the connection of that number, or outside connections
// where it is 0, one after the other with "; " between them, and forgets all. "flow.cut by a.lua:
// no-telnet at flow.conn_start.snd" is one. Of more than 64 it tells how many there were.
func (n *Notes) Take(b []byte, conn uint64) []byte {
	for i := range n.list {
		if l := &n.list[i]; l.conn == conn || l.conn == 0 {
			if len(b) > 0 {
				b = append(b, "; "...)
			}
			b = append(b, l.text...)
		}
	}
	if n.more > 0 {
		b = append(b, "; and "...)
		b = strconv.AppendUint(b, n.more, 10)
		b = append(b, " more"...)
	}
	n.list, n.more = n.list[:0], 0
	return b
}

// Deciding returns the text of the last decision for that verdict, "flow.cut", about the connection
// of that number; empty for none.
func (n *Notes) Deciding(conn uint64, verdict string) string {
	for i := len(n.list) - 1; i >= 0; i-- {
		if l := &n.list[i]; l.conn == conn && l.verdict == verdict {
			return l.text
		}
	}
	return ""
}
