package flow_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

func surveyed(v *flow.Survey) (ids []uint64) {
	for i := range v.Conns {
		ids = append(ids, v.Conns[i].Conn)
	}
	return ids
}

// TestSurvey checks which connections are listed, and what is told of them.
func TestSurvey(t *testing.T) {
	t.Parallel()
	n := crossing(t)
	for _, tt := range []struct {
		filter        string
		limit         int
		want          []uint64
		matched, open int
	}{
		{"", 100, []uint64{6, 5, 4, 3, 2, 1}, 6, 6},
		{"", 2, []uint64{6, 5}, 6, 6},
		{"udp", 100, []uint64{5, 2}, 2, 6},
		{"tcp and port 80", 100, []uint64{1}, 1, 6},
		{"host 192.0.2.1", 100, nil, 0, 6},
	} {
		v, err := n.s.Survey(tt.filter, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, surveyed(v)); diff != "" || v.Matched != tt.matched || v.Open != tt.open || v.Partial {
			t.Errorf("%q: %s%+v", tt.filter, diff, v)
		}
	}
	if _, err := n.s.Survey("prot 80", 10); err == nil || !strings.Contains(err.Error(), "prot") {
		t.Errorf("a filter that is none: %v", err)
	}
	v, err := n.s.Survey("tcp and port 80", 10)
	if err != nil {
		t.Fatal(err)
	}
	c := v.Conns[0]
	if c.Proto != "tcp" || c.Client.Endpoint != "10.0.0.1:40000" || c.Server.Endpoint != "10.0.0.2:80" || c.Client.State != "established" || c.Client.Pkts != 2 || !strings.HasPrefix(c.CID, "1:") {
		t.Errorf("%+v", c)
	}
}

// TestSurveyUnderTraffic surveys stacks in which connections come and go: what is
// listed is there once, in order, and packets do not wait for it.
func TestSurveyUnderTraffic(t *testing.T) {
	t.Parallel()
	set := event.NewShards(2, event.Apart, 0)
	front := flow.NewFront(set, flow.Config{MaxConns: 4000})
	stop := make(chan struct{})
	done := make(chan int)
	go func() {
		frames := 0
		for ; ; frames++ {
			select {
			case <-stop:
				done <- frames
				return
			default:
			}
			a := netip.AddrFrom4([4]byte{10, byte(frames >> 16), byte(frames >> 8), byte(frames)})
			f := pt.UDP(netip.AddrPortFrom(a, 1000), netip.MustParseAddrPort("192.0.2.1:53"), "x")
			var p flow.Parcel
			front.Sort(&p, 1, f, len(f), int64(frames)*1000)
			s := set.At(p.Shard())
			s.Enter()
			front.Take(&p)
			s.Leave()
		}
	}()
	deadline := time.Now().Add(500 * time.Millisecond)
	most := 0
	for time.Now().Before(deadline) {
		v, err := front.Survey("", 1000)
		if err != nil {
			t.Fatal(err)
		}
		ids := surveyed(v)
		most = max(most, len(ids))
		for i := 1; i < len(ids); i++ {
			if ids[i] >= ids[i-1] {
				t.Fatalf("connection %d is listed behind %d", ids[i], ids[i-1])
			}
		}
	}
	close(stop)
	if frames := <-done; frames < 1000 || most < 1000 {
		t.Errorf("%d frames, %d listed at most", frames, most)
	}
}
