package record

import "fmt"

// Append stores val behind the last value of the array part, as
// table.insert(t, v) does. Appending nil does nothing.
func (t *Table) Append(val Value) error {
	return t.insert(func(n int) int { return n + 1 }, val)
}

// Insert puts val before position pos and moves the rest up, as
// table.insert(t, pos, v) does; pos is 1 to Len()+1.
func (t *Table) Insert(pos int, val Value) error {
	return t.insert(func(int) int { return pos }, val)
}

func (t *Table) insert(where func(n int) int, val Value) error {
	val, err := t.bring(val)
	if err != nil {
		return err
	}
	defer t.root.unlock(t.root.lock())
	w, err := t.writable()
	if err != nil {
		return err
	}
	n := w.length()
	pos := where(n)
	if pos < 1 || pos > n+1 {
		return t.root.refuse(Error{
			Reason: BadPosition,
			Detail: fmt.Sprintf("cannot insert at %d: the positions are 1 to %d", pos, n+1),
		})
	}
	if pos == n+1 {
		return w.put(intKey(pos), val)
	}
	if val, err = w.claim(val); err != nil {
		return err
	}
	if err := w.admit(intKey(n+1), Value{}, val); err != nil {
		return err
	}
	return w.shiftUp(pos, n, val)
}

// shiftUp makes place at pos, 1 to n, and puts val there.
func (t *Table) shiftUp(pos, n int, val Value) error {
	if t.over == nil {
		before := t.st.bytes
		t.attach(val)
		t.st.insert(pos, val.own())
		t.charge(t.st.bytes - before + belowSize(val))
		return nil
	}
	for i := n; i >= pos; i-- {
		if err := t.move(i, i+1); err != nil {
			return err
		}
	}
	k := intKey(pos)
	t.store(k, t.read(k), val)
	return nil
}

// Pop takes the last value of the array part out, as table.remove(t) does, and
// returns it; nil if there is none.
func (t *Table) Pop() (Value, error) {
	return t.cut(func(n int) int { return n })
}

// Remove takes the value at pos out and moves the rest down, as
// table.remove(t, pos) does. Outside 1..Len() it does nothing and returns nil.
func (t *Table) Remove(pos int) (Value, error) {
	return t.cut(func(int) int { return pos })
}

func (t *Table) cut(where func(n int) int) (Value, error) {
	defer t.root.unlock(t.root.lock())
	w, err := t.writable()
	if err != nil {
		return Value{}, err
	}
	n := w.length()
	pos := where(n)
	if pos < 1 || pos > n {
		return Value{}, nil
	}
	if w.over != nil {
		return w.shiftDown(pos, n)
	}
	before := w.st.bytes
	v := w.st.cut(pos)
	detach(v)
	w.charge(w.st.bytes - before - belowSize(v))
	return v, nil
}

// shiftDown is cut for a staged view, which keeps one write a position.
func (t *Table) shiftDown(pos, n int) (Value, error) {
	out := t.read(intKey(pos))
	for i := pos; i < n; i++ {
		if err := t.move(i+1, i); err != nil {
			return Value{}, err
		}
	}
	k := intKey(n)
	t.store(k, t.read(k), Value{})
	return out, nil
}

// move writes what is at position from to position to. A view cannot give a
// live table another place, so tables are copied.
func (t *Table) move(from, to int) error {
	v := t.read(intKey(from))
	if v.kind == KindTable {
		c := copier{root: t.root}
		cp := &Table{root: t.root, size: tableCost, fresh: true}
		if err := c.fill(cp, v.tab(), 1); err != nil {
			return err
		}
		v = FromTable(cp)
	}
	k := intKey(to)
	t.store(k, t.read(k), v)
	return nil
}
