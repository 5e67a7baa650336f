package record

// overlay makes a Table a staged view's handle on a live table. What was
// written through the handle is in the table's own storage, with marks for
// deleted keys and for additions; everything else is read from base.
type overlay struct {
	base      *Table // a live table, never an overlay
	view      *Root  // nil once published or discarded
	discarded bool
	border    int // where length was last found
}

// read returns what the view shows at k.
func (o *overlay) read(t *Table, k Value) Value {
	switch v := t.st.get(k); v.kind {
	case KindNil:
		return o.wrap(o.base.st.get(k))
	case kindGone:
		return Value{}
	case kindAdd:
		return o.sum(k, v)
	default:
		return v
	}
}

// sum adds a kept addition to the live number. If the live generation has put
// something else there meanwhile, that is what is seen, and what remains.
func (o *overlay) sum(k, add Value) Value {
	switch live := o.base.st.get(k); live.kind {
	case KindNil:
		return Number(add.num())
	case KindNumber:
		return Number(live.num() + add.num())
	default:
		return o.wrap(live)
	}
}

// wrap returns a live table as the view's handle on it.
func (o *overlay) wrap(v Value) Value {
	if v.kind != KindTable {
		return v
	}
	return FromTable(o.view.stage.handle(o.view, v.tab()))
}

// write keeps v for k until Publish.
func (o *overlay) write(t *Table, k, v Value) {
	if v.kind == KindNil && o.base.st.get(k).kind != KindNil {
		v = Value{kind: kindGone}
	}
	if !t.st.has(k) {
		k = k.own()
	}
	t.st.set(k, v)
}

// putAdd keeps an addition, unless the view has a number of its own at k.
func (t *Table) putAdd(k, old Value, n, sum float64) error {
	add := Value{kind: kindAdd, bits: Number(n).bits}
	switch own := t.st.get(k); own.kind {
	case KindNil:
	case kindAdd:
		add.bits = Number(own.num() + n).bits
	default:
		return t.put(k, Number(sum))
	}
	if err := t.admit(k, old, Number(sum)); err != nil {
		return err
	}
	t.store(k, old, add)
	return nil
}

// length looks for a border near the last one, so that appending in a loop
// stays cheap.
func (o *overlay) length(t *Table) int {
	n := o.border
	if n == 0 {
		n = len(o.base.st.arr)
	}
	for n > 0 && o.read(t, intKey(n)).kind == KindNil {
		n--
	}
	for o.read(t, intKey(n+1)).kind != KindNil {
		n++
	}
	o.border = n
	return n
}

// step walks over the live table's keys as the view shows them, then over those
// that only the view has.
func (o *overlay) step(t *Table, c *Cursor) (k, v Value, ok bool) {
	for !c.inOwn {
		k, _, ok = o.base.st.step(&c.at)
		if !ok {
			c.inOwn = true
			break
		}
		if v = o.read(t, k); v.kind != KindNil {
			return k, v, true
		}
	}
	for {
		k, _, ok = t.st.step(&c.own)
		if !ok {
			return k, v, false
		}
		if o.base.st.get(k).kind != KindNil {
			continue
		}
		if v = o.read(t, k); v.kind != KindNil {
			return k, v, true
		}
	}
}
