package netio

// ID names a connection, listener or datagram socket of a loop: the number of its
// slot and, above, of the slot's use. It is never that of another, so what is late
// finds nothing. Zero is nobody's.
type ID uint64

// guest is what sits in a slot.
type guest interface {
	// ready is called in the shard when the guest's socket is.
	ready(what readiness)
}

// slots are what a loop drives.
type slots struct {
	list []slot
	free []uint32
	used int
}

type slot struct {
	use uint32
	g   guest
}

func (s *slots) add(g guest) ID {
	var i uint32
	if n := len(s.free); n > 0 {
		i = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		i = uint32(len(s.list))
		s.list = append(s.list, slot{})
	}
	s.used++
	e := &s.list[i]
	e.use++
	if e.use == 0 {
		e.use = 1
	}
	e.g = g
	return ID(e.use)<<32 | ID(i)
}

// get returns the guest of that name, or nil.
func (s *slots) get(id ID) guest {
	i := uint32(id)
	if int(i) >= len(s.list) || s.list[i].use != uint32(id>>32) {
		return nil
	}
	return s.list[i].g
}

func (s *slots) remove(id ID) {
	i := uint32(id)
	s.list[i].g = nil
	s.free = append(s.free, i)
	s.used--
}
