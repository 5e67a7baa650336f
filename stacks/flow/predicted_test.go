package flow_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestPredicted sends segments of which most are predicted, then one whose fate depends on what those said, and
// expects the same where nothing is predicted.
func TestPredicted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first func(n *net) [][]byte
		last  func(n *net) []byte
		want  string // of the last
	}{
		"beyond the window, as far as the largest was": {
			func(n *net) [][]byte {
				return [][]byte{n.srv(1, 1, ack, "", pt.Window(60000)), n.srv(1, 1, ack, "", pt.Window(10))}
			},
			func(n *net) []byte { return n.c(100000, 1, ack, "far") },
			"pkt_in.snd/C pkt_in.rcv/S",
		},
		"beyond all windows": {
			func(n *net) [][]byte {
				return [][]byte{n.srv(1, 1, ack, "", pt.Window(600)), n.srv(1, 1, ack, "", pt.Window(10))}
			},
			func(n *net) []byte { return n.c(300000, 1, ack, "far") },
			"pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:3",
		},
		"the next bytes, and some again": {
			func(n *net) [][]byte {
				return [][]byte{n.c(1, 1, ack, "one"), n.srv(1, 4, ack, ""), n.c(4, 1, ack, "two")}
			},
			func(n *net) []byte { return n.c(4, 1, ack, "twoo") },
			"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data new_data/S:6+1",
		},
		"acknowledged before it was seen": {
			func(n *net) [][]byte {
				return [][]byte{n.c(1, 1, ack, "one"), n.srv(1, 9, ack, ""), n.srv(1, 9, ack, "x")}
			},
			func(n *net) []byte { return n.c(4, 2, ack, "after") },
			"pkt_in.snd/C pkt_in.rcv/S new_data/S:3+5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said [2]string
			var stats [2]flow.Stats
			for i, how := range []flow.VerdictMode{flow.Record, flow.Apply} {
				n := newNet(t, flow.Config{WindowSlack: 1, Verdicts: how})
				small := pt.Window(1000)
				n.send(n.c(0, 0, syn, "", small), n.srv(0, 1, syn|ack, "", small), n.c(1, 1, ack, "", small))
				before := n.send(tt.first(n)...)
				last := n.send(tt.last(n))
				n.want("the last", last, tt.want)
				said[i] = fmt.Sprint(before, last, n.conn().Client().Window(), n.conn().Server().Window())
				n.s.Close()
				stats[i] = n.s.Stats()
			}
			if diff := cmp.Diff(said[1], said[0]); diff != "" {
				t.Errorf("(-all the long way +predicted):\n%s", diff)
			}
			if diff := cmp.Diff(stats[1], stats[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPredictedUnheard begins where the server's SYN was not seen: what it acknowledges has to be noted before
// anything is predicted.
func TestPredictedUnheard(t *testing.T) {
	t.Parallel()
	for _, how := range []flow.VerdictMode{flow.Record, flow.Apply} {
		n := newNet(t, flow.Config{WindowSlack: 1, Verdicts: how})
		n.send(n.c(0, 0, syn, ""), n.c(1, 1, ack, ""), n.srv(1, 1, ack, "x", pt.Window(10)), n.c(1, 2, ack, ""))
		n.want("states", n.states(), "established established")
		n.want("far bytes", n.send(n.c(1<<24, 2, ack, "far")), "pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:3")
	}
}
