package craft_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/craft"
)

// ended collects the connections that a stack says ended.
type ended struct{ list []string }

func (e *ended) Dispatch(_ *event.Shard, _ event.PointID, ev any) event.Verdict {
	end := ev.(*flowev.ConnEnd)
	c, s := end.C.Client(), end.C.Server()
	e.list = append(e.list, strings.Join([]string{
		c.Endpoint().String(), s.Endpoint().String(), end.Reason.String(), count(c), count(s),
	}, " "))
	return event.Verdict{}
}

// count renders what a peer sent: bytes/packets/retransmissions/gaps.
func count(p flowev.Peer) string {
	var b strings.Builder
	for _, n := range []uint64{p.Bytes(), p.Pkts(), p.Rexmits(), p.Gaps()} {
		b.WriteByte('/')
		b.WriteString(strings.TrimSpace(string(event.AppendJSONFloat(nil, float64(n)))))
	}
	return b.String()[1:]
}

// TestConn checks that the flow stack understands what is made by hand.
func TestConn(t *testing.T) {
	big := []byte(strings.Repeat("x", 4000))
	tests := []struct {
		name           string
		client, server string
		do             func(c *craft.Conn) error
		want           string
	}{
		{"close", "10.0.0.1:1", "10.0.0.2:80", func(c *craft.Conn) error {
			c.Open()
			c.Close()
			return nil
		}, "10.0.0.1:1 10.0.0.2:80 fin 0/4/0/0 0/2/0/0"},
		{"data", "[fd00::1]:1", "[fd00::2]:80", func(c *craft.Conn) error {
			c.Open()
			if err := c.Send(craft.Client, big); err != nil {
				return err
			}
			if err := c.Send(craft.Server, []byte("ok")); err != nil {
				return err
			}
			c.FIN(craft.Client)
			c.FIN(craft.Server)
			return nil
		}, "[fd00::1]:1 [fd00::2]:80 fin 4000/8/0/0 2/5/0/0"},
		{"resend", "10.0.0.1:1", "10.0.0.2:80", func(c *craft.Conn) error {
			c.Open()
			if err := c.Send(craft.Client, []byte("hello")); err != nil {
				return err
			}
			if err := c.Resend(craft.Client); err != nil {
				return err
			}
			c.RST(craft.Server)
			return nil
		}, "10.0.0.1:1 10.0.0.2:80 rst 5/4/1/0 0/3/0/0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got ended
			shard := event.NewShard(0)
			shard.Bind(&got, func(id event.PointID) bool { return id == flowev.OnConnEnd.ID() })
			stack := flow.New(shard, flow.Config{})
			ts := int64(0)
			c, err := craft.New(craft.Config{
				Client: netip.MustParseAddrPort(tt.client), Server: netip.MustParseAddrPort(tt.server), VLAN: 7,
			}, func(frame []byte) {
				ts += 1e6
				stack.Frame(1, frame, len(frame), ts)
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.do(c); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, got.list); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRefused checks what cannot be made.
func TestRefused(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("[fd00::1]:2")
	if _, err := craft.New(craft.Config{Client: a, Server: b}, nil); err == nil {
		t.Error("a connection of two IP versions was made")
	}
	if _, err := craft.New(craft.Config{Client: a}, nil); err == nil {
		t.Error("a connection to nowhere was made")
	}
	c, err := craft.New(craft.Config{Client: a, Server: a}, func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Resend(craft.Client); !errors.Is(err, craft.ErrNothingSent) {
		t.Errorf("resend of nothing: %v", err)
	}
	if err := c.Send(craft.Client, make([]byte, craft.MaxSend+1)); err == nil {
		t.Error("more was sent than may be")
	}
}
