package flow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// TestSettings sets what people write and wants what the stack takes, and the text of it.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		value any
		want  flow.Config
		text  string
		err   string
	}{
		{name: "pick_up", value: true, want: flow.Config{PickUp: true}, text: "true"},
		{name: "pick_up", value: "true", want: flow.Config{PickUp: true}, text: "true"},
		{name: "pick_up", value: 1.0, text: "false", err: "boolean expected, got 1"},
		{name: "decap", value: "vxlan,gre", want: flow.Config{Decap: packet.VXLAN | packet.GRE}, text: "gre,vxlan"},
		{name: "decap", value: []any{"ipip"}, want: flow.Config{Decap: packet.IPIP}, text: "ipip"},
		{name: "decap", value: "all", want: flow.Config{Decap: packet.AllTunnels}, text: packet.AllTunnels.String()},
		{name: "decap", value: "none", text: "none"},
		{name: "rst", value: "any", want: flow.Config{RST: flow.RSTAny}, text: "any"},
		{name: "rst", value: "no", text: "window", err: `window, exact, any expected, got "no"`},
		{name: "overlap_client", value: "last", want: flow.Config{ClientOverlap: flow.OverlapLast}, text: "last"},
		{name: "max_conns", value: 5.0, want: flow.Config{MaxConns: 5}, text: "5"},
		{name: "max_conns", value: 0.0, text: "1000000", err: "a whole number from 1 to 2147483647 expected, got 0"},
		{name: "buffer_side", value: "16KiB", want: flow.Config{BufferSide: 16 << 10}, text: "16384"},
		{name: "idle_timeout", value: "1m", want: flow.Config{IdleTimeout: time.Minute}, text: "1m0s"},
		{name: "idle_timeout", value: "0s", text: "5m0s", err: "a time is more than 0"},
		{name: "time_wait", value: 0.0, text: "0s"},
		{name: "gap_wait", value: "0s", want: flow.Config{GapWait: -1}, text: "0s"},
		{name: "udp_timeout", value: "never", want: flow.Config{UDPTimeout: -1}, text: "never"},
		{name: "none", value: "x", err: "there is no such setting"},
	} {
		var c flow.Config
		err := c.Set(tc.name, tc.value)
		if got := message(err); got != tc.err {
			t.Errorf("%s = %v: got error %q, want %q", tc.name, tc.value, got, tc.err)
		}
		if diff := cmp.Diff(tc.want, c); diff != "" {
			t.Errorf("%s = %v: %s", tc.name, tc.value, diff)
		}
		for _, s := range c.Settings() {
			if s.Name == tc.name && s.Value != tc.text {
				t.Errorf("%s = %v: it reads %s, want %s", tc.name, tc.value, s.Value, tc.text)
			}
			if err := (&flow.Config{}).Set(s.Name, s.Value); err != nil {
				t.Errorf("%s: its own text %q is refused: %v", s.Name, s.Value, err)
			}
		}
	}
	if err := new(flow.Config).Set("x", 1.0); !errors.Is(err, setting.ErrNone) {
		t.Error(err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
