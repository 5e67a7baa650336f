package flow

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/flow/filter"
)

// scoped asks scopes about the connections that start.
type scoped struct {
	t      *testing.T
	scopes map[string]func(any) bool
	got    map[string]bool
}

func (s *scoped) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	c := e.(*flowev.ConnStart).C
	for expr, scope := range s.scopes {
		s.got[expr] = scope(c)
		if n := testing.AllocsPerRun(100, func() { scope(c) }); n != 0 {
			s.t.Errorf("%s: %v allocations", expr, n)
		}
	}
	return event.Verdict{}
}

// TestCompileScope checks scopes on a connection of the stack, from client to
// server, and that they allocate nothing.
func TestCompileScope(t *testing.T) {
	want := map[string]bool{
		"dst net 216.58 and dst port 80":    true,
		"src net 216.58":                    false,
		"dst port 81":                       false,
		"tcp":                               true,
		"udp":                               false,
		"ip6":                               false,
		"vlan 7":                            true,
		"src host 10.0.0.1 and not port 81": true,
	}
	s := &scoped{t: t, scopes: map[string]func(any) bool{}, got: map[string]bool{}}
	for expr := range want {
		scope, err := CompileScope(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		s.scopes[expr] = scope
	}
	shard := event.NewShard(0)
	shard.Bind(s, func(id event.PointID) bool { return id == flowev.OnConnStartSnd.ID() })
	stack := New(shard, Config{})
	c, err := craft.New(craft.Config{
		Client: netip.MustParseAddrPort("10.0.0.1:40000"), Server: netip.MustParseAddrPort("216.58.0.10:80"), VLAN: 7,
	}, func(frame []byte) { stack.Frame(1, frame, len(frame), 1) })
	if err != nil {
		t.Fatal(err)
	}
	c.SYN()
	for expr, hit := range want {
		if got, asked := s.got[expr]; !asked || got != hit {
			t.Errorf("%s: %v, want %v", expr, got, hit)
		}
	}
	if s.scopes["tcp"]("no connection") {
		t.Error("something that is no connection is in scope")
	}
	var se *filter.SyntaxError
	if _, err := CompileScope("tcp[13] & 2 != 0"); !errors.As(err, &se) {
		t.Errorf("a byte test as a scope: %v", err)
	}
}
