package sip

import (
	"math"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Stack has the transactions of one shard.
type Stack struct {
	shard *event.Shard
	cfg   Config
	out   Transport

	looksOn bool // at what passes: nothing of it was made here

	lastID  uint64
	byID    map[uint64]*Tx
	servers map[string]*Tx // server transactions by what identifies their requests
	dialogs map[string]*Tx // INVITEs by what an ACK of their 2xx has in common
	stats   Stats
	journal journal

	in    Message    // message at hand
	shown Message    // what is shown of bytes that are written
	trial Message    // request as a branch has it
	fake  Message    // reply that is made here
	past  Message    // request of a transaction that has ended
	spare []*Message // request views that are not used
	key   []byte
	text  []byte
	parts [][]byte
	edits msg.Edits
	ev    events
}

// Stats counts what a stack did and refused.
type Stats struct {
	Requests, Replies uint64 // messages that came
	Sent              uint64 // messages that were handed to the transport
	Open              int    // transactions that exist
	Began             uint64 // transactions that there were
	Malformed         uint64 // what came and is no message, or a reply with a fault
	Refused           uint64 // requests answered for a fault, without a transaction
	Stray             uint64 // replies and ACKs that belong to nothing
	NoRoom            uint64 // requests refused since MaxTransactions exist
	HeldOver          uint64 // messages dropped since MaxHeld wait for a handler
	Loops             uint64 // requests that came back unchanged
	SendFailed        uint64 // messages that the transport refused
	Undelivered       uint64 // messages that it gave back
	Elsewhere         uint64 // branches that went on to the next of their servers
	Unanswered        uint64 // requests that timed out and got no answer (RFC 4320)
}

// New makes the stack of a shard. What it sends goes to out.
func New(shard *event.Shard, cfg Config, out Transport) *Stack {
	s := &Stack{
		shard: shard, cfg: cfg.orDefaults(), out: out,
		byID: map[uint64]*Tx{}, servers: map[string]*Tx{}, dialogs: map[string]*Tx{},
	}
	s.in.home = s
	if cfg.Watcher != nil {
		cfg.Watcher.Attach(s)
	}
	return s
}

// Limits returns the bounds of one message.
func (s *Stack) Limits() msg.Limits { return s.cfg.Limits }

// Shard returns the shard that the stack is in.
func (s *Stack) Shard() *event.Shard { return s.shard }

// Stats returns what was counted so far.
func (s *Stack) Stats() Stats {
	s.stats.Open = len(s.byID)
	return s.stats
}

// Receive takes one message that came; raw is not used once it returned. On a stream
// it is one frame. The shard's clock stands at the time when it came.
func (s *Stack) Receive(from Hop, raw []byte) { s.receive(from, raw, true) }

// receive takes a message that came now, or was held since.
func (s *Stack) receive(from Hop, raw []byte, now bool) {
	m := &s.in
	if err := m.load(raw, from, s.cfg.Limits); err != nil {
		s.stats.Malformed++
		return
	}
	if now {
		s.note(&from, raw, false)
	}
	fault := m.Check()
	if !from.stream() && !fault.Found() {
		m.TrimBody()
	}
	if !m.IsRequest() {
		s.stats.Replies++
		if fault.Found() {
			s.stats.Malformed++
			return
		}
		s.receiveReply(m)
		return
	}
	s.stats.Requests++
	if fault.Found() {
		s.stats.Refused++
		s.answerStateless(m, fault.Code, fault.Reason, nil)
		return
	}
	s.receiveRequest(m)
}

// send hands a message to the transport.
func (s *Stack) send(to Hop, b []byte) bool {
	if err := s.out.Send(to, b); err != nil {
		s.stats.SendFailed++
		return false
	}
	s.stats.Sent++
	s.note(&to, b, true)
	return true
}

// arm sets a timer to run after d.
func (s *Stack) arm(t *event.Timer, d time.Duration, run func(now int64)) {
	s.shard.Timers().Arm(t, s.shard.Now()+int64(d), run)
}

func (s *Stack) stop(t *event.Timer) { s.shard.Timers().Stop(t) }

// view returns a request view that nobody uses.
func (s *Stack) view() *Message {
	if n := len(s.spare); n > 0 {
		m := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return m
	}
	return &Message{home: s}
}

// maxSpareViews bounds how many views wait for their next request.
const maxSpareViews = 256

func (s *Stack) release(m *Message) {
	if m != nil && len(s.spare) < maxSpareViews {
		s.spare = append(s.spare, m)
	}
}

// Find returns the transaction of a number, or nil.
func (s *Stack) Find(id uint64) *Tx { return s.byID[id] }

// Close ends all transactions, without events; timers of theirs run no more.
func (s *Stack) Close() {
	for _, t := range s.byID {
		t.forget()
	}
}

// faked makes a reply to a transaction's request that no packet brought.
func (s *Stack) faked(t *Tx, by sipev.FakedBy, code int, reason string, fields []byte) *Message {
	r := msg.Reply{Code: code, Reason: reason, Fields: fields}
	if code > 100 {
		r.Tag = t.localTag()
	}
	if t.mine {
		r.Tag, r.Fields = append(r.Tag, "to"...), t.appendOwnVia(r.Fields)
	}
	m := &s.fake
	m.buf = msg.AppendReply(m.buf[:0], &t.view().Message, &r)
	if m.load(m.buf, Hop{}, s.replyLimits()) != nil {
		// What rules say is too long. Without it the reply says what the request does.
		r.Reason, r.Fields = msg.ReasonOf(code), nil
		m.buf = msg.AppendReply(m.buf[:0], &t.view().Message, &r)
		if err := m.load(m.buf, Hop{}, unbounded); err != nil {
			panic("sip: " + err.Error())
		}
	}
	m.fakedBy = by
	return m
}

// unbounded are the limits of what cannot be too long.
var unbounded = msg.Limits{Size: math.MaxInt, Head: math.MaxInt, Fields: math.MaxInt}

// replyLimits lets replies be a little larger than their requests.
func (s *Stack) replyLimits() msg.Limits {
	l := s.cfg.Limits
	l.Size, l.Head, l.Fields = l.Size+4096, l.Head+4096, l.Fields+64
	return l
}
