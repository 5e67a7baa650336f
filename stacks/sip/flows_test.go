package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// The flows have the numbers of the table of flows that Kamailio's TM was observed
// with; where this stack orders otherwise on purpose, the test says so.

const begun = "request_in INVITE, ! 100 caller, request_fwded 0, ! INVITE A"

// ring lets A ring and the caller hear of it.
func ring(r *rig, name, tag string) {
	r.reply(name, "INVITE", 180, tag)
	r.want(name+" rings", "response_in 180, response_fwded 180 of 180, ! 180 caller")
}

func TestF1Answered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.invite()
	r.want("INVITE", "request_in INVITE, request_pending, ! 100 caller, response_sent 100, request_fwded 0, ! INVITE A, request_sent INVITE, request_out")
	r.reply("A", "INVITE", 180, "t1")
	r.want("180", "response_in 180, response_fwded 180 of 180, response_ready 180, ! 180 caller, response_sent 180")
	r.reply("A", "INVITE", 200, "t1")
	r.want("200", "response_in 200, response_fwded 200 of 200, response_ready 200, response_pre_out 200, ! 200 caller, response_out 200, response_sent 200")
	r.ack("ack1", "t1")
	r.want("ACK", "e2eack_in, ! ACK A")
	r.ack("ack1", "t1")
	r.want("its copy", "e2eack_retr_in, ! ACK A")
	bye := dialogRequest("BYE", 2, "bye", "t1", "Route: <sip:192.0.2.100:5060;lr>")
	r.hooks["request_in"] = nil
	r.recv("caller", bye)
	r.want("BYE", "request_in BYE, request_fwded 0, ! BYE A, request_sent BYE, request_out")
	r.reply("A", "BYE", 200, "t1")
	r.want("its 200", "response_in 200, response_fwded 200 of 200, response_ready 200, response_pre_out 200, ! 200 caller, response_out 200, response_sent 200")
	r.after(time.Minute)
	r.want("the end", "destroy INVITE, destroy BYE")
	r.empty()
}

func TestF1Bytes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.invite()
	got := string(r.last("A", "INVITE").Raw())
	via := r.last("A", "INVITE")
	top, _ := via.Via()
	proof := string(r.stack.appendProof(nil, via, nil))
	want := "INVITE sip:a@192.0.2.11 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.100:5060;branch=" + string(top.Branch()) + ";rport\r\nRecord-Route: <sip:192.0.2.100:5060;lr" + proof + ">\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKinv;rport=5060;received=192.0.2.1\r\nMax-Forwards: 69\r\n" +
		"From: <sip:alice@192.0.2.1>;tag=a1\r\nTo: <sip:bob@192.0.2.100>\r\nCall-ID: call1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	if got != want {
		t.Errorf("forwarded\n%s\nwant\n%s", got, want)
	}
	r.reply("A", "INVITE", 200, "t1", "X-Kept:  as it   is", "m: <sip:b@192.0.2.11>")
	ok := r.last("caller", "200")
	if n := ok.Count(msg.ViaName); n != 1 || !strings.Contains(string(ok.Raw()), "X-Kept:  as it   is\r\nm: <sip:b@192.0.2.11>\r\n") {
		t.Errorf("the reply is\n%s", ok.Raw())
	}
	r.ack("ack1", "t1")
	ack := r.last("A", "ACK")
	if ack.Has(msg.Route) || string(ack.RequestURI()) != "sip:bob@192.0.2.11" {
		t.Errorf("the ACK is\n%s", ack.Raw())
	}
}

func TestF2NoRecordRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, append(quiet[:5:5], "request_fwded")...)
	r.invite()
	r.reply("A", "INVITE", 200, "t1")
	r.after(time.Minute)
	if log := strings.Join(r.log, ","); strings.Contains(log, "e2eack") || !strings.HasSuffix(log, "destroy INVITE") {
		t.Errorf("hooks: %s", log)
	}
}

func TestF3InviteCopies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "request_sent", "request_out", "request_pending", "response_ready", "destroy")
	r.invite()
	r.want("INVITE", "request_in INVITE, ! 100 caller, response_sent 100, request_fwded 0, ! INVITE A")
	r.invite()
	r.want("a copy", "req_retr_in, ! 100 caller, response_sent 100 copy")
	r.reply("A", "INVITE", 180, "t1")
	r.log = nil
	r.invite()
	r.want("after 180", "req_retr_in, ! 180 caller, response_sent 180 copy")
	r.reply("A", "INVITE", 200, "t1")
	r.log = nil
	r.invite()
	r.want("after 200", "req_retr_in, ! 200 caller, response_sent 200 copy")
}

func TestF4CalleeRepeats(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.invite()
	r.log = nil
	for range 2 {
		r.reply("A", "INVITE", 180, "t1")
		r.want("180", "response_in 180, response_fwded 180 of 180, response_ready 180, ! 180 caller, response_sent 180")
	}
	r.reply("A", "INVITE", 200, "t1")
	r.log = nil
	r.reply("A", "INVITE", 200, "t1")
	r.want("200 again", "response_in 200, response_fwded 200 of 200, response_ready 200, ! 200 caller")
}

// TestF5Busy has response_fwded for the negative reply, which TM leaves out.
func TestF5Busy(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "request_out", "request_pending", "destroy")
	r.invite()
	r.log = nil
	r.reply("A", "INVITE", 486, "t1")
	r.want("486", "response_in 486, ! ACK A, request_sent ACK, on_branch_failure 486, on_failure_ro 486, on_failure 486, response_fwded 486 of 486",
		"response_ready 486, response_pre_out 486, ! 486 caller, response_out 486, response_sent 486")
	r.reply("A", "INVITE", 486, "t1")
	r.want("its copy", "response_in 486, ! ACK A, request_sent ACK copy")
	r.after(1600 * time.Millisecond)
	r.want("repeated", "! 486 caller, response_sent 486 copy, ! 486 caller, response_sent 486 copy")
	r.ackNegative()
	r.want("ACK", "ack_neg_in")
	r.ackNegative()
	r.want("its copy", "ack_neg_in")
	r.after(time.Minute)
	r.want("no more")
	r.empty()
}

func TestF6NoAck(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet[:5]...)
	r.invite()
	r.reply("A", "INVITE", 486, "t1")
	r.log = nil
	r.after(31900 * time.Millisecond)
	if n := len(r.log); n != 10 {
		t.Errorf("repeated %d times, want 10", n)
	}
	r.log = nil
	r.after(2 * time.Second)
	r.want("timer H", "destroy INVITE")
	r.empty()
}

func forkAB(r *rig) {
	r.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12") }
	r.invite()
	r.want("fork", "request_in INVITE, ! 100 caller, request_fwded 0, request_fwded 1, ! INVITE A, ! INVITE B")
}

func TestF7OneWinner(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	forkAB(r)
	ring(r, "A", "ta")
	ring(r, "B", "tb")
	r.reply("B", "INVITE", 200, "tb")
	r.want("B answers", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200, ! CANCEL A")
	r.reply("A", "CANCEL", 200, "tc")
	r.want("A hears", "response_in 200")
	r.reply("A", "INVITE", 487, "ta")
	r.want("A ends", "response_in 487, ! ACK A")
	r.ack("ack1", "tb")
	r.want("ACK", "e2eack_in, ! ACK A")
	r.after(time.Minute)
	r.empty()
	if reason, _ := r.last("A", "CANCEL").Get(msg.Reason); !strings.Contains(string(reason), "cause=200") {
		t.Errorf("Reason of CANCEL: %s", reason)
	}
}

// TestF8Glare records the To tag of the second 2xx too, so that its ACK is seen.
func TestF8Glare(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	forkAB(r)
	ring(r, "A", "ta")
	ring(r, "B", "tb")
	r.reply("B", "INVITE", 200, "tb")
	r.log = nil
	r.reply("A", "INVITE", 200, "ta")
	r.want("A answers too", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
	r.ack("ack1", "tb")
	r.ack("ack2", "ta")
	r.want("both ACKs", "e2eack_in, ! ACK A, e2eack_in, ! ACK A")
}

func TestF9BestOfTwo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ first, second, want string }{
		{"486", "404", "404"},
		{"404", "486", "404"},
	} {
		r := newRig(t, nil, quiet...)
		forkAB(r)
		code := map[string]int{"486": 486, "404": 404}
		r.reply("A", "INVITE", code[row.first], "ta")
		r.want("first", "response_in "+row.first+", ! ACK A, on_branch_failure "+row.first)
		r.reply("B", "INVITE", code[row.second], "tb")
		r.want("second", "response_in "+row.second+", ! ACK B, on_branch_failure "+row.second,
			"on_failure_ro 404, on_failure 404, response_fwded "+row.second+" of 404, response_pre_out 404, ! 404 caller, response_out 404")
	}
}

func TestF10Challenges(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	forkAB(r)
	r.reply("A", "INVITE", 401, "ta", `WWW-Authenticate: Digest realm="a"`)
	r.log = nil
	r.reply("B", "INVITE", 407, "tb", `Proxy-Authenticate: Digest realm="b"`)
	r.want("both ask", "response_in 407, ! ACK B, on_branch_failure 407, on_failure_ro 401, on_failure 401",
		"response_pre_out 401 merged, ! 401 caller, response_out 401 merged")
	got := r.last("caller", "401")
	to, _ := got.Address(msg.To)
	if !got.Has(msg.WWWAuthenticate) || !got.Has(msg.ProxyAuthenticate) || string(to.Tag()) == "ta" {
		t.Errorf("the reply is\n%s", got.Raw())
	}
}

// backup makes on_failure try C once.
func backup(r *rig) {
	tried := false
	r.hooks["on_failure"] = func(any) event.Verdict {
		if tried {
			return event.Verdict{}
		}
		tried = true
		return relayTo("sip:c@192.0.2.13")
	}
}

func TestF11SerialFork(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	backup(r)
	r.invite()
	r.want("INVITE", begun)
	r.reply("A", "INVITE", 486, "ta")
	r.want("486", "response_in 486, ! ACK A, on_branch_failure 486, on_failure_ro 486, on_failure 486, request_fwded 1, ! INVITE C")
	r.reply("C", "INVITE", 200, "tc")
	r.want("200", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
}

func TestF12BothFail(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	backup(r)
	r.invite()
	r.reply("A", "INVITE", 404, "ta")
	r.log = nil
	r.reply("C", "INVITE", 486, "tc")
	r.want("the last step decides", "response_in 486, ! ACK C, on_branch_failure 486, on_failure_ro 486, on_failure 486",
		"response_fwded 486 of 486, response_pre_out 486, ! 486 caller, response_out 486")
}

func TestF13Decline(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	forkAB(r)
	ring(r, "B", "tb")
	r.reply("A", "INVITE", 603, "ta")
	r.want("603", "response_in 603, ! ACK A, on_branch_failure 603, ! CANCEL B")
	r.reply("B", "CANCEL", 200, "x")
	r.log = nil
	r.reply("B", "INVITE", 487, "tb")
	r.want("487", "response_in 487, ! ACK B, on_branch_failure 487, on_failure_ro 603, on_failure 603",
		"response_fwded 487 of 603, response_pre_out 603, ! 603 caller, response_out 603")
}

func TestF14NobodyAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.invite()
	r.log = nil
	r.after(31900 * time.Millisecond)
	r.want("timer A", strings.Repeat("! INVITE A,", 6))
	r.after(200 * time.Millisecond)
	r.want("timer B", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer, ! 408 caller, response_out 408 timer")
	to, _ := r.last("caller", "408").Address(msg.To)
	if len(to.Tag()) == 0 {
		t.Error("a 408 without a To tag")
	}
	r.after(2 * time.Minute)
	r.empty()
}

func TestF15BackupAfterTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	backup(r)
	r.invite()
	r.after(33 * time.Second)
	r.log = nil
	r.reply("C", "INVITE", 200, "tc")
	r.want("200", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
}

func TestF16RingsTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.FRInv = 20 * time.Second }, quiet...)
	r.invite()
	r.reply("A", "INVITE", 180, "ta")
	r.log = nil
	r.after(21 * time.Second)
	r.want("timer C", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer, ! 408 caller, response_out 408 timer, ! CANCEL A, ! 408 caller, ! CANCEL A")
	r.reply("A", "CANCEL", 200, "x")
	r.ackNegative()
	r.log = nil
	r.reply("A", "INVITE", 487, "ta")
	r.want("a late 487", "response_in 487, ! ACK A")
	r.after(time.Minute)
	r.empty()
}

func TestF17Silent(t *testing.T) {
	t.Parallel()
	silent := func(c *Config) { c.SilentC = true }
	r := newRig(t, silent, append([]string{"on_failure", "on_failure_ro", "response_ready", "response_sent", "request_sent"}, "request_out", "request_pending")...)
	r.invite()
	r.log = nil
	r.after(32 * time.Second)
	r.want("nothing", strings.Repeat("! INVITE A,", 6), "silent")
	r.reply("A", "INVITE", 404, "ta")
	r.want("a late reply passes", "! 404 caller")
	r.after(33 * time.Second)
	r.want("the end", "destroy INVITE")
	r.empty()

	r = newRig(t, silent, append([]string{"on_failure", "on_failure_ro"}, quiet...)...)
	r.invite()
	r.reply("A", "INVITE", 100, "")
	r.log = nil
	r.after(200 * time.Second)
	if log := strings.Join(r.log, ","); !strings.Contains(log, "! 408 caller") {
		t.Errorf("after a 100 the timer is to be heard: %s", log)
	}
	r = newRig(t, silent, quiet...)
	r.invite()
	r.log = nil
	r.after(32 * time.Second)
	if log := strings.Join(r.log, ","); !strings.Contains(log, "on_failure 408 timer") {
		t.Errorf("who wants failures hears of the timer: %s", log)
	}
}

func TestF18CallerCancels(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	backup(r)
	r.invite()
	r.reply("A", "INVITE", 180, "ta")
	r.log = nil
	r.cancel()
	r.want("CANCEL", "request_in CANCEL, e2ecancel_in, ! CANCEL A, response_pre_out 200 local, ! 200 caller, response_out 200 local")
	r.cancel()
	r.want("its copy", "req_retr_in, ! 200 caller")
	r.reply("A", "CANCEL", 200, "x")
	r.want("A hears", "response_in 200")
	r.reply("A", "INVITE", 487, "ta")
	r.want("487; another branch is refused", "response_in 487, ! ACK A, on_branch_failure 487, on_failure_ro 487, on_failure 487",
		"response_fwded 487 of 487, response_pre_out 487, ! 487 caller, response_out 487")
	r.ackNegative()
	r.want("ACK", "ack_neg_in")
	r.after(time.Minute)
	r.empty()
}

func TestF19CancelBeforeAnyReply(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.invite()
	r.log = nil
	r.cancel()
	r.want("CANCEL", "request_in CANCEL, e2ecancel_in, response_pre_out 200 local, ! 200 caller, response_out 200 local")
	r.after(600 * time.Millisecond)
	r.want("the INVITE is still sent", "! INVITE A")
	r.reply("A", "INVITE", 180, "ta")
	r.want("180 goes no further", "response_in 180, ! CANCEL A")
	r.reply("A", "INVITE", 487, "ta")
	r.want("487", "response_in 487, ! ACK A, on_branch_failure 487, on_failure_ro 487, on_failure 487, response_fwded 487 of 487, response_pre_out 487, ! 487 caller, response_out 487")

	r = newRig(t, nil, quiet...)
	r.invite()
	r.cancel()
	r.after(31900 * time.Millisecond)
	r.log = nil
	r.after(200 * time.Millisecond)
	r.want("no reply at all", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 487 cancel, ! 487 caller, response_out 487 cancel")
}

// TestF20LateAnswer tells of the 2xx like of the first final reply, since its To tag
// is new.
func TestF20LateAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["on_branch_failure"] = func(any) event.Verdict { return event.Verdict{} }
	forkAB(r)
	ring(r, "B", "tb")
	r.reply("A", "INVITE", 603, "ta")
	r.log = nil
	r.after(33 * time.Second)
	if !strings.Contains(strings.Join(r.log, ","), "! 603 caller") {
		t.Fatalf("B is to be given up: %s", strings.Join(r.log, ","))
	}
	r.ackNegative()
	r.log = nil
	r.reply("B", "INVITE", 200, "tb")
	r.want("a 200 after all", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
	r.ack("ack2", "tb")
	r.want("its ACK", "e2eack_in, ! ACK A")
}

func TestF21StrayReply(t *testing.T) {
	t.Parallel()
	for _, forward := range []bool{false, true} {
		r := newRig(t, func(c *Config) { c.ForwardStray = forward }, quiet...)
		r.invite()
		r.reply("A", "INVITE", 200, "ta")
		r.after(time.Minute)
		r.log = nil
		r.reply("A", "INVITE", 200, "ta")
		if forward {
			r.want("forwarded by its Via", "! 200 caller")
		} else {
			r.want("dropped")
		}
		r.ack("ack1", "ta")
		r.want("the ACK goes by its route, with no hook", "! ACK A")
	}
}

func TestF22AnsweredHere(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "destroy")
	r.hooks["request_in"] = func(any) event.Verdict { return replyWith(404) }
	r.invite()
	r.want("404", "request_in INVITE, response_ready 404 local, response_pre_out 404 local, ! 404 caller, response_out 404 local, response_sent 404")
	r.after(600 * time.Millisecond)
	r.want("repeated", "! 404 caller, response_sent 404 copy")
	r.ackNegative()
	r.want("ACK", "ack_neg_in")
	r.after(time.Minute)
	r.empty()
}

// TestF23Stateless: a request that is refused before it has a transaction is told to no
// hook, its copies are answered alike, and its ACK ends here, also where it comes by a
// route.
func TestF23Stateless(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	route := "Route: <sip:192.0.2.100:5060;lr>, <sip:a@192.0.2.11;lr>"
	refused := strings.Replace(dialogRequest("INVITE", 1, "inv", "", route), "Max-Forwards: 70", "Max-Forwards: 0", 1)
	r.recv("caller", refused)
	r.recv("caller", refused)
	r.want("twice", "! 483 caller, ! 483 caller")
	if got := r.out["caller"]; string(got[0]) != string(got[1]) {
		t.Errorf("first\n%s\nthen\n%s", got[0], got[1])
	}
	to, _ := r.last("caller", "483").Address(msg.To)
	r.recv("caller", dialogRequest("ACK", 1, "inv", string(to.Tag()), route))
	r.want("its ACK")
	r.recv("caller", dialogRequest("ACK", 1, "inv", "other", route))
	r.want("one that is not", "! ACK A")
	r.empty()
}

func TestF24Spiral(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	hops := 0
	r.hooks["request_in"] = func(any) event.Verdict {
		if hops++; hops == 1 {
			return relayTo("sip:bob2@192.0.2.100")
		}
		return relayTo("sip:a@192.0.2.11")
	}
	r.invite()
	r.recv("self", string(r.last("self", "INVITE").Raw()))
	r.reply("A", "INVITE", 200, "ta")
	r.recv("self", string(r.last("self", "200").Raw()))
	r.log = nil
	r.recv("caller", dialogRequest("ACK", 1, "ack", "ta", "Route: <sip:192.0.2.100:5060;lr>", "Route: <sip:192.0.2.100:5060;lr>"))
	r.want("once", "e2eack_in, ! ACK A")
	// The same request once more is a loop.
	r.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:bob2@192.0.2.100") }
	r.recv("caller", strings.ReplaceAll(dialogRequest("INVITE", 7, "loop", ""), "sip:bob@192.0.2.100 SIP", "sip:bob2@192.0.2.100 SIP"))
	in := r.last("self", "INVITE")
	r.log = nil
	r.recv("self", string(in.Raw()))
	r.want("a loop", "! 482 self")
}

// TestF25OptionsUnanswered sends no 408 (RFC 4320), unless it is to do as TM does.
func TestF25OptionsUnanswered(t *testing.T) {
	t.Parallel()
	for _, tm := range []bool{false, true} {
		r := newRig(t, func(c *Config) { c.Timeout408 = tm }, quiet...)
		r.recv("caller", dialogRequest("OPTIONS", 1, "opt", ""))
		r.want("OPTIONS", "request_in OPTIONS, request_fwded 0, ! OPTIONS A")
		r.after(31900 * time.Millisecond)
		r.want("timer E", strings.Repeat("! OPTIONS A,", 10))
		r.after(200 * time.Millisecond)
		if tm {
			r.want("timer F", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer, ! 408 caller, response_out 408 timer")
		} else {
			r.want("timer F", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer")
		}
		r.after(2 * time.Minute)
		r.empty()
	}
}

// TestAckBeforeOut: what response_pre_out leaves is seen by an ACK that comes while the
// reply is being written. It is the next thing that happens, so response_out was before.
func TestAckBeforeOut(t *testing.T) {
	t.Parallel()
	for code, ack := range map[int]string{486: "ack_neg_in", 200: "e2eack_in"} {
		r := newRig(t, nil, quiet...)
		r.stack.out = &prompt{rig: r, code: fmt.Sprint("SIP/2.0 ", code)}
		state := ""
		r.hooks["response_pre_out"] = func(e any) event.Verdict {
			if got := e.(*sipev.ResponsePreOut).Tx.Code(); int(got) != code {
				t.Errorf("the status is %d", got)
			}
			state = "set"
			return event.Verdict{}
		}
		r.hooks[ack] = func(any) event.Verdict {
			if state != "set" {
				t.Errorf("the ACK of %d saw %q", code, state)
			}
			return event.Verdict{}
		}
		r.invite()
		r.log = nil
		r.reply("A", "INVITE", code, "ta")
		r.after(0)
		if log := strings.Join(r.log, ","); !strings.Contains(log, fmt.Sprintf("! %d caller,response_out %d,%s", code, code, ack)) {
			t.Errorf("%d: %s", code, log)
		}
	}
}

// prompt is a transport whose caller acknowledges a reply while it is being written.
type prompt struct {
	*rig
	code string
}

// Send implements [Transport].
func (p *prompt) Send(to Hop, b []byte) error {
	if strings.HasPrefix(string(b), p.code) {
		p.shard.Post(func() {
			if strings.HasSuffix(p.code, "200") {
				p.ack("ack", "ta")
			} else {
				p.ackNegative()
			}
		})
	}
	return p.rig.Send(to, b)
}

// own begins a request of the server's own.
func own(r *rig, method string) *[]int {
	r.t.Helper()
	var codes []int
	_, err := r.stack.Request(&Request{
		Method: method, URI: "sip:x@192.0.2.11", From: "<sip:me@192.0.2.100>", To: "<sip:x@192.0.2.11>",
		Fields: []byte("Contact: <sip:me@192.0.2.100>\r\n"), Done: func(_ *Tx, m *Message) { codes = append(codes, m.Status()) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return &codes
}

func TestF26OwnOptions(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	codes := own(r, "OPTIONS")
	r.want("OPTIONS", "local_request_in, ! OPTIONS A")
	r.reply("A", "OPTIONS", 100, "")
	r.want("100", "local_response_in")
	r.reply("A", "OPTIONS", 200, "ta")
	r.want("200", "local_response_in, local_completed 200")
	r.reply("A", "OPTIONS", 200, "ta")
	r.want("its copy", "local_response_in")
	r.after(time.Minute)
	r.empty()
	if len(*codes) != 1 || (*codes)[0] != 200 {
		t.Errorf("done was told %v", *codes)
	}
}

func TestF27OwnUnanswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	own(r, "OPTIONS")
	r.after(31900 * time.Millisecond)
	r.log = nil
	r.after(200 * time.Millisecond)
	r.want("timer F", "local_completed 408 timer")
	r.after(time.Minute)
	r.empty()
}

// TestF28OwnInvite sends each dialog its own ACK, which TM does not.
func TestF28OwnInvite(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	own(r, "INVITE")
	r.want("INVITE", "local_request_in, ! INVITE A")
	r.reply("A", "INVITE", 180, "ta")
	r.want("180", "local_response_in, local_response_out")
	contact := "Contact: <sip:a@192.0.2.11>"
	r.reply("A", "INVITE", 200, "ta", contact)
	r.want("200", "local_response_in, ! ACK A, local_completed 200")
	r.reply("A", "INVITE", 200, "ta", contact)
	r.want("its copy", "local_response_in, ! ACK A")
	r.reply("A", "INVITE", 200, "tb", contact, "Record-Route: <sip:192.0.2.13;lr>, <sip:192.0.2.12;lr>")
	r.want("another dialog", "local_response_in, ! ACK B, local_completed 200")
	ack := r.last("B", "ACK")
	to, _ := ack.Address(msg.To)
	if string(to.Tag()) != "tb" || ack.Count(msg.Route) != 2 || string(ack.RequestURI()) != "sip:a@192.0.2.11" {
		t.Errorf("the ACK is\n%s", ack.Raw())
	}
	r.after(time.Minute)
	r.empty()
}

func TestF29OwnInviteRingsTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.FRInv = 20 * time.Second }, quiet...)
	own(r, "INVITE")
	r.reply("A", "INVITE", 180, "ta")
	r.log = nil
	r.after(20 * time.Second)
	r.want("timer C", "local_completed 408 timer, ! CANCEL A")
	r.reply("A", "CANCEL", 200, "x")
	r.log = nil
	r.reply("A", "INVITE", 487, "ta")
	r.want("a late 487", "local_response_in, ! ACK A")
	r.after(time.Minute)
	r.empty()
}

// TestOwnRequestsRefused: what would be no request is not sent.
func TestOwnRequestsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	good := Request{Method: "OPTIONS", URI: "sip:x@192.0.2.11", From: "<sip:me@192.0.2.100>", To: "<sip:x@192.0.2.11>"}
	for name, spoil := range map[string]func(*Request){
		"no method": func(q *Request) { q.Method = "" },
		"two words": func(q *Request) { q.Method = "OPTIONS x" },
		"ACK":       func(q *Request) { q.Method = "ACK" },
		"no URI":    func(q *Request) { q.URI = "bob" },
		"scheme":    func(q *Request) { q.URI = "http://x" },
		"From":      func(q *Request) { q.From = "\"x" },
		"a line":    func(q *Request) { q.To = "<sip:x@y>\r\nVia: SIP/2.0/UDP z" },
		"a second":  func(q *Request) { q.Fields = []byte("l: 5\r\n") },
	} {
		q := good
		spoil(&q)
		if _, err := r.stack.Request(&q); err == nil {
			t.Errorf("%s: sent", name)
		}
	}
	r.empty()
}

// TestF16LateAnswer is F20 of a branch that rang for too long: the ACK of its 2xx is told of.
func TestF16LateAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.FRInv = 20 * time.Second }, quiet...)
	r.invite()
	r.log = nil
	ring(r, "A", "ta")
	r.after(21 * time.Second)
	r.ackNegative()
	r.log = nil
	r.reply("A", "CANCEL", 481, "ta")
	r.want("too late to cancel", "response_in 481")
	r.reply("A", "INVITE", 200, "ta")
	r.want("a 200 after all", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
	r.ack("ack2", "ta")
	r.want("its ACK", "e2eack_in, ! ACK A")
}
