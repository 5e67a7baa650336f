package sip

import (
	"bytes"
	"cmp"
	"errors"
	"net/netip"
	"strconv"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
	"github.com/hookd/hookd/stacks/sip/nat"
)

// relay forwards a request: it begins a step of branches, one for each target. All are
// built before the first is sent. Without arguments it goes where its route or its URI
// says.
func (t *Tx) relay(args *sipev.RelayArgs) {
	if t.final() || t.cancel {
		return
	}
	if t.invite() {
		t.trying(true)
	}
	var none sipev.RelayArgs
	if args == nil {
		args = &none
	}
	if args.HasTimeout && args.Timeout > 0 {
		t.frInv = args.Timeout
	}
	for _, b := range t.branches {
		b.past = true
	}
	t.later, t.recordRoute = steps(args), args.RecordRoute || t.inPath
	t.advance()
}

// advance begins the next step that has a branch to send. Where none is left the request
// is answered.
func (t *Tx) advance() {
	code := 500
	if t.later == nil {
		code = 480
	}
	for len(t.later) != 0 {
		first, left := len(t.branches), 0
		targets := t.later[0]
		t.later = t.later[1:]
		targets, ok := t.narrow(targets)
		if !ok {
			code = 440
			break
		}
		for i := range targets {
			if errors.Is(t.addBranch(&targets[i]), errNobody) {
				code = 480
			}
		}
		step := t.branches[first:]
		for _, b := range step {
			code = 480
			if b.state == built {
				left++
			}
		}
		for _, b := range step {
			if b.state == built && !t.final() {
				b.start()
			}
		}
		if left != 0 {
			return
		}
	}
	t.answer(sipev.FakedByLocal, code, msg.ReasonOf(code), nil)
}

// addBranch builds one branch and lets rules change it. Where the request cannot go there is
// none.
func (t *Tx) addBranch(to *target) error {
	s := t.stack
	if len(t.branches) >= s.cfg.MaxBranches {
		return nil
	}
	m := t.view()
	target := msg.Bare([]byte(to.uri))
	if to.uri == "" {
		target = m.RequestURI()
	}
	p, err := s.onward(&m.Message, target, to.uri == "", to)
	if err != nil {
		return err
	}
	b := &Branch{
		tx: t, index: uint8(len(t.branches)), uri: string(target), recordRoute: t.recordRoute, strict: p.strict,
		next: to.next, set: to.set, socket: to.socket, out: append([]byte(nil), p.out...),
	}
	if b.next == nil {
		b.next, b.socket = p.next, cmp.Or(b.socket, p.socket)
	}
	t.branches = append(t.branches, b)
	b.begin()
	if !sipev.OnRequestFwded.Wanted(s.shard) {
		return nil
	}
	w := &s.trial
	if w.load(b.out, Hop{}, s.replyLimits()) != nil {
		return nil
	}
	w.open = true
	if v := b.raiseRequestFwded(w); v.Kind == sipev.VerdictDrop {
		b.state = unsent
		b.over(GivenUp)
		return nil
	}
	w.open = false
	if w.modified {
		b.out, b.uri = append(b.out[:0], w.Raw()...), string(w.RequestURI())
	}
	return nil
}

// routable reports whether a URI can be that of a request (RFC 3261, 19.1.1).
func routable(uri []byte) bool {
	u, err := msg.ParseURI(uri)
	return err == nil && u.Scheme != msg.OtherScheme && len(u.Headers) == 0
}

// passage is a request that is ready to leave, all but its Via.
type passage struct {
	out    []byte         // valid until the next one is made
	strict bool           // it goes to its URI, whatever Route says, since a strict router is next
	next   []byte         // URI of where it goes, if not to where it says itself
	socket netip.AddrPort // address of ours that it leaves from, if that matters
}

// onward makes of a request what goes to the next hop (RFC 3261, 16.4, 16.6): its URI,
// one hop less, Route without what names this server. to says what else its target wants.
// routed: the target is the request's own. One of a dialog whose URI has an alias goes
// where that leads, when its route ends here (see [nat.Alias]), and so does one whose URI
// is an instance's.
func (s *Stack) onward(m *msg.Message, uri []byte, routed bool, to *target) (p passage, err error) {
	e := &s.edits
	e.Reset(m)
	route := s.routes(m)
	for i := range to.route {
		if err := e.Before(msg.Route, "Route", []byte(to.route[i])); err != nil {
			return p, err
		}
	}
	if routed {
		uri = s.strictTarget(m, e, &route)
	}
	if !routable(uri) || route.next != nil && !routable(route.next) {
		return p, errURI // a Route can hold what no request can be sent to
	}
	if p.strict = route.next != nil && !loose(route.next); p.strict {
		// A strict router wants its own URI in the request line (16.6, step 6).
		route.own++
		if err := e.Append("Route", bracket(uri)); err != nil {
			return p, err
		}
		uri = route.next
	}
	if routed && route.next == nil && ofDialog(m) {
		if uri, err = s.towards(uri, e, &p); err != nil {
			return p, err
		}
	}
	e.Pop(msg.Route, route.own)
	if err := e.SetRequestURI(uri); err != nil {
		return p, err
	}
	left := 70
	if hops, ok, _ := m.MaxForwards(); ok {
		left = max(0, hops-1)
	}
	err = setNumber(m, e, msg.MaxForwards, left)
	if err == nil && to.breadth != 0 {
		err = setNumber(m, e, msg.MaxBreadth, to.breadth)
	}
	if err != nil {
		return p, err
	}
	s.text = e.AppendTo(s.text[:0])
	p.out = s.text
	return p, nil
}

// setNumber makes a header field that is there once at most say a number.
func setNumber(m *msg.Message, e *msg.Edits, n msg.Name, value int) error {
	text := strconv.AppendInt(nil, int64(value), 10)
	if i := m.Index(0, n, ""); i >= 0 {
		return e.SetValue(i, text)
	}
	return e.Append(n.String(), text)
}

// towards says where a request of a dialog goes whose route ends here: to its URI, or where
// an alias in that leads, or to the instance that it stands for.
func (s *Stack) towards(uri []byte, e *msg.Edits, p *passage) ([]byte, error) {
	place, is, err := s.located(uri)
	if is {
		for i := range place.Route {
			err = errors.Join(err, e.Before(msg.Route, "Route", []byte(place.Route[i])))
		}
		if place.Next != "" {
			p.next = []byte(place.Next)
		}
		p.socket = place.Socket
		return []byte(place.URI), err
	}
	if bytes.Contains(uri, []byte(";alias=")) {
		if bare, next, ok := nat.Split(string(uri)); ok {
			p.next = []byte(next)
			return []byte(bare), nil
		}
	}
	return uri, nil
}

// routing is what the Route of a request says.
type routing struct {
	own  int    // how many of the first values name this server
	next []byte // URI of the first that does not, nil for none
	all  int
}

func (s *Stack) routes(m *msg.Message) routing {
	var r routing
	for v := m.Values(msg.Route); v.Next(); r.all++ {
		a, err := msg.ParseAddress(v.Value())
		if err != nil || r.next != nil {
			continue
		}
		if r.own == r.all && s.self(a.URI) {
			r.own++
			continue
		}
		r.next = a.URI
	}
	return r
}

// self reports whether a URI names this server.
func (s *Stack) self(uri []byte) bool {
	u, err := msg.ParseURI(uri)
	return err == nil && len(u.Host) != 0 && s.out.Self(u.Host, u.Port)
}

// strictTarget undoes what a strict router did (RFC 3261, 16.4): where the request
// line holds what this server put into Record-Route, the last Route is the target.
func (s *Stack) strictTarget(m *msg.Message, e *msg.Edits, r *routing) []byte {
	uri := m.RequestURI()
	if r.all == 0 || !loose(uri) || !s.self(uri) {
		return uri
	}
	last := m.Values(msg.Route)
	for last.Next() {
		if a, err := msg.ParseAddress(last.Value()); err == nil {
			uri = a.URI
		}
	}
	if r.all-r.own == 1 {
		r.own, r.next = r.all, nil
		return uri
	}
	e.PopLast(msg.Route)
	return uri
}

// loose reports whether a URI is that of a loose router.
func loose(uri []byte) bool {
	u, err := msg.ParseURI(uri)
	if err != nil {
		return false
	}
	_, lr := u.Param("lr")
	return lr
}

func bracket(uri []byte) []byte { return append(append([]byte{'<'}, uri...), '>') }

// nextHop returns the URI that a request which is ready to leave goes to: its first
// Route, else its own.
func nextHop(m *msg.Message, strict bool) []byte {
	if strict {
		return m.RequestURI()
	}
	if a, err := m.Address(msg.Route); err == nil && loose(a.URI) {
		return a.URI
	}
	return m.RequestURI()
}

// print makes the bytes that go to a hop: with Via, and Record-Route if this server
// stays in the path: so many values. out is valid until the next call.
func (s *Stack) print(base []byte, to *Hop, id branchID, stays *recording) (out []byte, recorded int, err error) {
	m := &s.trial
	if err := m.load(base, Hop{}, s.replyLimits()); err != nil {
		return nil, 0, err
	}
	e := &s.edits
	e.Reset(&m.Message)
	v := append(append(append(s.key[:0], "SIP/2.0/"...), viaWord(to.Proto)...), ' ')
	v = append(s.out.SentBy(v, *to), ";branch="...)
	v = append(s.appendBranch(v, id), ";rport"...)
	s.key = v
	if err := e.Before(msg.ViaName, "Via", v); err != nil {
		return nil, 0, err
	}
	if stays != nil {
		if recorded, err = s.recordRoute(e, &m.Message, to, stays); err != nil {
			return nil, 0, err
		}
	}
	s.text = e.AppendTo(s.text[:0])
	return s.text, recorded, nil
}
