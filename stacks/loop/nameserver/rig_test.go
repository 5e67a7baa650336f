package nameserver

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio/dns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a group that runs, whose rules are a function.
type rig struct {
	t      *testing.T
	g      *loop.Group
	sh     *event.Shard
	points map[event.PointID]string
	decide func(e *loopev.DNSQuery) event.Verdict
	faults int
	wants  bool
}

// Dispatch implements [event.Dispatcher].
func (r *rig) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *loopev.DNSQuery:
		return r.decide(e)
	case *loopev.Error:
		r.faults++
	}
	return event.Verdict{}
}

// Await implements [event.Awaiter].
func (r *rig) Await(sh *event.Shard, id event.PointID, e any, _ event.Kept, then func(event.Verdict, error)) {
	then(r.Dispatch(sh, id, e), nil)
}

// CancelWaits implements [event.Awaiter].
func (r *rig) CancelWaits(*event.Shard, event.Kept) {}

func (r *rig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

// newRig serves over UDP and TCP, and returns where.
func newRig(t *testing.T, names dns.Settings, decide func(*loopev.DNSQuery) event.Verdict) (r *rig, udp, tcp netip.AddrPort) {
	t.Helper()
	g, err := loop.New(loop.Config{Protocols: []loop.Protocol{New()}, Names: dns.Config{Settings: names}})
	if err != nil {
		t.Fatal(err)
	}
	set := event.NewShards(1, event.Together, 0)
	if err := g.Start(set); err != nil {
		t.Fatal(err)
	}
	r = &rig{t: t, g: g, sh: set.At(0), points: map[event.PointID]string{}, decide: decide, wants: true}
	for _, info := range loopev.Family.Events {
		for _, p := range info.Points {
			r.points[p.ID] = p.Name
		}
	}
	r.do(func() {
		r.sh.Bind(r, func(id event.PointID) bool {
			return r.wants && (r.points[id] == "loop.dns_query" || r.points[id] == "loop.error")
		})
	})
	change, errs := g.Prepare([]loop.Listen{
		{Name: "udp", Options: []event.KV{{Key: "url", Value: "dns://127.0.0.1:0"}}},
		{Name: "tcp", Options: []event.KV{{Key: "url", Value: "dns+tcp://127.0.0.1:0"}}},
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	change.Commit()
	r.do(func() {
		list, _, _ := g.Conns(&event.Caller{Shard: r.sh}, []event.KV{{Key: "kind", Value: "listener"}})
		for _, c := range list.([]any) {
			c := c.(*loop.Conn)
			if name, _ := c.Listener(); name == "udp" {
				udp = c.Server().Endpoint()
			} else {
				tcp = c.Server().Endpoint()
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var live sync.WaitGroup
	live.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		live.Wait()
	})
	return r, udp, tcp
}

// dig asks as an operator does and returns what it prints.
func dig(t *testing.T, at netip.AddrPort, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("dig")
	if err != nil {
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatal(err)
		}
		t.Skip("dig is not installed (bind9-dnsutils)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append([]string{"@" + at.Addr().String(), "-p", at.String()[strings.LastIndex(at.String(), ":")+1:], "+tries=1", "+time=2"}, args...)
	out, _ := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out)
}
