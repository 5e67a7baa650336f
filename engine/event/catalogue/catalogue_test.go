package catalogue_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

func TestFind(t *testing.T) {
	t.Parallel()
	c := catalogue.New(catalogue.All()...)
	for name, want := range map[string]string{
		"flow.rexmit.rcv":   "flow.rexmit.rcv",
		"flow.rexmit":       "flow.rexmit.rcv",
		"flow.rexmit.snd":   "flow.rexmit.snd",
		"flow.conn_end":     "flow.conn_end",
		"flow.conn_end.snd": "flow.conn_end",
		"hookd.start":       "hookd.start",
	} {
		info, p, err := c.Find(name)
		if err != nil || p.Name != want {
			t.Errorf("%s: %v, %v; want %s", name, p, err, want)
			continue
		}
		if i, q := c.Point(p.ID); i != info || q != p {
			t.Errorf("%s: point %d is %v", name, p.ID, q)
		}
	}
}

func TestFindUnknown(t *testing.T) {
	t.Parallel()
	c := catalogue.New(catalogue.All()...)
	for name, want := range map[string]struct{ message, candidate string }{
		"flo.rexmit":      {"unknown family flo", "flow"},
		"flow.rexmitt":    {"unknown hook point flow.rexmitt", "flow.rexmit"},
		"flow.rexmit.rvc": {"unknown phase flow.rexmit.rvc", "flow.rexmit.rcv"},
		"flow.conn_end.x": {"unknown phase flow.conn_end.x", "flow.conn_end.rcv"},
		"":                {"unknown family ", "hookd"},
	} {
		_, _, err := c.Find(name)
		var unknown *catalogue.UnknownError
		if !errors.As(err, &unknown) || err.Error() != want.message {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if !strings.Contains(" "+strings.Join(unknown.Candidates, " ")+" ", " "+want.candidate+" ") {
			t.Errorf("%q: candidates %v lack %s", name, unknown.Candidates, want.candidate)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	c := catalogue.New(flowev.Family)
	defaults := []string{
		"flow.pkt_in.snd", "flow.conn_start.snd", "flow.conn_adopted", "flow.tcp_state_change.snd", "flow.rexmit.rcv",
		"flow.gap", "flow.error", "flow.side_closed", "flow.conn_end", "flow.new_data",
		"flow.udp_start", "flow.datagram", "flow.udp_end", "flow.icmp_error", "flow.orphan", "flow.block_start", "flow.block_end", "flow.blocked",
	}
	for pattern, want := range map[string][]string{
		"flow.rexmit":        {"flow.rexmit.rcv"},
		"flow.rexmit.snd":    {"flow.rexmit.snd"},
		"flow.conn_end.snd":  {"flow.conn_end"},
		"flow.*":             defaults,
		"flow":               defaults,
		"*":                  defaults,
		"*.conn_*":           {"flow.conn_start.snd", "flow.conn_adopted", "flow.conn_end"},
		"rexmit":             {"flow.rexmit.rcv"},
		"conn_*":             {"flow.conn_start.snd", "flow.conn_adopted", "flow.conn_end"},
		"*.rcv":              {"flow.pkt_in.rcv", "flow.conn_start.rcv", "flow.tcp_state_change.rcv", "flow.rexmit.rcv"},
		"flow.*.snd":         {"flow.pkt_in.snd", "flow.conn_start.snd", "flow.tcp_state_change.snd", "flow.rexmit.snd"},
		"flow.[pr]*.*":       {"flow.pkt_in.snd", "flow.pkt_in.rcv", "flow.rexmit.rcv", "flow.rexmit.snd"},
		"flow.conn_???.*":    {"flow.conn_end"},
		"sip.*":              {},
		"flow.nothing.there": {},
	} {
		list, err := c.Match(pattern)
		got := []string{}
		for _, p := range list {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", pattern, err, diff)
		}
	}
	for _, pattern := range []string{"", "flow.", "flow.[", "a.b.c.d"} {
		if list, err := c.Match(pattern); err == nil {
			t.Errorf("%q matched %v", pattern, list)
		}
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	c := catalogue.New(catalogue.All()...)
	if o := c.Object("flow.conn"); o == nil || !o.Kept {
		t.Errorf("flow.conn: %+v", o)
	}
	if c.Object("conn") != nil || c.Function("info") != nil || c.Family("x") != nil {
		t.Error("a name that is none was found")
	}
	if fn := c.Function("log.info"); fn == nil || !fn.Effects {
		t.Errorf("log.info: %+v", fn)
	}
	if i, p := c.Point(0); i != nil || p != nil {
		t.Error("point 0 is one")
	}
	if i, p := c.Point(event.MaxPoints); i != nil || p != nil {
		t.Error("a point beyond the last is one")
	}
	last := event.PointID(0)
	c.Points(func(_ *event.Info, p *event.PointInfo) bool {
		if p.ID != last+1 {
			t.Errorf("%s has number %d after %d", p.Name, p.ID, last)
		}
		last = p.ID
		return true
	})
	if last < 17 {
		t.Errorf("only %d points", last)
	}
}

func TestPointAllocations(t *testing.T) {
	c := catalogue.New(catalogue.All()...)
	if n := testing.AllocsPerRun(100, func() { c.Point(3) }); n != 0 {
		t.Errorf("Point: %v allocations", n)
	}
}
