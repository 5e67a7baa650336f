package flow_test

import (
	"math"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestEndOfTime lets packets come so late, or timeouts last so long, that deadlines lie behind the last
// time there is: nothing ends by silence then, and nothing hangs.
func TestEndOfTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg flow.Config
		at  int64
	}{
		"late packets":  {flow.Config{}, math.MaxInt64 - 5e9},
		"long timeouts": {flow.Config{HandshakeTimeout: math.MaxInt64, IdleTimeout: math.MaxInt64, UDPTimeout: math.MaxInt64}, start},
		"the very last": {flow.Config{}, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := event.NewShard(0)
			s := flow.New(sh, tt.cfg)
			send := func(f []byte, at int64) { s.Frame(packet.LinkEthernet, f, len(f), at) }
			send(pt.TCP(endpoint(1), endpoint(2), 1, 0, syn, ""), tt.at)
			send(pt.UDP(endpoint(1), endpoint(2), "x"), tt.at)
			if err := s.Block(nil, "10.9.9.9", math.MaxInt64, true, ""); err != nil {
				t.Fatal(err)
			}
			if st := s.Stats(); st.Open != 2 {
				t.Errorf("open at once: %d", st.Open)
			}
			for _, at := range []int64{math.MaxInt64 - int64(time.Second), math.MaxInt64, math.MaxInt64} {
				send(pt.UDP(endpoint(3), endpoint(2), "x"), at)
			}
			if st := s.Stats(); st.Open != 3 || st.Idle != 0 {
				t.Errorf("%d open, %d were idle", st.Open, st.Idle)
			}
			s.Close()
		})
	}
}
