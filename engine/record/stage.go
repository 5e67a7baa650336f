package record

// stageState is where a view stands.
type stageState uint8

const (
	staging stageState = iota
	published
	discarded
)

// stage is what a Root has when it is a staged view.
type stage struct {
	live      *Root
	handles   map[*Table]*Table // by live table
	order     []*Table          // the handles as they were made: every table after those above it
	grow      int               // bytes that publishing would add, as known when written
	version   int
	versioned bool
	state     stageState
}

// Stage returns a view for a generation that is being staged. Through it the
// live values are seen, also those that the live generation writes meanwhile;
// what is written stays in the view. Several views of a root know nothing of
// each other. Staging a view stages what it is a view of; a frozen root is its
// own view.
func (r *Root) Stage() *Root {
	live := r.live()
	if live.frozen.Load() {
		return live
	}
	v := &Root{name: r.name, limits: r.limits}
	v.stage = &stage{live: live, handles: make(map[*Table]*Table)}
	v.stage.handle(v, &live.top)
	return v
}

// handle returns the view's handle on a live table.
func (s *stage) handle(view *Root, base *Table) *Table {
	if h := s.handles[base]; h != nil {
		return h
	}
	h := &Table{root: s.live, over: &overlay{base: base, view: view}}
	s.handles[base] = h
	s.order = append(s.order, h)
	return h
}

// Publish applies what was written through the view to the live root as one
// step, and makes the view's handles and the view itself stand for the live
// root from then on. Each written key wins over what the live generation wrote
// to the same key since; deletions and additions are done on what is there now.
// A value that took the place of a table takes it with all that is in it.
//
// Publish cannot fail: limits were asked when the view was written to. If the
// live generation filled the root meanwhile, it may come out above
// Limits.Total, and then only shrinking writes are accepted. Publishing a live
// root, or a view twice, does nothing.
func (r *Root) Publish() {
	s := r.stage
	if s == nil {
		return
	}
	defer s.live.unlock(s.live.lock())
	if s.state != staging {
		return
	}
	for _, h := range s.order {
		h.over.view = nil
		h.publish()
	}
	if s.versioned {
		s.live.version = s.version
	}
	s.end(published)
}

// Discard drops what was written through the view. Its handles go on showing
// the live root and refuse to be written to. Discarding a live root, or a view
// that was published, does nothing.
func (r *Root) Discard() {
	s := r.stage
	if s == nil {
		return
	}
	defer s.live.unlock(s.live.lock())
	if s.state != staging {
		return
	}
	for _, h := range s.order {
		h.over.view, h.over.discarded = nil, true
		h.st = storage{}
	}
	s.end(discarded)
}

func (s *stage) end(how stageState) {
	s.state = how
	s.handles, s.order, s.grow = nil, s.order[:1:1], 0
	s.versioned = false
}

// publish does on the live table what was written through handle h.
func (h *Table) publish() {
	base := h.over.base
	var p place
	for k, v, ok := h.st.step(&p); ok; k, v, ok = h.st.step(&p) {
		old := base.st.get(k)
		switch v.kind {
		case kindGone:
			v = Value{}
		case kindAdd:
			if old.kind != KindNil && old.kind != KindNumber {
				continue
			}
			v = h.over.sum(k, v)
		}
		base.store(k, old, v)
	}
	h.st, h.size = storage{}, 0
}
