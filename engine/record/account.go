package record

// admit asks the limits whether v may replace old at k.
func (t *Table) admit(k, old, v Value) error {
	if v.kind == KindNil {
		return nil
	}
	lim := t.root.limits
	if k.payload()+v.payload()+belowSize(v) > lim.Value {
		return t.root.refuse(Error{Reason: TooLarge, Limit: lim.Value})
	}
	if v.kind == KindTable && t.depth()+height(v.tab(), lim.Depth+1) > lim.Depth {
		return t.root.refuse(Error{Reason: TooDeep, Limit: lim.Depth})
	}
	return t.room(t.weight(k, v) - t.weight(k, old))
}

// room asks whether the tree that t is in may grow by n bytes.
func (t *Table) room(n int) error {
	if n > 0 && t.total()+n > t.root.limits.Total {
		return t.root.refuse(Error{Reason: Full, Limit: t.root.limits.Total})
	}
	return nil
}

// weight is what v at k takes, with all that is below it.
func (t *Table) weight(k, v Value) int {
	if v.kind == KindNil {
		return 0
	}
	if t.over == nil {
		return t.st.cost(k, v) + belowSize(v)
	}
	place := entryCost + k.payload()
	if _, ok := k.index(); ok {
		place = slotCost
	}
	return place + v.payload() + belowSize(v)
}

// belowSize is the size of the table in v, 0 for a scalar.
func belowSize(v Value) int {
	if v.kind != KindTable {
		return 0
	}
	if t := v.tab(); t.over != nil {
		return t.over.base.size + t.size
	}
	return v.tab().size
}

// total is the size of the tree that t is in.
func (t *Table) total() int {
	for t.parent != nil {
		t = t.parent
	}
	if t.over != nil && t.over.view != nil {
		return t.over.view.sizeLocked()
	}
	return t.size
}

// charge adds n bytes to t and to all it is in.
func (t *Table) charge(n int) {
	for ; t != nil; t = t.parent {
		t.size += n
		if t.over != nil && t.over.view != nil {
			t.over.view.stage.grow += n
		}
	}
}

// depth is the number of tables above t.
func (t *Table) depth() int {
	d := 0
	for {
		switch {
		case t.over != nil:
			t = t.over.base
		case t.parent != nil:
			t = t.parent
			d++
		default:
			return d
		}
	}
}

// height is the number of tables on the longest path down from t, itself
// included, as far as most.
func height(t *Table, most int) int {
	deepest := 0
	if most > 1 {
		t.eachTable(func(below *Table) {
			deepest = max(deepest, height(below, most-1))
		})
	}
	return deepest + 1
}

// eachTable calls f for the tables directly below a table that is no overlay.
func (t *Table) eachTable(f func(*Table)) {
	for _, v := range t.st.arr {
		if v.kind == KindTable {
			f(v.tab())
		}
	}
	for i := range t.st.ents {
		if v := t.st.ents[i].val; v.kind == KindTable {
			f(v.tab())
		}
	}
}
