package flow_test

import (
	"encoding/binary"
	"testing"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestWindowSlack has a segment lie beyond the window that the receiver announced: the setting says how far
// it may.
func TestWindowSlack(t *testing.T) {
	t.Parallel()
	for slack, want := range map[int]string{
		0:       "pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:1",
		1 << 20: "pkt_in.snd/C pkt_in.rcv/S",
	} {
		n := newNet(t, flow.Config{WindowSlack: slack})
		n.open()
		n.want("beyond the window", n.send(n.c(1_000_000, 1, ack|psh, "x")), want)
		n.want("far beyond", n.send(n.c(100_000_000, 1, ack|psh, "x")), "pkt_in.snd/C pkt_in.rcv/S error/S:out_of_window:1")
	}
}

// TestMaxJump has both ends speak of bytes that the capture does not have: their numbers are believed unless
// that is too far.
func TestMaxJump(t *testing.T) {
	t.Parallel()
	for jump, want := range map[int]string{0: "later", 1 << 20: ""} {
		n := newNet(t, flow.Config{MaxJump: jump})
		n.open()
		const far = 50_000_000
		n.send(n.c(far, 1, ack|psh, "x"), n.srv(1, far+1, ack, ""))
		n.send(n.c(far+1, 1, ack|psh, "later"))
		n.now += 1e9
		n.send(n.srv(1, far+6, ack, ""))
		n.want("behind a jump", n.got(flowev.SideClient), want)
	}
}

// TestSecondSYNACK has a server's SYN/ACK come again with another number, as two hosts that share an address
// do: the one that the client acknowledges holds, unless numbers may not jump so far.
func TestSecondSYNACK(t *testing.T) {
	t.Parallel()
	for jump, want := range map[int]string{0: "hello", 1 << 20: ""} {
		n := newNet(t, flow.Config{MaxJump: jump})
		const other = 1 << 24
		n.send(n.c(0, 0, syn, ""), n.srv(0, 1, syn|ack, ""), n.srv(other, 1, syn|ack, ""), n.c(1, other+1, ack, ""), n.srv(other+1, 1, ack|psh, "hello"))
		n.want("bytes of the other", n.got(flowev.SideServer), want)
	}
}

// TestClaimsBeyondFrame has a whole frame whose IP header claims more bytes than there are. Its receiver drops
// it, and the bytes come again; whoever took those for there would not see what they are.
func TestClaimsBeyondFrame(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	claim := pt.Edit(func(f []byte) { binary.BigEndian.PutUint16(f[16:], 40+500) })
	n.send(n.c(1, 1, ack|psh, "he", claim))
	n.want("what was claimed", n.send(n.c(3, 1, ack|psh, "llo, it is me")), "pkt_in.snd/C pkt_in.rcv/S new_data/S:2+13")
	n.want("bytes", n.got(flowev.SideClient), "hello, it is me")
	if c := n.conn().Client(); c.Rexmits() != 0 || c.Gaps() != 0 {
		t.Errorf("%d retransmissions, %d gaps", c.Rexmits(), c.Gaps())
	}
}
