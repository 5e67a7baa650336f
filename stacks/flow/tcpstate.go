package flow

import "github.com/hookd/hookd/engine/event/flowev"

// state is the state of one end's TCP stack.
type state = flowev.TCPState

const (
	closed      = flowev.TCPStateClosed
	synSent     = flowev.TCPStateSynSent
	synReceived = flowev.TCPStateSynReceived
	established = flowev.TCPStateEstablished
	finWait1    = flowev.TCPStateFinWait1
	finWait2    = flowev.TCPStateFinWait2
	closeWait   = flowev.TCPStateCloseWait
	closing     = flowev.TCPStateClosing
	lastAck     = flowev.TCPStateLastAck
	timeWait    = flowev.TCPStateTimeWait
	numStates   = timeWait + 1
)

// input is what an emulated stack does or gets, as far as its state depends on it.
type input uint8

// The inputs. One packet may bring an end several, in this order.
const (
	sendSYN    input = iota // sends its first SYN
	sendACK                 // acknowledges the other end's SYN, so it got it
	ackFIN                  // acknowledges the other end's FIN, so it got it
	sendFIN                 // sends its FIN, having got none or acknowledging the one it got
	crossFIN                // sends its FIN without acknowledging the one that passed the other way
	recvSYN                 // gets a SYN
	recvACK                 // gets an acknowledgment of its SYN
	recvFINACK              // gets an acknowledgment of its FIN
	recvFIN                 // gets the FIN, and all bytes before it
	numInputs
)

// moves is RFC 9293 section 3.3.2 as seen from the path: every transition but those to CLOSED by
// RST, timer or end of TIME_WAIT. Lines marked "evidence" are not in the RFC: the capture missed
// the packet that made the transition, and this one proves that it was there.
var moves = [...]struct {
	from state
	in   input
	to   state
}{
	{closed, sendSYN, synSent},
	{closed, recvSYN, synReceived},
	{synSent, recvSYN, synReceived}, // simultaneous open
	{synSent, recvACK, established},
	{synSent, sendACK, established}, // evidence of a SYN/ACK
	{synSent, sendFIN, finWait1},    // a SYN that carries a FIN
	{synReceived, recvACK, established},
	{synReceived, sendFIN, finWait1},
	{synReceived, recvFIN, closeWait},
	{established, sendFIN, finWait1},
	{established, recvFIN, closeWait},
	{established, ackFIN, closeWait}, // evidence of the bytes before a FIN
	{finWait1, recvFINACK, finWait2},
	{finWait1, recvFIN, closing},
	{finWait1, ackFIN, closing}, // evidence of the bytes before a FIN
	{finWait2, recvFIN, timeWait},
	{finWait2, ackFIN, timeWait}, // evidence of the bytes before a FIN
	{closeWait, sendFIN, lastAck},
	{closeWait, crossFIN, closing},
	{closing, recvFINACK, timeWait},
	{lastAck, recvFINACK, closed},
}

// table is moves by state and input; a cell holds the new state plus one, or 0 to stay.
var table = func() (t [numStates][numInputs]state) {
	for _, m := range moves {
		t[m.from][m.in] = m.to + 1
	}
	return t
}()

// after returns the state that follows s at in; s itself where in changes nothing.
func after(s state, in input) state {
	if to := table[s][in]; to != 0 {
		return to - 1
	}
	return s
}

// done reports whether an end in state s has nothing more to do.
func done(s state) bool { return s == closed || s == timeWait }
