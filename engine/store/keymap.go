package store

// KeyMap maps keys to values. It keeps addresses and strings, which are what
// packets are looked up by, in maps of their own, where a look-up costs a
// fraction of one by a whole Key. The zero KeyMap is empty. It is guarded by
// whoever holds it.
type KeyMap[V any] struct {
	addrs map[[2]uint64]V
	texts map[string]V
	rest  map[Key]V
}

// Get returns what k maps to.
func (m *KeyMap[V]) Get(k Key) (v V, ok bool) {
	switch k.form {
	case formAddr:
		v, ok = m.addrs[[2]uint64{k.hi, k.lo}]
	case formString:
		v, ok = m.texts[k.text]
	default:
		v, ok = m.rest[k]
	}
	return v, ok
}

// Put maps k to v. The text of a string key is kept, see Key.Clone.
func (m *KeyMap[V]) Put(k Key, v V) {
	switch k.form {
	case formAddr:
		if m.addrs == nil {
			m.addrs = make(map[[2]uint64]V)
		}
		m.addrs[[2]uint64{k.hi, k.lo}] = v
	case formString:
		if m.texts == nil {
			m.texts = make(map[string]V)
		}
		m.texts[k.text] = v
	default:
		if m.rest == nil {
			m.rest = make(map[Key]V)
		}
		m.rest[k] = v
	}
}

// Delete takes k out.
func (m *KeyMap[V]) Delete(k Key) {
	switch k.form {
	case formAddr:
		delete(m.addrs, [2]uint64{k.hi, k.lo})
	case formString:
		delete(m.texts, k.text)
	default:
		delete(m.rest, k)
	}
}

// Len returns the number of keys.
func (m *KeyMap[V]) Len() int { return len(m.addrs) + len(m.texts) + len(m.rest) }
