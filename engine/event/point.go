package event

// PointID numbers a hook point: one event at one phase. Ids are dense, given by
// the generator, and mean nothing outside one build; records carry names.
type PointID uint16

// MaxPoints bounds how many hook points a build may declare.
const MaxPoints = 512

// Point is a hook point whose event is an E. Generated packages declare one
// variable per event and phase; the zero Point is not a hook point.
type Point[E any] struct{ id PointID }

// MakePoint returns the hook point with the given id. Only generated code
// calls it.
func MakePoint[E any](id PointID) Point[E] { return Point[E]{id: id} }

// ID returns the point's number.
func (p Point[E]) ID() PointID { return p.id }

// Wanted reports whether anything is bound to p on this shard. A stack asks
// before it builds the event, so that what nobody listens to costs one load.
func (p Point[E]) Wanted(s *Shard) bool {
	return s.wanted[p.id/64&(MaxPoints/64-1)]&(1<<(p.id%64)) != 0
}

// Emit raises e at p and returns what the bound rules decided; the zero Verdict
// is "no opinion". The event is lent for the duration of the call. It reaches
// the engine behind an interface, so a stack keeps one event struct per point
// and refills it rather than building one on its stack each time.
//
// The caller has entered s.
func (p Point[E]) Emit(s *Shard, e *E) Verdict {
	if s.dispatcher == nil || !p.Wanted(s) {
		return Verdict{}
	}
	s.Tell()
	if s.show.changes > 0 && s.show.wanted.Load() != 0 {
		return s.pausing(p.id, e)
	}
	return s.dispatcher.Dispatch(s, p.id, e)
}

// Dispatcher runs what is bound to a point. The engine implements it.
type Dispatcher interface {
	// Dispatch runs the rules bound to id on e, a pointer to the event struct
	// of that point, and returns their combined verdict.
	Dispatch(s *Shard, id PointID, e any) Verdict
}

// PointSet is a set of hook points, to ask about at once.
type PointSet [MaxPoints / 64]uint64

// Add puts points into the set.
func (p *PointSet) Add(ids ...PointID) {
	for _, id := range ids {
		p[id/64] |= 1 << (id % 64)
	}
}

// Wanted reports whether anything is bound to any of the points on this shard.
func (p *PointSet) Wanted(s *Shard) bool {
	for i, bits := range p {
		if s.wanted[i]&bits != 0 {
			return true
		}
	}
	return false
}
