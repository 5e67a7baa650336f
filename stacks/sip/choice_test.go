package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestBestReply: which of two failures the caller hears of (RFC 3261, 16.7, step 6), whichever
// came first.
func TestBestReply(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ one, two, want int }{
		{404, 408, 404},
		{408, 486, 408},
		{302, 404, 302},
		{484, 404, 484},
		{415, 404, 415},
		{420, 404, 420},
		{500, 404, 404},
		{500, 486, 486},
		{401, 404, 401},
		{407, 486, 407},
		{401, 484, 401},
		{603, 404, 603},
		{603, 302, 603},
		{604, 603, 603},
		{503, 500, 500},
		{501, 503, 501},
		{503, 503, 500},
		{503, 404, 404},
		{503, 603, 603},
		{302, 301, 301},
		{480, 480, 480},
	} {
		for _, codes := range [][]int{{row.one, row.two}, {row.two, row.one}} {
			r := newRig(t, nil, quiet...)
			forkAB(r)
			r.reply("A", "INVITE", codes[0], "ta")
			r.reply("B", "INVITE", codes[1], "tb")
			if got := finals(r); len(got) != 1 || got[0] != row.want {
				t.Errorf("of %v the caller hears %v, want %d", codes, got, row.want)
			}
		}
	}
}

// finals returns the final statuses that went to the caller.
func finals(r *rig) (list []int) {
	for _, raw := range r.out["caller"] {
		var m msg.Message
		if err := m.Parse(raw, msg.DefaultLimits()); err != nil {
			r.t.Fatal(err)
		}
		if m.Status() >= 200 {
			list = append(list, m.Status())
		}
	}
	return list
}

// TestNeverPicked: of a branch that rules dropped nobody hears, of one that could not be sent
// only where nothing else is left.
func TestNeverPicked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		drop      []uint8
		fail      string
		b, caller int
	}{
		{"one is dropped", []uint8{0}, "", 486, 486},
		{"all are dropped", []uint8{0, 1}, "", 0, 480},
		{"one cannot be sent", nil, "A", 486, 486},
		{"one cannot be sent, one is overloaded", nil, "A", 503, 500},
	} {
		r := newRig(t, nil, quiet...)
		r.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12") }
		r.hooks["request_fwded"] = func(e any) event.Verdict {
			if slices.Contains(row.drop, e.(*sipev.RequestFwded).Branch) {
				return event.Verdict{Kind: sipev.VerdictDrop}
			}
			return event.Verdict{}
		}
		if row.fail != "" {
			r.fail[row.fail] = true
		}
		r.invite()
		if row.b != 0 {
			r.reply("B", "INVITE", row.b, "tb")
		}
		if got := finals(r); len(got) != 1 || got[0] != row.caller {
			t.Errorf("%s: the caller hears %v, want %d", row.name, got, row.caller)
		}
		r.ackNegative()
		r.after(time.Minute)
		r.empty()
	}
}

// TestAggregate: a caller gets the challenges of all that ask, in the order of the branches,
// unless that is not wanted or only one does.
func TestAggregate(t *testing.T) {
	t.Parallel()
	web := func(realm string) string { return `WWW-Authenticate: Digest realm="` + realm + `"` }
	proxy := func(realm string) string { return `Proxy-Authenticate: Digest realm="` + realm + `"` }
	for _, row := range []struct {
		name   string
		no     bool
		a, b   int
		la, lb []string
		want   int
		fields []string
	}{
		{"401 and 407", false, 401, 407, []string{web("a")}, []string{proxy("b")}, 401, []string{"a", "b"}},
		{"407 and 401", false, 407, 401, []string{proxy("a")}, []string{web("b")}, 401, []string{"a", "b"}},
		{"407 twice, of several challenges", false, 407, 407, []string{proxy("a"), proxy("a2")}, []string{proxy("b")}, 407, []string{"a", "a2", "b"}},
		{"one of both kinds", false, 401, 401, []string{web("a"), proxy("a2")}, []string{web("b")}, 401, []string{"a", "a2", "b"}},
		{"one that asks", false, 401, 404, []string{web("a")}, []string{web("no")}, 401, []string{"a"}},
		{"not wanted", true, 401, 407, []string{web("a")}, []string{proxy("b")}, 401, []string{"a"}},
		{"a better reply", false, 401, 603, []string{web("a")}, nil, 603, nil},
	} {
		r := newRig(t, func(c *Config) { c.NoAggregate = row.no }, quiet...)
		forkAB(r)
		r.reply("A", "INVITE", row.a, "ta", row.la...)
		r.reply("B", "INVITE", row.b, "tb", row.lb...)
		m := r.last("caller", fmt.Sprint(row.want))
		var realms []string
		for _, n := range [...]msg.Name{msg.WWWAuthenticate, msg.ProxyAuthenticate} {
			for v := m.Values(n); v.Next(); {
				_, realm, _ := strings.Cut(string(v.Value()), `realm="`)
				realms = append(realms, strings.TrimSuffix(realm, `"`))
			}
		}
		slices.Sort(realms)
		if !slices.Equal(realms, row.fields) || len(finals(r)) != 1 {
			t.Errorf("%s: of the realms %v, want %v\n%s", row.name, realms, row.fields, m.Raw())
		}
	}
}

// TestDeclineEndsNothing: where a 6xx is like any other failure, the others ring on.
func TestDeclineEndsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.No6xxBlock = true }, quiet...)
	forkAB(r)
	ring(r, "B", "tb")
	r.reply("A", "INVITE", 603, "ta")
	r.want("603", "response_in 603, ! ACK A, on_branch_failure 603")
	r.reply("B", "INVITE", 200, "tb")
	r.want("B answers", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
}

// TestSteps: targets are tried in series, those of a step at the same time; what a step's
// branches answered counts in the end, and a 2xx or a 6xx ends the series.
func TestSteps(t *testing.T) {
	t.Parallel()
	steps := func() event.Verdict {
		row := func(uri string, step float64) []event.KV {
			return []event.KV{{Key: "uri", Value: uri}, {Key: "step", Value: step}}
		}
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{Targets: []any{row("sip:c@192.0.2.13", 2), row("sip:a@192.0.2.11", 1), row("sip:b@192.0.2.12", 1)}}}
	}
	for _, row := range []struct {
		name    string
		replies []string // who, and what
		want    int
		sent    string // to C
	}{
		{"the first step answers", []string{"A 486", "B 200"}, 200, ""},
		{"the second does", []string{"A 486", "B 404", "C 200"}, 200, "INVITE"},
		{"none does", []string{"A 486", "B 404", "C 487"}, 404, "INVITE ACK"},
		{"all decline", []string{"A 486", "B 603"}, 603, ""},
	} {
		r := newRig(t, nil, quiet...)
		r.hooks["request_in"] = func(any) event.Verdict { return steps() }
		r.invite()
		for _, reply := range row.replies {
			var who string
			var code int
			_, _ = fmt.Sscan(reply, &who, &code)
			r.reply(who, "INVITE", code, "t"+who)
		}
		if got := finals(r); len(got) != 1 || got[0] != row.want {
			t.Errorf("%s: the caller hears %v, want %d", row.name, got, row.want)
		}
		var sent []string
		for _, raw := range r.out["C"] {
			method, _, _ := strings.Cut(string(raw), " ")
			sent = append(sent, method)
		}
		if got := strings.Join(sent, " "); got != row.sent {
			t.Errorf("%s: C gets %s, want %s", row.name, got, row.sent)
		}
	}
}

// TestMaxLifetime: an INVITE that rings again and again ends all the same, its callee is told,
// and no further step begins.
func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		life := 100 * time.Second
		r := newRig(t, func(c *Config) {
			if !own {
				c.MaxInv = life
			}
		}, quiet...)
		r.hooks["request_in"] = func(e any) event.Verdict {
			if own {
				if err := e.(*sipev.RequestIn).Tx.SetMaxLifetime(nil, life); err != nil {
					t.Error(err)
				}
			}
			v := relayTo("sip:a@192.0.2.11")
			a := v.Args.(*sipev.RelayArgs)
			a.Fork, a.Targets = nil, []any{"sip:a@192.0.2.11", []event.KV{{Key: "uri", Value: "sip:c@192.0.2.13"}, {Key: "step", Value: 9.0}}}
			return v
		}
		r.invite()
		for range 3 {
			r.reply("A", "INVITE", 180, "ta")
			r.after(33 * time.Second)
		}
		r.log = nil
		r.after(1100 * time.Millisecond)
		r.want("the end", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer, ! 408 caller, response_out 408 timer, ! CANCEL A")
		r.reply("A", "CANCEL", 200, "x")
		r.reply("A", "INVITE", 487, "ta")
		r.ackNegative()
		if len(r.out["C"]) != 0 {
			t.Error("the next step was begun")
		}
		r.after(time.Minute)
		r.empty()
	}
}

// TestTimersOfOne: the timers of one transaction hold for it and no other, and what is no time
// is refused.
func TestTimersOfOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["request_in"] = func(e any) event.Verdict {
		tx := e.(*sipev.RequestIn).Tx
		if tx.Branches() != 0 || tx.Code() != 0 || tx.Picked() != nil {
			t.Errorf("it has %d branches, %d and %v already", tx.Branches(), tx.Code(), tx.Picked())
		}
		for _, set := range []func(time.Duration) error{
			func(d time.Duration) error { return tx.SetFrTimer(nil, d) },
			func(d time.Duration) error { return tx.SetFrInvTimer(nil, d) },
			func(d time.Duration) error { return tx.SetMaxLifetime(nil, d) },
		} {
			for _, d := range []time.Duration{0, -time.Second, 25 * time.Hour} {
				if set(d) == nil {
					t.Errorf("%s was taken", d)
				}
			}
		}
		if tx.CallID() == "call1" {
			if err := tx.SetFrTimer(nil, 2*time.Second); err != nil || tx.FrTimer() != 2*time.Second {
				t.Errorf("%s, %v", tx.FrTimer(), err)
			}
			if err := tx.SetFrInvTimer(nil, 5*time.Second); err != nil || tx.FrInvTimer() != 5*time.Second {
				t.Errorf("%s, %v", tx.FrInvTimer(), err)
			}
		}
		return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12")
	}
	r.invite()
	r.recv("caller", strings.Replace(dialogRequest("INVITE", 1, "other", ""), "Call-ID: call1", "Call-ID: call2", 1))
	r.log = nil
	r.reply("B", "INVITE", 180, "tb") // of the other
	r.stack.Receive(peer("B"), firstAnswer(r, "B", 180))
	r.log = nil
	r.after(2100 * time.Millisecond)
	if log := strings.Join(r.log, ","); !strings.Contains(log, "on_branch_failure 408 timer") || strings.Contains(log, "! 408") {
		t.Errorf("fr_timer: %s", log)
	}
	r.log = nil
	r.after(3 * time.Second)
	if log := strings.Join(r.log, ","); !strings.Contains(log, "on_failure 408 timer,response_pre_out 408 timer,! 408 caller,response_out 408 timer,! CANCEL B") {
		t.Errorf("fr_inv_timer: %s", log)
	}
	if got := finals(r); len(got) != 1 {
		t.Errorf("the other ended too: %v", got)
	}
}

// firstAnswer is a reply to the first request that a peer got.
func firstAnswer(r *rig, name string, code int) []byte {
	r.t.Helper()
	var m msg.Message
	if err := m.Parse(r.out[name][0], msg.DefaultLimits()); err != nil {
		r.t.Fatal(err)
	}
	return msg.AppendReply(nil, &m, &msg.Reply{Code: code, Reason: msg.ReasonOf(code), Tag: []byte("t" + name)})
}

// TestSilenceOfOne: noisy_ctimer of one transaction stands above the setting.
func TestSilenceOfOne(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		silent, noisy bool
		want          string
	}{{false, false, "silent"}, {true, true, "! 408 caller"}} {
		r := newRig(t, func(c *Config) { c.SilentC = row.silent }, append([]string{"on_failure", "on_failure_ro"}, quiet...)...)
		r.hooks["request_in"] = func(e any) event.Verdict {
			tx := e.(*sipev.RequestIn).Tx
			if tx.NoisyCtimer() == row.silent {
				t.Errorf("it begins noisy %v, and the setting says silent %v", tx.NoisyCtimer(), row.silent)
			}
			if err := tx.SetNoisyCtimer(nil, row.noisy); err != nil {
				t.Error(err)
			}
			return relayTo("sip:a@192.0.2.11")
		}
		r.invite()
		r.log = nil
		r.after(33 * time.Second)
		log := strings.Join(r.log, ",")
		if !strings.Contains(log, row.want) || row.want == "silent" && strings.Contains(log, "response_") {
			t.Errorf("noisy %v: %s", row.noisy, log)
		}
	}
}
