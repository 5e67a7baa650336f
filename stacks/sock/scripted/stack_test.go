package scripted

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/survey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder notes what is raised and decides the same for all.
type recorder struct {
	seen   []event.PointID
	kind   event.VerdictKind
	takes  time.Duration
	events []any
}

func (r *recorder) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	r.seen, r.events = append(r.seen, id), append(r.events, e)
	time.Sleep(r.takes)
	return event.Verdict{Kind: r.kind}
}

func shard(r *recorder) *event.Shard {
	sh := event.NewShard(0)
	sh.Bind(r, func(event.PointID) bool { return true })
	return sh
}

func TestFilter(t *testing.T) {
	t.Parallel()
	k := survey.Socket{
		State: 1, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("[::ffff:10.0.0.2]:1024"),
		Owners: []survey.Owner{{PID: 7, FD: 3, Name: "nginx"}},
	}
	kv := func(name string, v any) any { return []event.KV{{Key: name, Value: v}} }
	for _, tt := range []struct {
		filter any
		takes  bool
		wrong  bool
	}{
		{nil, true, false},
		{kv("port", 80.0), true, false},
		{kv("port", 81.0), false, false},
		{kv("pid", 7.0), true, false},
		{kv("owner", "nginx"), true, false},
		{kv("owner", "sshd"), false, false},
		{kv("state", "established"), true, false},
		{kv("state", "listen"), false, false},
		{kv("address", "10.0.0.1:80"), true, false},
		{kv("peer_ip", "10.0.0.2"), true, false},
		{[]event.KV{{Key: "port", Value: 80.0}, {Key: "owner", Value: "sshd"}}, false, false},
		{kv("port", "80"), false, true},
		{kv("owner", 1.0), false, true},
		{kv("prot", 1.0), false, true},
		{"port 80", false, true},
	} {
		f, err := readFilter(tt.filter)
		if (err != nil) != tt.wrong {
			t.Errorf("%v: %v", tt.filter, err)
			continue
		}
		if err == nil && f(&k) != tt.takes {
			t.Errorf("%v: %v", tt.filter, !tt.takes)
		}
	}
}

// TestSteps raises one hook point for each step, and stops where a rule says so.
func TestSteps(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	s := New(Config{}, nil)
	c := &Conn{stack: s, sh: shard(r), id: 1}
	p := &passage{c: c}
	data := &sock.Data{State: sock.Established, InqLen: 3, OutqLen: 4}
	for step := sock.StepBefore; step <= sock.StepUp; step++ {
		k := &sock.Progress{Step: step}
		if step >= sock.StepDumped {
			k.Data = data
		}
		if err := p.observe(k); err != nil {
			t.Fatal(step, err)
		}
	}
	p.leave()
	if want := int(sock.StepUp) + 2; len(r.seen) != want { // and one for each queue
		t.Errorf("%d hook points, want %d", len(r.seen), want)
	}
	if c.Recv() != 3 || c.Send() != 4 || c.State() != sockev.StateEstablished {
		t.Errorf("%d %d %v", c.Recv(), c.Send(), c.State())
	}
	r.kind = sockev.VerdictAbort
	if err := p.observe(&sock.Progress{Step: sock.StepPaused}); !errors.Is(err, errAborted) {
		t.Errorf("veto: %v", err)
	}
	r.seen, r.events = nil, nil
	if err := p.observe(&sock.Progress{Step: sock.StepFailed, At: sock.StepBound, Err: sock.ErrBusy}); err != nil {
		t.Error(err)
	}
	if e, ok := r.events[0].(*sockev.Error); !ok || e.At != "bound" || e.Message != sock.ErrBusy.Error() {
		t.Errorf("failure is %+v", r.events)
	}
	p.leave()
}

// TestBudget spends a blackout's budget: what comes after it is not raised in it, and
// counted.
func TestBudget(t *testing.T) {
	t.Parallel()
	r := &recorder{takes: Budget}
	s := New(Config{}, nil)
	p := &passage{c: &Conn{stack: s, sh: shard(r), id: 1}}
	for _, step := range []sock.Step{sock.StepBefore, sock.StepLocked, sock.StepPaused, sock.StepImageWritten, sock.StepResumed} {
		if err := p.observe(&sock.Progress{Step: step}); err != nil {
			t.Fatal(err)
		}
	}
	// Before, locked, resume.
	if st := s.Stats(); len(r.seen) != 3 || st.Overruns != 1 || st.Unraised != 2 {
		t.Errorf("%d raised, %+v", len(r.seen), st)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	s := New(Config{}, nil)
	sh := shard(&recorder{})
	if _, why, _ := s.Find(&event.Caller{Shard: sh}, nil); why == "" {
		t.Error("found where nothing is touched")
	}
	s.Restore(&event.Caller{Shard: sh}, "x", "y", func(_ sockev.Conn, err error) {
		if !errors.Is(err, errIdle) {
			t.Error(err)
		}
	})
	c := s.conn(sh, &survey.Socket{State: 1, Owners: []survey.Owner{{PID: 1, FD: 2, Name: "x"}}})
	if again := s.conn(sh, &survey.Socket{State: 8, Owners: []survey.Owner{{PID: 1, FD: 2}}}); again != c || c.State() != sockev.StateCloseWait {
		t.Error("one socket is two objects")
	}
	for what, err := range map[string]error{"pause": c.Pause(nil), "resume": c.Resume(nil), "close": c.Close(nil)} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, ok := c.Queue(sockev.SideRecv); ok || c.Data() != nil {
		t.Error("read while it is not paused")
	}
	c.Checkpoint(nil, "f", 0, false, func(err error) {
		if !errors.Is(err, errIdle) {
			t.Error(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]time.Duration{"10ms": 10 * time.Millisecond, "100us": 100 * time.Microsecond, 1.0: time.Second, "2s": 0, "1us": 0, "soon": 0} {
		var c Config
		if err := c.Set("blackout_budget", value); c.Blackout != want || (err == nil) != (want != 0) {
			t.Errorf("%v: %s, %v; want %s", value, c.Blackout, err, want)
		}
	}
	var c Config
	if err := c.Set("budget", "1s"); !errors.Is(err, setting.ErrNone) {
		t.Errorf("a name that there is not: %v", err)
	}
}
