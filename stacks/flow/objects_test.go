package flow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
)

func TestTags(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	c := n.conn()
	tag := func(word string) error { return c.Tag(nil, word) }
	if err := errors.Join(tag("b"), tag("a"), tag("b"), tag("c"), c.Untag(nil, "a"), c.Untag(nil, "zz")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"b", "c"}, c.Tags()); d != "" || !c.Tagged("b") || c.Tagged("a") {
		t.Error(d)
	}
	if tag("") == nil || tag(strings.Repeat("x", 65)) == nil {
		t.Error("a tag of any length is taken")
	}
	for i := range 30 {
		if err := tag(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if tag("one more") == nil || tag("b") != nil {
		t.Error("the number of tags has no limit, or one that is there counts twice")
	}
	n.s.Close()
	if tag("late") == nil || c.Untag(nil, "b") == nil || len(c.Tags()) != 32 {
		t.Error("tags change after the end")
	}
}

// TestIdentity reads what remains of objects after the end.
func TestIdentity(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.from(1).open()
	n.from(2).open()
	c := n.conn()
	n.s.Close()
	got := []any{
		c.ID(), c.Label(), c.Ended(), c.Client().ID(), c.Server().ID(), c.Client().Label(), c.Server().Label(), c.Server().Ended(),
		fmt.Sprint(c.Client()), c.Server().IP().String(), c.Proto(), c.CID(),
	}
	want := []any{
		uint64(2), "connection 2", true, uint64(3), uint64(4), "client of connection 2", "server of connection 2", true,
		"10.0.0.1:2", "10.0.0.2", flowev.ProtoTCP, "1:9QNo9gV8C9W44U6WkH0pss/b/CA=",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestObjectsAreReused makes a new connection of an ended one, unless somebody hung data on it.
func TestObjectsAreReused(t *testing.T) {
	t.Parallel()
	for _, hold := range []string{"nothing", "conn", "client", "server"} {
		n := newNet(t, flow.Config{})
		var first, second flowev.Conn
		keep := false
		n.sh.Bind(dispatch(func(e any) {
			if end, ok := e.(*flowev.ConnEnd); ok {
				first, second = second, end.C
				if keep {
					switch hold {
					case "conn":
						end.C.Slots().Set("k", 1)
					case "client":
						end.C.Client().Slots().Set("k", 1)
					case "server":
						end.C.Server().Slots().Set("k", 1)
					}
				}
			}
		}), func(event.PointID) bool { return true })
		keep = true
		n.open()
		n.s.Close()
		keep = false
		n.open()
		n.s.Close()
		if (first == second) != (hold == "nothing") {
			t.Errorf("data on %s: object used again: %v", hold, first == second)
		}
	}
}

// dispatch is a function that sees every event.
type dispatch func(e any)

func (d dispatch) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	d(e)
	return event.Verdict{}
}

// TestVerdicts shows that the stack follows the capture whatever rules decide, and remembers what
// holds for a connection.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	answers := []event.VerdictKind{flowev.VerdictDrop, flowev.VerdictCut, flowev.VerdictReset, flowev.VerdictCut, flowev.VerdictDrop}
	var got []event.VerdictKind
	n.rec.on = func(e any) event.Verdict {
		p, ok := e.(*flowev.PktIn)
		if !ok || len(answers) == 0 {
			return event.Verdict{}
		}
		got = append(got, p.C.(*flow.Conn).Verdict())
		v := event.Verdict{Kind: answers[0]}
		answers = answers[1:]
		return v
	}
	n.open()
	n.send(n.c(1, 1, ack|psh, "data"))
	if d := cmp.Diff([]event.VerdictKind{0, 0, flowev.VerdictCut, flowev.VerdictReset, flowev.VerdictReset}, got); d != "" {
		t.Error(d)
	}
	n.want("bytes", n.got(flowev.SideClient), "data")
}
