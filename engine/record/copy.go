package record

// copier makes deep copies for root. The lock of the source's root is held.
// Strings are shared: a stored string has bytes of its own and never changes.
type copier struct {
	root *Root
	most int // bytes; 0 for no limit
	used int
}

// bring makes a table of another tree one of t's, before t's root is locked:
// two roots are never locked at once.
func (t *Table) bring(v Value) (Value, error) {
	if v.kind != KindTable || v.tab().root == t.root {
		return v, nil
	}
	src := v.tab()
	defer src.root.unlock(src.root.lock())
	cp, err := t.root.copyOf(src, t.root)
	return FromTable(cp), err
}

// claim returns v as t may keep it: a table that has a place, or that t is in,
// is copied.
func (t *Table) claim(v Value) (Value, error) {
	if v.kind != KindTable {
		return v, nil
	}
	src := v.tab()
	if src.fresh && src.parent == nil && src != t.outermost() {
		return v, nil
	}
	cp, err := t.root.copyOf(src, t.root)
	return FromTable(cp), err
}

func (t *Table) outermost() *Table {
	for t.parent != nil {
		t = t.parent
	}
	return t
}

// copyOf copies src for root, within the limits of one assignment.
func (r *Root) copyOf(src *Table, root *Root) (*Table, error) {
	c := copier{root: root, most: root.limits.Value}
	dst := &Table{root: root, size: tableCost, fresh: true}
	if err := c.fill(dst, src, 1); err != nil {
		return nil, err
	}
	return dst, nil
}

// fill copies what src holds into dst, an empty table at the given level.
func (c *copier) fill(dst, src *Table, level int) error {
	if level > c.root.limits.Depth {
		return c.root.refuse(Error{Reason: TooDeep, Limit: c.root.limits.Depth})
	}
	src = src.real()
	if src.over != nil {
		return c.fillFromView(dst, src, level)
	}
	if err := c.count(tableCost + src.st.bytes); err != nil {
		return err
	}
	dst.st.arr = make([]Value, len(src.st.arr))
	for i, v := range src.st.arr {
		v, err := c.value(dst, v, level)
		if err != nil {
			return err
		}
		dst.st.arr[i] = v
	}
	dst.st.ents = make([]entry, 0, src.st.live())
	for _, e := range src.st.ents {
		if e.val.kind == KindNil {
			continue
		}
		v, err := c.value(dst, e.val, level)
		if err != nil {
			return err
		}
		dst.st.seq++
		dst.st.ents = append(dst.st.ents, entry{key: e.key, val: v, seq: dst.st.seq})
	}
	dst.st.nums, dst.st.peak = src.st.nums, int32(len(dst.st.arr))
	dst.st.bytes = src.st.bytes
	dst.size += dst.st.bytes
	if len(dst.st.ents) > linearMax {
		dst.st.reindex()
	}
	return nil
}

// fillFromView copies what a staged view shows of a table.
func (c *copier) fillFromView(dst, src *Table, level int) error {
	if err := c.count(tableCost); err != nil {
		return err
	}
	cur := Cursor{t: src}
	for {
		k, v, ok := cur.step()
		if !ok {
			dst.size += dst.st.bytes
			return nil
		}
		before := dst.st.bytes
		v, err := c.value(dst, v, level)
		if err != nil {
			return err
		}
		dst.st.set(k, v)
		if err := c.count(dst.st.bytes - before); err != nil {
			return err
		}
	}
}

// value copies v for a place in dst and adds a table's size to dst's.
func (c *copier) value(dst *Table, v Value, level int) (Value, error) {
	if v.kind != KindTable {
		return v, nil
	}
	cp := &Table{root: c.root, parent: dst, size: tableCost}
	if err := c.fill(cp, v.tab(), level+1); err != nil {
		return Value{}, err
	}
	dst.size += cp.size
	return FromTable(cp), nil
}

func (c *copier) count(n int) error {
	c.used += n
	if c.most > 0 && c.used > c.most {
		return c.root.refuse(Error{Reason: TooLarge, Limit: c.most})
	}
	return nil
}
