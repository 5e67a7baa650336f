package flow_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// babble feeds a stack what a fuzzer's bytes ask for: datagrams, ICMP of any type and errors with
// quotes of any bytes, between three hosts, a few SYNs, and jumps of time.
func babble(s *flow.Stack, in []byte) {
	now := start
	for len(in) >= 4 {
		op, a, b, x := in[0], endpoint(uint16(in[1]&3)+1), endpoint(uint16(in[1]>>2&3)+1), in[2]
		size := min(int(in[3]), len(in)-4)
		body := in[4 : 4+size]
		in = in[4+size:]
		var f []byte
		switch op & 7 {
		case 0, 1:
			f = pt.UDP(a, b, body)
		case 2:
			f = pt.ICMP(a.Addr(), b.Addr(), x, 0, uint32(op)<<16, body)
		case 3:
			f = pt.ICMP(host6, other6, x, op>>3, uint32(in1(body))<<16, body)
		case 4: // an error about a datagram of the fuzzer's
			quoted := pt.UDP(a, b, "", pt.Ext(0, 0, 1, 4, 0, 0, 0, 0))
			f = pt.ICMP(b.Addr(), a.Addr(), 3, x, 1400, quoted[14:])
		case 5:
			f = pt.TCP(a, b, uint32(x), 0, packet.SYN, "")
		case 6:
			quoted := pt.TCP(a, b, uint32(x), 0, packet.SYN, body)
			f = pt.ICMP(b.Addr(), a.Addr(), 11, 0, 0, quoted[14:min(len(quoted), 20+14+int(x&15))])
		default:
			now += int64(x) * int64(time.Second)
			f = pt.ICMP(host6, other6, x&127, 0, 0, append([]byte{0x60}, body...))
		}
		wire := len(f)
		if op&0x40 != 0 {
			f = f[:len(f)-min(len(f), int(x&31))]
		}
		if op&0x80 != 0 {
			f[int(x)%len(f)] ^= op
		}
		now += int64(time.Millisecond)
		s.Frame(packet.LinkEthernet, f, wire, now)
	}
}

func in1(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// babbleTwice runs the same bytes twice, under each configuration.
func babbleTwice(t *testing.T, in []byte) {
	for _, cfg := range []flow.Config{{}, {MaxConns: 2, UDPTimeout: time.Second, ICMPTimeout: -1}} {
		k, s := newChecker(t, way{cfg: cfg})
		babble(s, in)
		k.done(s)
		again, s := newChecker(t, way{cfg: cfg})
		babble(s, in)
		again.done(s)
		if string(k.log) != string(again.log) {
			t.Errorf("two runs differ:\n%s\n%s", k.log, again.log)
		}
	}
}

func FuzzFlows(f *testing.F) {
	f.Add([]byte("\x00\x04\x00\x03abc\x01\x01\x00\x02ok\x04\x04\x03\x00\x07\x00\x50\x00\x02\x04\x08\x01x\x0a\x01\x00\x00"))
	f.Add([]byte("\x05\x04\x07\x00\x06\x04\x08\x00\x03\x00\x80\x02\x01\x02\x03\x00\x81\x02\x01\x02\x07\x00\x02\x30" + strings.Repeat("\x2c", 48)))
	f.Fuzz(func(t *testing.T, in []byte) { babbleTwice(t, in[:min(len(in), 1000)]) })
}

// TestBabble is the fuzz target on random bytes.
func TestBabble(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		in := make([]byte, 800)
		for i := range in {
			in[i] = byte(r.Uint32())
			if i%8 == 3 {
				in[i] &= 15
			}
		}
		babbleTwice(t, in)
	}
}

// FuzzFind looks for any text: what is found was asked for, and a message says what is wrong.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"10.0.0.1:40000 10.0.0.2:80", "udp [2001:db8::2]:5060 [2001:db8::1%x]:40000", "tcp  ", "udp dst port 80", "vlan 9 and not tcp"} {
		f.Add(seed)
	}
	n := crossing(f)
	f.Fuzz(func(t *testing.T, text string) {
		conn, why, hasWhy := n.s.Find(&event.Caller{Shard: n.sh}, text)
		if hasWhy != (why != "") || conn != nil && (hasWhy || conn.ID() > 6) {
			t.Errorf("%q: found %v, %q", text, conn, why)
		}
		if conn != nil && strings.Contains(text, "udp") != (conn.Proto() == flowev.ProtoUDP) {
			t.Errorf("%q: found %v", text, conn.Proto())
		}
		for _, filter := range []any{text, kv(text, text), kv("client", kv(text, 1.0)), kv("proto", text)} {
			list, why, hasWhy := n.s.Conns(nil, filter)
			if hasWhy != (list == nil) || hasWhy != (why != "") {
				t.Errorf("%v: %v, %q", filter, list, why)
			}
		}
	})
}
