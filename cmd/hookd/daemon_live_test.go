package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// TestWhoSelects: the kernel takes a filter's program if it is not too long, and once
// it was too long for one ring, all of them select by themselves.
func TestWhoSelects(t *testing.T) {
	t.Parallel()
	long := "host 10.0.0.1" + strings.Repeat(" or (host 10.0.0.2 and port 5060 and len > 100 or net 192.0.2.0/24 and tcp[13] & 2 != 0)", 200)
	for _, tt := range []struct {
		expr string
		ours bool
	}{{"tcp port 5060", false}, {long, true}} {
		keep, err := newPacketFilter(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		who := &choice{expr: keep.expr}
		var rings sync.WaitGroup
		for range 4 {
			rings.Go(func() {
				for range 3 {
					prog, err := who.program(uint16(capture.LinkTypeEthernet), 65535)
					if err != nil || len(prog) == 0 != tt.ours {
						t.Errorf("%.20s: a program of %d instructions, %v", tt.expr, len(prog), err)
					}
				}
			})
		}
		rings.Wait()
		if who.ours.Load() != tt.ours {
			t.Errorf("%.20s: hookd selects: %t", tt.expr, who.ours.Load())
		}
	}
}
