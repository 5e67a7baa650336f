package sip

import (
	"errors"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Why a request cannot be made.
var (
	ErrRequest = errors.New("sip: make request: method, URI, From and To are needed, each without line ends")
	ErrFull    = errors.New("sip: make request: too many transactions exist")
)

// Request is a request that this server makes itself.
type Request struct {
	Method, URI string
	From, To    string // addresses, with a tag where it is of a dialog
	CallID      string // made here when empty
	CSeq        uint32 // 1 when 0
	Fields      []byte // further header fields, whole lines
	Body        []byte // of the type that Fields name
	// Timeout is how long to wait for a reply, and for the final one of an INVITE that
	// rings; 0: as the stack's settings say.
	Timeout time.Duration
	// Done is called once with the final reply, after local_completed; m is lent. It may
	// be nil.
	Done func(t *Tx, m *Message)
}

// Request begins a transaction of this server's own. The ACK of a 2xx is sent here
// (RFC 3261, 13.2.2.4). It raises events, so it is not called while a handler runs.
func (s *Stack) Request(r *Request) (*Tx, error) {
	t, err := s.own(r)
	if err == nil {
		t.launch()
	}
	return t, err
}

// RequestLater is [Stack.Request] for who calls while a handler runs: what it raises and
// sends comes when that has returned.
func (s *Stack) RequestLater(r *Request) (*Tx, error) {
	t, err := s.own(r)
	if err == nil && !s.shard.Post(t.launch) {
		t.forget()
		return nil, ErrFull
	}
	return t, err
}

// own makes the transaction of a request of this server's own, of which nothing happened
// yet.
func (s *Stack) own(r *Request) (*Tx, error) {
	if len(s.byID) >= s.cfg.MaxTransactions {
		s.stats.NoRoom++
		return nil, ErrFull
	}
	t := &Tx{
		stack: s, id: s.lastID + 1, mine: true, method: msg.MethodOf([]byte(r.Method)), done: r.Done,
		fr: s.cfg.FR, frInv: s.cfg.FRInv, maxLife: s.cfg.MaxInv, noisy: true,
	}
	if r.Timeout > 0 {
		t.fr, t.frInv = r.Timeout, r.Timeout
	}
	t.raw = s.compose(t, r)
	v := s.view()
	if err := v.load(t.raw, Hop{}, s.replyLimits()); err != nil || !composed(&v.Message) {
		s.release(v)
		return nil, ErrRequest
	}
	t.req = v
	s.lastID++
	s.stats.Began++
	s.byID[t.id] = t
	t.route = s.routeHash(&v.Message)
	t.arm(t.maxLife, t.expire)
	return t, nil
}

// launch sends the request of a transaction of this server's own.
func (t *Tx) launch() {
	if t.state == terminated {
		return
	}
	v := t.view()
	v.open = true
	t.raiseLocalRequestIn(v)
	v.open = false
	t.keep()
	b := &Branch{tx: t, uri: string(v.RequestURI()), out: append([]byte(nil), t.raw...)}
	t.branches = append(t.branches, b)
	t.shut()
	b.start()
}

// compose makes the bytes of a request, all but its Via.
func (s *Stack) compose(t *Tx, r *Request) []byte {
	b := append(append(append([]byte(nil), r.Method...), ' '), r.URI...)
	b = append(b, " SIP/2.0\r\nMax-Forwards: 70\r\nFrom: "...)
	b = append(b, r.From...)
	if a, err := msg.ParseAddress([]byte(r.From)); err == nil && a.Tag() == nil {
		b = append(append(b, ";tag="...), t.localTag()...)
	}
	b = append(append(append(b, "\r\nTo: "...), r.To...), "\r\nCall-ID: "...)
	if r.CallID != "" {
		b = append(b, r.CallID...)
	} else {
		b = appendBase36(b, s.mac(t.localTag(), []byte("call")))
	}
	b = strconv.AppendUint(append(b, "\r\nCSeq: "...), uint64(max(r.CSeq, 1)), 10)
	b = append(append(append(b, ' '), r.Method...), "\r\n"...)
	b = append(b, r.Fields...)
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(r.Body)), 10)
	return append(append(b, "\r\n\r\n"...), r.Body...)
}

// composed reports whether a request says what it has to, and nothing twice.
func composed(m *msg.Message) bool {
	if !m.IsRequest() || m.Method() == msg.Ack || m.Method() == msg.Cancel || m.Has(msg.ViaName) {
		return false
	}
	if !routable(m.RequestURI()) {
		return false
	}
	for _, n := range [...]msg.Name{msg.From, msg.To, msg.CallID, msg.CSeqName, msg.ContentLength, msg.MaxForwards} {
		if m.Count(n) != 1 {
			return false
		}
	}
	_, errFrom := m.Address(msg.From)
	_, errTo := m.Address(msg.To)
	return errFrom == nil && errTo == nil
}

var (
	errNoInvite = errors.New("only an INVITE can be cancelled (RFC 3261, 9.1)")
	errFinal    = errors.New("it has its final reply")
	errPosts    = errors.New("too much waits to be done")
	errPasses   = errors.New("it only passes here: nothing is sent")
)

// Cancel implements [sipev.Tx].
func (t *Tx) Cancel(*event.Caller) error {
	switch {
	case t.seen != nil:
		return errPasses
	case !t.invite():
		return errNoInvite
	case t.final():
		return errFinal
	case !t.stack.shard.Post(t.abandon):
		return errPosts
	}
	return nil
}

// abandon cancels what is open of an INVITE: of one that was made here its final reply is
// still told of, another fails as when its callees had hung up.
func (t *Tx) abandon() {
	if !t.invite() || t.final() || t.cancel {
		return
	}
	t.cancel = t.mine
	t.cancelBranches(0)
}

// appendOwnVia appends the Via that a reply to a request of this server's own has, for one
// that is made here since nobody answered.
func (t *Tx) appendOwnVia(lines []byte) []byte {
	var to Hop
	for _, b := range t.branches {
		if len(b.hops) != 0 {
			to = *b.to()
		}
	}
	via := append(append([]byte("SIP/2.0/"), viaWord(to.Proto)...), ' ')
	via = append(t.stack.out.SentBy(via, to), ";branch="...)
	via = t.stack.appendBranch(via, branchID{tx: t.id, route: t.route})
	return msg.AppendField(lines, msg.ViaName.String(), string(via))
}

// complete ends a transaction of this server's own with its final reply.
func (t *Tx) complete(m *Message) {
	t.code = m.Status()
	first := !t.final()
	if t.code < 300 {
		t.state = accepted
	} else {
		t.state = completed
	}
	t.raiseLocalCompleted(m)
	if first {
		t.linger()
		if t.done != nil {
			t.done(t, m)
		}
		t.lean()
	}
}

// confirm sends the ACK of a 2xx that this server's INVITE got, one for each dialog,
// and again for each copy of the 2xx (RFC 3261, 13.2.2.4).
func (t *Tx) confirm(m *Message, i int) {
	s := t.stack
	if i < 0 {
		return
	}
	if g := &t.tags[i]; g.ack != nil {
		s.send(g.to, g.ack)
		return
	}
	ack := msg.AppendAck2xx(nil, &t.view().Message, &m.Message)
	if ack == nil {
		return
	}
	w := &s.trial
	if w.load(ack, Hop{}, s.replyLimits()) != nil {
		return
	}
	id := branchID{route: s.routeHash(&w.Message)}
	target := append([]byte(nil), nextHop(&w.Message, false)...)
	s.out.Find(target, func(hops []Hop, err error) {
		if err != nil || len(hops) == 0 || t.state == terminated {
			s.stats.SendFailed++
			return
		}
		if out, to, ok := s.sendAlone(ack, hops, id); ok {
			t.tags[i].ack, t.tags[i].to = append([]byte(nil), out...), to
		}
	})
}

// completedBy handles a 2xx to a request of this server's own.
func (b *Branch) completedBy(m *Message) {
	t := b.tx
	if !t.invite() {
		if !t.final() {
			t.complete(m)
		}
		return
	}
	fresh := t.note(b, m)
	t.confirm(m, t.noted(b, m))
	if fresh {
		t.complete(m)
	}
}
