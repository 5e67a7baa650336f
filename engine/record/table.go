package record

// Table is a handle on one table of a tree. It stays usable after the table was
// taken out of its tree: then it is a tree of its own that counts for nothing
// and ends with its last handle. The root's limits hold there too.
type Table struct {
	root   *Root    // the live root: lock, limits, counters
	parent *Table   // nil: the root's own table, a handle of a view, or taken out
	over   *overlay // nil unless this is a staged view's handle on a live table
	st     storage  // the content; of an overlay, what was written there
	size   int      // bytes of this table and all below; of an overlay, what it adds
	fresh  bool     // built for one assignment, which may take it without copying
}

// Root returns the live root of the tree that the table belongs or belonged to.
func (t *Table) Root() *Root { return t.root }

// Same says whether t and u are handles on the same table.
func (t *Table) Same(u *Table) bool { return t.Identity() == u.Identity() }

// Identity returns one pointer for all handles on a table, staged or not. It is
// to be compared and used as a map key, not to be read or written through.
func (t *Table) Identity() *Table {
	if t != nil && t.over != nil {
		return t.over.base
	}
	return t
}

// Get returns the value at key, nil if there is none.
func (t *Table) Get(key Value) Value {
	key, ok := readable(key)
	if !ok {
		return Value{}
	}
	defer t.root.unlock(t.root.lock())
	return t.real().read(key)
}

// Set stores val at key; nil deletes the key. A table is copied with all that
// is in it, unless it was just made by Build or Copy, or is at that key
// already. The error is an *Error.
func (t *Table) Set(key, val Value) error {
	key, err := t.root.checkKey(key)
	if err != nil {
		return err
	}
	if val, err = t.bring(val); err != nil {
		return err
	}
	defer t.root.unlock(t.root.lock())
	w, err := t.writable()
	if err != nil {
		return err
	}
	return w.put(key, val)
}

// Try is Set for who leaves what is refused to somebody that is refused the same and says
// why: it is counted there alone. The value is no table.
func (t *Table) Try(key, val Value) bool {
	if t.Set(key, val) == nil {
		return true
	}
	t.root.refused.Add(^uint64(0))
	return false
}

// Incr adds n to the number at key, or to 0 if there is none, as one step that
// no other shard can come between, and returns the sum. In a staged view the
// addition itself is kept and done at Publish.
func (t *Table) Incr(key Value, n float64) (float64, error) {
	key, err := t.root.checkKey(key)
	if err != nil {
		return 0, err
	}
	defer t.root.unlock(t.root.lock())
	w, err := t.writable()
	if err != nil {
		return 0, err
	}
	old := w.read(key)
	if old.kind != KindNumber && old.kind != KindNil {
		return 0, t.root.refuse(Error{
			Reason: NotNumber,
			Detail: "cannot increment " + key.String() + ": it holds " + article(old.kind),
		})
	}
	var sum float64
	if old.kind == KindNumber {
		sum = old.num()
	}
	sum += n
	if w.over != nil {
		return sum, w.putAdd(key, old, n, sum)
	}
	return sum, w.put(key, Number(sum))
}

// Len returns the length as Lua's # does: a border, which for an array without
// holes is the number of its values.
func (t *Table) Len() int {
	defer t.root.unlock(t.root.lock())
	return t.real().length()
}

// Size returns the bytes of the table and all that is below it, counted as
// Root.Size does.
func (t *Table) Size() int {
	defer t.root.unlock(t.root.lock())
	r := t.real()
	if r.over != nil {
		return r.over.base.size + r.size
	}
	return r.size
}

// Copy returns a deep copy that belongs to no tree yet. The next assignment
// takes it without copying it again.
func (t *Table) Copy() (*Table, error) {
	defer t.root.unlock(t.root.lock())
	return t.root.copyOf(t, t.root)
}

// readable prepares a key for reading; nothing is ever found at nil, NaN or a
// table.
func readable(k Value) (Value, bool) {
	switch k.kind {
	case KindString, KindBool:
		return k, true
	case KindNumber:
		f := k.num()
		if f == 0 {
			k = Number(0)
		}
		return k, f == f
	}
	return k, false
}

// real returns the table behind a handle whose view is no more, else t.
func (t *Table) real() *Table {
	if t.over != nil && t.over.view == nil {
		return t.over.base
	}
	return t
}

// writable is real for writing.
func (t *Table) writable() (*Table, error) {
	if t.root.frozen.Load() {
		return nil, t.root.refuse(Error{Reason: ReadOnly})
	}
	if t.over != nil && t.over.discarded {
		return nil, t.root.refuse(Error{Reason: Discarded})
	}
	return t.real(), nil
}

// read is Get under the lock.
func (t *Table) read(k Value) Value {
	if t.over != nil {
		return t.over.read(t, k)
	}
	return t.st.get(k)
}

func (t *Table) length() int {
	if t.over != nil {
		return t.over.length(t)
	}
	return len(t.st.arr)
}

// put is Set under the lock. A table in v belongs to t's root.
func (t *Table) put(k, v Value) error {
	old := t.read(k)
	if t.holds(k, old, v) {
		return nil
	}
	v, err := t.claim(v)
	if err != nil {
		return err
	}
	if err := t.admit(k, old, v); err != nil {
		return err
	}
	t.store(k, old, v)
	return nil
}

// holds says that writing v in place of old would change nothing. In a view even
// a value that the live table has is worth a write: it shall still be there at
// Publish.
func (t *Table) holds(k, old, v Value) bool {
	if old.kind != v.kind {
		return false
	}
	if t.over != nil && v.kind != KindTable && v.kind != KindNil {
		return t.st.get(k).identical(v)
	}
	return old.identical(v) || v.kind == KindTable && old.tab().Same(v.tab())
}

// store replaces old, which is at k, by v without asking any limit.
func (t *Table) store(k, old, v Value) {
	grow := t.weight(k, v) - t.weight(k, old)
	t.attach(v)
	if t.over != nil {
		t.over.write(t, k, v.own())
	} else {
		if old.kind == KindNil {
			k = k.own()
		}
		before := t.st.bytes
		t.st.set(k, v.own())
		grow = t.st.bytes - before + belowSize(v) - belowSize(old)
	}
	detach(old)
	t.charge(grow)
}

// attach makes t the place of a table.
func (t *Table) attach(v Value) {
	if v.kind == KindTable {
		v.tab().fresh, v.tab().parent = false, t
	}
}

// detach takes a table out of its place. A view's handle has no place to lose.
func detach(v Value) {
	if v.kind == KindTable {
		v.tab().parent = nil
	}
}
