package flow

// Which numbers are believed of an end: those near a window that the other end granted; and others
// where both ends speak of them, since then the capture missed what lies between. One end alone may be
// forged.

// slack is the default of [Config].WindowSlack: a capture that missed window updates shows segments there
// that their receiver takes.
const slack = 64 << 10

// reach is how far beyond what was sent and granted a place in p's stream is believed at once.
func (p *Peer) reach() int64 {
	return max(int64(p.sent.window), int64(p.conn.stack.cfg.WindowSlack))
}

// inWindow reports whether a segment at off..end may be meant for p's stream: its receiver could still
// take it, or could have taken it.
func (p *Peer) inWindow(off, end int64) bool {
	t := &p.sent
	low := min(t.acked, t.wire) - p.reach()
	if off < low && off < 0 {
		return false
	}
	if !t.heard {
		return end <= t.max+blindReach
	}
	return end <= max(t.right, t.acked+int64(p.conn.stack.cfg.WindowSlack))+p.reach()
}

// agreed notes a place in p's stream beyond all windows, and reports whether the other end spoke of
// one near it last. Places beyond a jump are none.
func (p *Peer) agreed(at int64, by farBy) bool {
	t := &p.sent
	if !p.conn.stack.plausibleJump(at - max(t.max, t.acked)) {
		return false
	}
	e, reach := p.extra(), p.reach()
	d := at - e.far
	ok := e.farBy != farNone && e.farBy != by && -reach <= d && d <= reach
	e.far, e.farBy = at, by
	return ok
}

// plausibleJump reports whether numbers may be off by so much where both ends say so.
func (s *Stack) plausibleJump(by int64) bool {
	return max(by, -by) <= int64(s.cfg.MaxJump)
}
