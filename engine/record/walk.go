package record

import "iter"

// Next returns the key after key and its value, as Lua's next does: nil begins,
// a nil key ends. Keys come in the order of the array part, then in the order
// of insertion. Any key may be given another value or be deleted on the way,
// the current one too. The error says that key is not in the table, which
// happens if it was deleted and other keys were added since. Cursor has no such
// case.
func (t *Table) Next(key Value) (k, v Value, err error) {
	defer t.root.unlock(t.root.lock())
	t = t.real()
	c := Cursor{t: t}
	if key.kind != KindNil && !c.seek(key) {
		return k, v, &Error{
			Root: t.root.name, Reason: BadKey,
			Detail: "next was asked for a key that is not there: " + key.String(),
		}
	}
	k, v, ok := c.step()
	t.markWalk(ok)
	return k, v, nil
}

// markWalk keeps dead entries in their place while next goes on.
func (t *Table) markWalk(on bool) {
	if t.root.frozen.Load() {
		return
	}
	t.st.walking = on
	if t.over != nil {
		t.over.base.st.walking = on
	}
}

// Walk returns a cursor before the first key.
func (t *Table) Walk() Cursor { return Cursor{t: t} }

// All iterates over the table in the order of Next. The loop's body may do with
// the table what it likes.
func (t *Table) All() iter.Seq2[Value, Value] {
	return func(yield func(k, v Value) bool) {
		c := t.Walk()
		for k, v, ok := c.Next(); ok; k, v, ok = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// Cursor is a place in a walk over one table. It holds no lock and no resource,
// may be dropped at any time, and survives every change to the table: a key
// that is there during the whole walk is met once, with one exception: a number
// key that joins the array part because a gap before it was filled may be
// missed. A Cursor is used by one goroutine.
type Cursor struct {
	t     *Table
	at    place // in the live table
	own   place // in the overlay
	inOwn bool  // done with the live table
}

// Next moves to the next key that has a value; ok is false at the end.
func (c *Cursor) Next() (k, v Value, ok bool) {
	defer c.t.root.unlock(c.t.root.lock())
	return c.step()
}

func (c *Cursor) step() (k, v Value, ok bool) {
	t := c.t.real()
	if t.over != nil {
		return t.over.step(t, c)
	}
	return t.st.step(&c.at)
}

// seek puts c behind key and says whether that place is known.
func (c *Cursor) seek(key Value) bool {
	key, ok := readable(key)
	if !ok {
		return false
	}
	if c.t.over == nil {
		c.at, ok = c.t.st.seek(key)
		return ok
	}
	if c.at, ok = c.t.over.base.st.seek(key); ok && c.t.over.base.st.has(key) {
		return true
	}
	var inOwn bool
	if c.own, inOwn = c.t.st.seek(key); inOwn && c.t.st.has(key) {
		c.inOwn = true
		return true
	}
	c.inOwn = !ok && inOwn
	return ok || inOwn
}
