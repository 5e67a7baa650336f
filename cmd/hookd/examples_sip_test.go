package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/sip"
)

// udp writes a datagram.
func (m *madeTraffic) udp(from, to netip.AddrPort, payload []byte) {
	m.t.Helper()
	m.now += 500 * time.Microsecond
	b := append(make([]byte, 12), 0x08, 0x00, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(payload)))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0)
	b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[24:], ^uint16(sum+sum>>16))
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, from.Port()), to.Port())
	b = append(binary.BigEndian.AppendUint16(b, uint16(8+len(payload))), 0, 0)
	b = append(b, payload...)
	f := capture.Frame{TS: 1_700_000_000e9 + int64(m.now), Link: capture.LinkTypeEthernet, Data: b, WireLen: len(b)}
	if err := m.w.WriteFrame(&f); err != nil {
		m.t.Fatal(err)
	}
}

// madeCalls writes what passes at a proxy: what it gets, and what it sends.
type madeCalls struct {
	*madeTraffic
	rules *sipRules
}

// proxyAt is where the proxy of made calls is.
var proxyAt = netip.MustParseAddrPort("192.0.2.100:5060")

func newMadeCalls(m *madeTraffic) *madeCalls {
	c := &madeCalls{madeTraffic: m, rules: newSIPRules(m.t, `rule "on" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
	  if m.to.tag == "" then return sip.relay { to = "sip:" .. m.ruri.user .. "@192.0.2.2", record_route = true } end
	end }`)}
	c.rules.wire = func(to sip.Hop, b []byte) { m.udp(proxyAt, to.Remote, b) }
	return c
}

// recv lets the proxy have a message.
func (c *madeCalls) recv(from, text string) {
	addr := netip.AddrPortFrom(netip.MustParseAddr(from), 5060)
	c.udp(addr, proxyAt, []byte(text))
	c.rules.recv(from, text)
}

// wait lets the proxy's clock go on too.
func (c *madeCalls) wait(d time.Duration) {
	c.madeTraffic.wait(d)
	c.rules.after(d)
}

// text is a request of alice's, or of who she calls.
func callText(method, user, branch, tag string, back bool, lines ...string) string {
	from, to, at, uri := "<sip:alice@192.0.2.1>;tag=a", "<sip:"+user+"@192.0.2.100>", "192.0.2.1", "sip:"+user+"@192.0.2.100"
	if tag != "" {
		to, uri = to+";tag="+tag, "sip:"+user+"@192.0.2.2"
		lines = append(lines, "Route: <sip:192.0.2.100:5060;lr>")
	}
	if back {
		from, to, at, uri = to, from, "192.0.2.2", "sip:alice@192.0.2.1"
	}
	seq := map[string]int{"INVITE": 1, "ACK": 1, "BYE": 2}[method]
	text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s@192.0.2.1\r\nCSeq: %d %s\r\n",
		method, uri, at, branch, from, to, user, seq, method)
	body := ""
	if method == "INVITE" {
		body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"
		lines = append(lines, "Contact: <sip:alice@192.0.2.1>", "Content-Type: application/sdp")
	}
	for _, l := range lines {
		text += l + "\r\n"
	}
	return text + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// answer lets the callee answer the latest request that it got.
func (c *madeCalls) answer(code int) { c.rules.answerBy("192.0.2.2", code, c.recv) }

func (c *madeCalls) call(user string) {
	c.recv("192.0.2.1", callText("INVITE", user, user, "", false))
	c.wait(200 * time.Millisecond)
	c.answer(100)
	c.answer(180)
	c.wait(2 * time.Second)
}

func makeCalls(m *madeTraffic) {
	c := newMadeCalls(m)
	c.call("bob")
	c.answer(200)
	c.recv("192.0.2.1", callText("ACK", "bob", "bob2", "t", false))
	c.wait(3 * time.Second)
	c.call("carol")
	c.recv("192.0.2.1", callText("INVITE", "carol", "carol", "", false))
	c.answer(486)
	c.recv("192.0.2.1", strings.Replace(callText("ACK", "carol", "carol", "t", false), "sip:carol@192.0.2.2", "sip:carol@192.0.2.100", 1))
	c.wait(2800 * time.Millisecond)
	c.recv("192.0.2.1", callText("BYE", "bob", "bob3", "t", false))
	c.answer(200)
	c.call("009001234")
	c.answer(200)
	c.recv("192.0.2.1", callText("ACK", "009001234", "p2", "t", false))
	c.wait(30 * time.Second)
	c.recv("192.0.2.2", callText("BYE", "009001234", "p3", "t", true))
	c.rules.answerBy("192.0.2.1", 200, c.recv)
	c.wait(time.Second)

	// Past the proxy, over TCP, in segments that divide messages anywhere.
	tcp := m.conn("192.0.2.3:40500", "192.0.2.4:5080")
	tcp.Open()
	text := strings.NewReplacer("alice", "dave", "192.0.2.100", "192.0.2.4", "192.0.2.1", "192.0.2.3", "UDP", "TCP").Replace(callText("INVITE", "erin", "erin", "", false))
	for len(text) > 0 {
		n := min(len(text), 300)
		m.say(tcp, craft.Client, text[:n])
		text = text[n:]
	}
	reply := "Via: SIP/2.0/TCP 192.0.2.3:5060;branch=z9hG4bKerin;rport\r\nFrom: <sip:dave@192.0.2.3>;tag=a\r\nTo: <sip:erin@192.0.2.4>;tag=e\r\nCall-ID: erin@192.0.2.3\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	m.say(tcp, craft.Server, "SIP/2.0 100 Trying\r\n"+reply+"SIP/2.0 180 Ringing\r\n"+reply)
	m.wait(time.Second)
	m.say(tcp, craft.Server, "SIP/2.0 200 OK\r\n"+reply)
	head := func(method, seq string) string {
		return method + " sip:erin@192.0.2.4 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.3:5060;branch=z9hG4bK" + method + "\r\nFrom: <sip:dave@192.0.2.3>;tag=a\r\nTo: <sip:erin@192.0.2.4>;tag=e\r\nCall-ID: erin@192.0.2.3\r\nCSeq: " + seq + " " + method + "\r\nContent-Length: 0\r\n\r\n"
	}
	m.say(tcp, craft.Client, head("ACK", "1"))
	m.wait(5 * time.Second)
	m.say(tcp, craft.Client, head("BYE", "2"))
	m.say(tcp, craft.Server, "SIP/2.0 200 OK\r\n"+strings.NewReplacer("bKerin", "bKBYE", "1 INVITE", "2 BYE").Replace(reply))
	tcp.Close()
}

// TestSIPOnSeveralShards wants the same of the calls, however many shards there are.
func TestSIPOnSeveralShards(t *testing.T) {
	t.Parallel()
	replayed := func(seen string, args ...string) string {
		var out, logs strings.Builder
		args = append([]string{"replay", "../../examples/sip-calls/capture.pcap", "-s", "../../examples/sip-calls/main.lua", "--print", "sip.*", "--print", "flow.udp_start"}, args...)
		if code := run(args, nil, &out, &logs); code != exitDone {
			t.Fatalf("%v: exit %d\n%s", args, code, &logs)
		}
		if !strings.Contains(logs.String(), seen) {
			t.Errorf("%v:\n%s", args, &logs)
		}
		return out.String()
	}
	one := replayed("20 SIP requests, 27 replies, 7 transactions\n")
	if three := replayed("20 SIP requests, 27 replies, 7 transactions\n", "--shards", "3"); three != one {
		t.Error("with three shards it is something else")
	}
	sipLines := func(text string) (n int) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, `"sip.`) {
				n++
			}
		}
		return n
	}
	two := replayed("17 SIP requests, 23 replies, 5 transactions\n", "--jobs", "2")
	// On the port that is not SIP's nobody looks then.
	if n, all := sipLines(two), sipLines(one); n >= all || n < all/2 {
		t.Errorf("%d lines of SIP with two jobs, %d with one", n, all)
	}
}

// TestSIPWaitsForHandlers has what passes meanwhile wait for handlers of its transaction.
func TestSIPWaitsForHandlers(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "slow.lua")
	if err := os.WriteFile(script, []byte(`
rule "slow" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m) sleep "1s" tx.data.x = 1 end }
rule "in" { on = sip.response_in, match = { method = "INVITE" }, run = function(tx, m) alert("in", { x = tx.data.x }) end }
rule "fwd" { on = sip.request_fwded, match = { method = "INVITE" }, run = function(tx, m, b) alert("fwd", { x = tx.data.x }) end }
rule "fail" { on = sip.on_failure, run = function(tx, m) tx.data.f = m.code sleep "2s" end }
rule "out" { on = sip.response_out, match = { method = "INVITE" }, run = function(tx, m) alert("out", { x = tx.data.x, f = tx.data.f }) end }
rule "ack" { on = sip.ack_neg_in, run = function(tx, m) alert("ack", { f = tx.data.f }) end }`), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, logs strings.Builder
	if code := run([]string{"replay", "../../examples/sip-calls/capture.pcap", "-s", script}, nil, &out, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	for text, n := range map[string]int{`"name":"in","fields":{"x":1}`: 11, `"name":"fwd","fields":{"x":1}`: 3, `"name":"out","fields":{"x":1`: 4, `"name":"ack","fields":{"f":486}`: 1} {
		if got := strings.Count(out.String(), text); got != n {
			t.Errorf("%d times %s, want %d\n%s", got, text, n, &out)
		}
	}
	if strings.Contains(logs.String(), "of nothing that was seen") {
		t.Error(&logs)
	}
}
