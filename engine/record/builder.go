package record

// Builder fills a table that comes from outside, pair by pair, so that one that
// is too large, too deep or cyclic is refused before it is copied whole. It is
// used by one goroutine, inside the function that it was given to.
type Builder struct {
	t     *Table
	up    *Builder
	id    any
	key   Value
	level int
	purse *purse
}

// purse is what the whole value may still take.
type purse struct {
	left, limit int
	reason      Reason // of the error when it is empty
}

// Build copies a table in: fill sets its pairs. id identifies the table where
// it comes from (its pointer, say) and finds cycles; nil finds none. The result
// belongs to no tree yet; the first Set, Append or Insert into this root takes
// it without another copy. The error is an *Error, or what fill returned.
func (r *Root) Build(id any, fill func(*Builder) error) (Value, error) {
	live := r.live()
	t := &Table{root: live, size: tableCost, fresh: true}
	if err := live.build(t, 1, id, fill); err != nil {
		return Value{}, err
	}
	return FromTable(t), nil
}

// BuildFrozen makes a read-only tree of its own, which any number of goroutines
// may share, and returns its table. The limits and the name are the new root's.
func BuildFrozen(name string, limits *Limits, id any, fill func(*Builder) error) (Value, error) {
	r := NewRoot(name, limits)
	if err := r.build(&r.top, 0, id, fill); err != nil {
		return Value{}, err
	}
	r.Freeze()
	return FromTable(&r.top), nil
}

// Frozen returns v in a form that any number of goroutines may share: a scalar
// with bytes of its own, a frozen table as it is, any other table as a frozen
// copy.
func Frozen(name string, limits *Limits, v Value) (Value, error) {
	if v.kind != KindTable {
		if v.payload() > limits.Value {
			return Value{}, &Error{Root: name, Reason: TooLarge, Limit: limits.Value}
		}
		return v.own(), nil
	}
	src := v.tab()
	if src.root.frozen.Load() {
		return v, nil
	}
	r := NewRoot(name, limits)
	c := copier{root: r, most: limits.Value}
	locked := src.root.lock()
	err := c.fill(&r.top, src, 0)
	src.root.unlock(locked)
	if err != nil {
		return Value{}, err
	}
	r.Freeze()
	return FromTable(&r.top), nil
}

func (r *Root) build(t *Table, level int, id any, fill func(*Builder) error) error {
	p := purse{left: r.limits.Value, limit: r.limits.Value, reason: TooLarge}
	if total := r.limits.Total; total < p.limit {
		p = purse{left: total, limit: total, reason: Full}
	}
	b := Builder{t: t, id: id, level: level, purse: &p}
	if err := b.spend(tableCost); err != nil {
		return err
	}
	return fill(&b)
}

// Set stores a pair; a nil value stores nothing. A table in val is copied.
func (b *Builder) Set(key, val Value) error {
	key, err := b.checkKey(key)
	if err != nil {
		return err
	}
	if val.kind == KindTable {
		return b.copyIn(key, val.tab())
	}
	if val.kind == KindNil {
		return nil
	}
	if err := b.spend(b.t.st.cost(key, val)); err != nil {
		return b.at(key, err)
	}
	b.put(key, val.own())
	return nil
}

// Table stores a table under key and lets fill set its pairs; id as in
// Root.Build.
func (b *Builder) Table(key Value, id any, fill func(*Builder) error) error {
	key, err := b.checkKey(key)
	if err != nil {
		return err
	}
	if b.contains(id) {
		return b.at(key, b.refuse(Error{Reason: Cycle}))
	}
	child := &Table{root: b.t.root, size: tableCost}
	sub := Builder{t: child, up: b, id: id, key: key, level: b.level + 1, purse: b.purse}
	if depth := b.t.root.limits.Depth; sub.level > depth {
		return b.at(key, b.refuse(Error{Reason: TooDeep, Limit: depth}))
	}
	if err := b.spend(tableCost + b.t.st.cost(key, FromTable(child))); err != nil {
		return b.at(key, err)
	}
	if err := fill(&sub); err != nil {
		return err
	}
	b.put(key, FromTable(child))
	return nil
}

// copyIn copies a record table that the source held.
func (b *Builder) copyIn(key Value, src *Table) error {
	return b.Table(key, src.Identity(), func(sub *Builder) error {
		for k, v := range src.All() {
			if err := sub.Set(k, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// put stores what was paid for. The table is nobody else's yet, so no lock.
func (b *Builder) put(key, val Value) {
	if old := b.t.st.get(key); old.kind == KindNil {
		key = key.own()
	} else {
		b.t.size -= belowSize(old)
	}
	before := b.t.st.bytes
	b.t.st.set(key, val)
	b.t.attach(val)
	b.t.charge(b.t.st.bytes - before + belowSize(val))
}

func (b *Builder) contains(id any) bool {
	if id == nil {
		return false
	}
	for ; b != nil; b = b.up {
		if b.id == id {
			return true
		}
	}
	return false
}

func (b *Builder) spend(n int) error {
	if b.purse.left -= n; b.purse.left < 0 {
		return b.refuse(Error{Reason: b.purse.reason, Limit: b.purse.limit})
	}
	return nil
}

func (b *Builder) checkKey(k Value) (Value, error) {
	k, err := b.t.root.checkKey(k)
	if err != nil {
		return k, b.at(Value{}, err)
	}
	return k, nil
}

func (b *Builder) refuse(e Error) error { return b.t.root.refuse(e) }

// at tells an error where in the value it happened: a.b[3].
func (b *Builder) at(key Value, err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	path := step(key)
	for ; b.up != nil; b = b.up {
		path = step(b.key) + path
	}
	if path != "" && path[0] == '.' {
		path = path[1:]
	}
	e.Path = path
	return e
}

// step writes one key of a path.
func step(k Value) string {
	s, isString := k.AsString()
	switch {
	case k.kind == KindNil:
		return ""
	case isString && isName(s):
		return "." + s
	}
	return "[" + k.String() + "]"
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z' || s[i] == '_' || i > 0 && s[i] >= '0' && s[i] <= '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
