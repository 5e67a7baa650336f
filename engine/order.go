package engine

// progress is how far an event came among the rules of a node.
type progress struct {
	next  int        // of the rules
	bound []*binding // the handlers whose turn is to come
}

// walk runs the rules of n and of the user-defined events below it that hold,
// and the handlers bound to the subject, in one order, from where it is on until the
// point is decided or the walk is left.
func (s *shard) walk(o *outcome, n *node, at *progress) {
	from := n.from()
	for _, en := range n.order[at.next:] {
		for len(at.bound) > 0 && !inOrder(en.rule, at.bound[0].entry.rule) {
			if s.nextBound(o, n, at); o.left {
				return
			}
		}
		if o.decided {
			return
		}
		at.next++
		if en.node == from || s.reached(o, en.node, from) {
			if s.try(o, en, nil); o.left {
				return
			}
		}
	}
	for len(at.bound) > 0 && !o.left {
		s.nextBound(o, n, at)
	}
}

// nextBound runs the bound handler whose turn it is.
func (s *shard) nextBound(o *outcome, n *node, at *progress) {
	b := at.bound[0]
	at.bound = at.bound[1:]
	s.tryBound(o, b, n)
}

// walkAlways runs the rules of n and below it that run whatever was decided, from a
// turn on until the walk is left.
func (s *shard) walkAlways(o *outcome, n *node, at *progress) {
	for _, en := range n.last[at.next:] {
		at.next++
		if s.reached(o, en.node, n.from()) {
			if s.try(o, en, nil); o.left {
				return
			}
		}
	}
}

// reached reports whether n is from, or an event below it that holds with all
// those between. Nil stands for the hook point, which is above all events.
func (s *shard) reached(o *outcome, n, from *node) bool {
	return n == from || n != nil && s.reached(o, n.parent, from) && s.holds(o, n)
}

// holds asks a user-defined event's own filters, once an event.
func (s *shard) holds(o *outcome, n *node) bool {
	if s.memo[o.memo+n.index] == Ask {
		answer := No
		if s.ask(o, n) {
			answer = Yes
		}
		s.memo[o.memo+n.index] = answer
	}
	return s.memo[o.memo+n.index] == Yes
}

// ask evaluates a user-defined event's own filters.
func (s *shard) ask(o *outcome, n *node) bool {
	if n.matches != nil && !n.matches(o.event) {
		return false
	}
	if n.decl.When == 0 {
		return true
	}
	answer := s.native(n.when, o.event)
	switch {
	case n.health.suspended():
		if answer != No {
			s.missedAll(o, n)
		}
		return false
	case answer != Ask:
		return answer == Yes
	}
	ok, err := n.script.instance.Filter(n.decl.When, s.prepareNode(o, n))
	if err == nil {
		err = s.compare(n.when, o.event, "when", ok)
	}
	if err != nil {
		s.failEvent(o, n, err)
		return false
	}
	return ok
}
