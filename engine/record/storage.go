package record

// linearMax is the length up to which the hash part is searched by comparing
// keys; beyond it an index is built. Most records have a handful of keys.
const linearMax = 8

// entry is one key of the hash part. seq grows with every insertion, so that a
// walk knows its place whatever happens to the slice.
type entry struct {
	key, val Value // val is nil once the key was deleted
	seq      uint64
}

// storage is the content of one table: an array part whose last value is never
// nil, and a hash part in insertion order. It knows no locks and no limits.
//
// Deleted keys stay as dead entries until the next compaction, because a
// stateless next(key) must find its place after its key was deleted. During
// such a walk only an insertion compacts, which Lua forbids then anyway.
type storage struct {
	arr     []Value
	ents    []entry
	idx     *index // nil while len(ents) <= linearMax
	seq     uint64 // of the last insertion
	bytes   int    // cost of all places, keys and strings; tables below not counted
	dead    int32  // entries whose val is nil
	nums    int32  // live entries with a number as key
	peak    int32  // longest that arr has been since the table was last empty
	walking bool   // next(key) was given out and did not reach the end
}

// index finds a key's entry. Booleans share the map of numbers under
// NaN patterns, which no key has.
type index struct {
	strs map[string]int32
	nums map[uint64]int32
}

const boolBits = 0x7ff8_0000_0000_0100

func (v Value) indexBits() uint64 {
	if v.kind == KindBool {
		return boolBits | v.bits
	}
	return v.bits
}

func (x *index) put(k Value, pos int32) {
	if k.kind == KindString {
		x.strs[k.str()] = pos
		return
	}
	x.nums[k.indexBits()] = pos
}

// find returns the position of k's entry, dead or alive, or -1.
func (s *storage) find(k Value) int {
	if s.idx != nil {
		var pos int32
		var ok bool
		if k.kind == KindString {
			pos, ok = s.idx.strs[k.str()]
		} else {
			pos, ok = s.idx.nums[k.indexBits()]
		}
		if !ok {
			return -1
		}
		return int(pos)
	}
	for i := len(s.ents) - 1; i >= 0; i-- {
		if s.ents[i].key.identical(k) {
			return i
		}
	}
	return -1
}

// get returns the value at k, or nil. k is a valid key, see checkKey.
func (s *storage) get(k Value) Value {
	if i, ok := k.index(); ok && i <= len(s.arr) {
		return s.arr[i-1]
	}
	if pos := s.find(k); pos >= 0 {
		return s.ents[pos].val
	}
	return Value{}
}

// live returns the number of keys in the hash part.
func (s *storage) live() int { return len(s.ents) - int(s.dead) }

// cost is what storing v at k would take, beside a table's own size.
func (s *storage) cost(k, v Value) int {
	if v.kind == KindNil {
		return 0
	}
	if i, ok := k.index(); ok && i <= len(s.arr)+1 {
		return slotCost + v.payload()
	}
	return entryCost + k.payload() + v.payload()
}

// set stores v at k, nil deletes. The caller owns the bytes of k and v.
func (s *storage) set(k, v Value) {
	i, isIndex := k.index()
	switch {
	case isIndex && i <= len(s.arr):
		s.setSlot(i, v)
	case isIndex && i == len(s.arr)+1 && v.kind != KindNil:
		s.appendSlot(v)
	case v.kind == KindNil:
		s.remove(k)
	default:
		s.setEntry(k, v)
	}
}

func (s *storage) setSlot(i int, v Value) {
	s.bytes += v.payload() - s.arr[i-1].payload()
	s.arr[i-1] = v
	if v.kind == KindNil && i == len(s.arr) {
		s.trim()
	}
}

// trim drops the nils at the array's end and gives memory back once three
// quarters are unused.
func (s *storage) trim() {
	n := len(s.arr)
	for n > 0 && s.arr[n-1].kind == KindNil {
		n--
	}
	s.bytes -= (len(s.arr) - n) * slotCost
	s.arr = s.arr[:n]
	if cap(s.arr) > 32 && n < cap(s.arr)/4 {
		s.arr = append(make([]Value, 0, 2*n), s.arr...)
	}
	s.settle()
}

// appendSlot grows the array by one and pulls in the keys that now follow.
func (s *storage) appendSlot(v Value) {
	s.push(v)
	for s.nums > 0 {
		pos := s.find(intKey(len(s.arr) + 1))
		if pos < 0 || s.ents[pos].val.kind == KindNil {
			break
		}
		moved := s.ents[pos].val
		s.kill(pos)
		s.push(moved)
	}
	s.peak = max(s.peak, int32(len(s.arr)))
	if s.mostlyDead() {
		s.compact()
	}
	s.settle()
}

// push adds a place to the array. A dead entry of its key must not be found any
// more, or a walk that asks for the key after the array shrank would go on from
// there.
func (s *storage) push(v Value) {
	s.arr = append(s.arr, v)
	s.bytes += slotCost + v.payload()
	if s.dead == 0 {
		return
	}
	k := intKey(len(s.arr))
	if pos := s.find(k); pos >= 0 {
		s.ents[pos].key = Value{}
		if s.idx != nil {
			delete(s.idx.nums, k.bits)
		}
	}
}

func (s *storage) setEntry(k, v Value) {
	if pos := s.find(k); pos >= 0 {
		if e := &s.ents[pos]; e.val.kind != KindNil {
			s.bytes += v.payload() - e.val.payload()
			e.val = v
			return
		}
		s.ents[pos].key = Value{} // a key has one entry
	}
	if s.mostlyDead() || s.dead > 0 && len(s.ents) == linearMax {
		s.compact()
	}
	s.seq++
	s.ents = append(s.ents, entry{key: k, val: v, seq: s.seq})
	s.bytes += entryCost + k.payload() + v.payload()
	if k.kind == KindNumber {
		s.nums++
	}
	switch {
	case s.idx != nil:
		s.idx.put(k, int32(len(s.ents)-1))
	case len(s.ents) > linearMax:
		s.reindex()
	}
}

func (s *storage) remove(k Value) {
	pos := s.find(k)
	if pos < 0 || s.ents[pos].val.kind == KindNil {
		return
	}
	s.kill(pos)
	if s.mostlyDead() && !s.walking {
		s.compact()
	}
	s.settle()
}

// kill turns a live entry into a dead one.
func (s *storage) kill(pos int) {
	e := &s.ents[pos]
	s.bytes -= entryCost + e.key.payload() + e.val.payload()
	if e.key.kind == KindNumber {
		s.nums--
	}
	e.val = Value{}
	s.dead++
}

// settle frees the hash part when nothing lives in it. A walk notices nothing:
// whatever key it asks for next, the end follows.
func (s *storage) settle() {
	if s.live() == 0 {
		s.ents, s.idx, s.dead = nil, nil, 0
		if len(s.arr) == 0 {
			s.peak, s.walking = 0, false
		}
	}
}

// compact drops the dead entries.
func (s *storage) compact() {
	kept := s.ents[:0]
	if live := s.live(); cap(s.ents) > 32 && live < cap(s.ents)/4 {
		kept = make([]entry, 0, 2*live)
	}
	for _, e := range s.ents {
		if e.val.kind != KindNil {
			kept = append(kept, e)
		}
	}
	if cap(kept) == cap(s.ents) {
		clear(s.ents[len(kept):])
	}
	s.ents, s.dead, s.idx = kept, 0, nil
	if len(s.ents) > linearMax {
		s.reindex()
	}
}

// mostlyDead says that a compaction is worth its work.
func (s *storage) mostlyDead() bool { return s.dead > linearMax && int(s.dead) > s.live() }

func (s *storage) reindex() {
	s.idx = &index{strs: make(map[string]int32, len(s.ents)), nums: make(map[uint64]int32, s.nums)}
	for i := range s.ents {
		if k := s.ents[i].key; k.kind != KindNil {
			s.idx.put(k, int32(i))
		}
	}
}

// insert puts v before position pos, 1 to len(arr).
func (s *storage) insert(pos int, v Value) {
	n := len(s.arr)
	last := s.arr[n-1]
	s.appendSlot(last)
	copy(s.arr[pos:n], s.arr[pos-1:n-1])
	s.arr[pos-1] = v
	s.bytes += v.payload() - last.payload()
}

// cut takes the value at pos, 1 to len(arr), out and moves the rest down.
func (s *storage) cut(pos int) Value {
	n := len(s.arr)
	v := s.arr[pos-1]
	s.bytes -= v.payload()
	copy(s.arr[pos-1:], s.arr[pos:])
	s.arr[n-1] = Value{}
	s.trim()
	return v
}

// has says whether k has a value.
func (s *storage) has(k Value) bool { return s.get(k).kind != KindNil }
