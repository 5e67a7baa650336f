package record

import "sort"

// place is where a walk stands: behind array position arr while seq is 0 and
// hashed is false, else behind the entry with that seq.
type place struct {
	seq    uint64
	arr    int32
	hint   int32 // where that entry was
	hashed bool
}

// step moves p to the next key that has a value.
func (s *storage) step(p *place) (k, v Value, ok bool) {
	for !p.hashed {
		if int(p.arr) >= len(s.arr) {
			p.hashed, p.hint = true, -1
			break
		}
		p.arr++
		if v := s.arr[p.arr-1]; v.kind != KindNil {
			return intKey(int(p.arr)), v, true
		}
	}
	for i := s.after(p); i < len(s.ents); i++ {
		if e := &s.ents[i]; e.val.kind != KindNil {
			p.seq, p.hint = e.seq, int32(i)
			return e.key, e.val, true
		}
	}
	return Value{}, Value{}, false
}

// after finds the first entry behind p.
func (s *storage) after(p *place) int {
	if h := int(p.hint); h >= 0 && h < len(s.ents) && s.ents[h].seq == p.seq {
		return h + 1
	}
	return sort.Search(len(s.ents), func(i int) bool { return s.ents[i].seq > p.seq })
}

// seek returns the place of key k, which may have been deleted since it was
// walked over. ok is false if k was never there, as far as is still known.
func (s *storage) seek(k Value) (p place, ok bool) {
	i, isIndex := k.index()
	if isIndex && i <= len(s.arr) {
		return place{arr: int32(i)}, true
	}
	if pos := s.find(k); pos >= 0 {
		return place{hashed: true, seq: s.ents[pos].seq, hint: int32(pos)}, true
	}
	if isIndex && i <= int(s.peak) {
		return place{hashed: true, hint: -1}, true // the array shrank under the walk
	}
	if len(s.ents) == 0 {
		return place{hashed: true, hint: -1}, true
	}
	return place{}, false
}
