package strlib

import lua "github.com/yuin/gopher-lua"

// maxShift is how far from the end table.insert may put an element: 5.1 takes
// any position and moves everything from there to the end, nils included.
const maxShift = 1 << 22

func (l *lib) tabGetn(L *lua.LState) int {
	seq, _ := checkSequence(L, "getn")
	pushInt(L, seq.Len())
	return 1
}

func (l *lib) tabMaxn(L *lua.LState) int {
	seq, t := checkSequence(L, "maxn")
	if t == nil {
		pushInt(L, seq.Len())
		return 1
	}
	greatest, keys := 0.0, 0
	t.ForEach(func(k, _ lua.LValue) {
		keys++
		if n, ok := k.(lua.LNumber); ok {
			greatest = max(greatest, float64(n))
		}
	})
	l.charge(L, 8*keys)
	L.Push(lua.LNumber(greatest))
	return 1
}

func (l *lib) tabInsert(L *lua.LState) int {
	seq, t := checkSequence(L, "insert")
	n := seq.Len()
	switch L.GetTop() {
	case 2:
		l.checkRoom(L, t, n+1)
		seq.SetIndex(L, n+1, L.Get(2))
	case 3:
		pos, v := checkInt(L, 2, "insert"), L.Get(3)
		if pos < n-maxShift {
			argError(L, 2, "insert", "position out of bounds")
		}
		l.checkRoom(L, t, max(n+1, pos))
		l.insertAt(L, seq, t, n, pos, v)
	default:
		L.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

// checkRoom refuses what would not fit into a table's array. gopher-lua keeps
// keys of lua.MaxArrayIndex and above elsewhere, and its length does not count
// them: an element put there would be lost to the list.
func (l *lib) checkRoom(L *lua.LState, t *lua.LTable, n int) {
	if t != nil && n >= lua.MaxArrayIndex {
		L.RaiseError("table.insert: a list holds at most %d elements", lua.MaxArrayIndex-1)
	}
}

func (l *lib) insertAt(L *lua.LState, seq Sequence, t *lua.LTable, n, pos int, v lua.LValue) {
	if t != nil && 1 <= pos && pos <= n && v != lua.LNil {
		l.charge(L, (n-pos)/4+1)
		t.Insert(pos, v)
		return
	}
	if t != nil && pos > n {
		l.charge(L, 8*(pos-n)) // gopher-lua fills the array up to there
	}
	for i := n + 1; i > pos; i-- {
		if i&63 == 0 {
			l.charge(L, 64*8)
		}
		seq.SetIndex(L, i, seq.Index(L, i-1))
	}
	seq.SetIndex(L, pos, v)
}

func (l *lib) tabRemove(L *lua.LState) int {
	seq, t := checkSequence(L, "remove")
	n := seq.Len()
	pos := optInt(L, 2, "remove", n)
	if pos < 1 || pos > n {
		return 0
	}
	if t != nil {
		l.charge(L, (n-pos)/4+1)
		L.Push(takeOut(t, pos, n))
		return 1
	}
	L.Push(seq.Index(L, pos))
	for ; pos < n; pos++ {
		if pos&63 == 0 {
			l.charge(L, 64*8)
		}
		seq.SetIndex(L, pos, seq.Index(L, pos+1))
	}
	seq.SetIndex(L, n, lua.LNil)
	return 1
}

// takeOut removes element pos of n from a table whose array ends at n.
func takeOut(t *lua.LTable, pos, n int) lua.LValue {
	if pos == n {
		v := t.RawGetInt(n)
		t.RawSetInt(n, lua.LNil) // Remove would leave the value where it is, out of reach and alive
		t.Remove(n)
		return v
	}
	return t.Remove(pos)
}

func (l *lib) tabConcat(L *lua.LState) int {
	sep := ""
	if L.Get(2) != lua.LNil {
		sep = checkString(L, 2, "concat")
	}
	seq, _ := checkSequence(L, "concat")
	from := optInt(L, 3, "concat", 1)
	to := 0
	if L.Get(4) == lua.LNil {
		to = seq.Len()
	} else {
		to = checkInt(L, 4, "concat")
	}
	sc := l.acquire()
	buf := sc.buf[:0]
	for i := from; i <= to; i++ {
		if i&63 == 0 {
			l.charge(L, 64*12)
		}
		text, ok := toString(seq.Index(L, i))
		if !ok {
			L.RaiseError("invalid value (%s) at index %d in table for 'concat'", seq.Index(L, i).Type(), i)
		}
		if i > from {
			l.bound(L, "table.concat", len(buf)+len(sep))
			buf = append(buf, sep...)
		}
		l.bound(L, "table.concat", len(buf)+len(text))
		buf = append(buf, text...)
	}
	l.chargeBytes(L, len(buf))
	L.Push(lua.LString(buf))
	sc.buf = buf
	l.release(sc)
	return 1
}

// unpack pushes at most [MaxStack] values.
func (l *lib) unpack(L *lua.LState) int {
	seq, _ := checkSequence(L, "unpack")
	from := optInt(L, 2, "unpack", 1)
	to := 0
	if L.Get(3) == lua.LNil {
		to = seq.Len()
	} else {
		to = checkInt(L, 3, "unpack")
	}
	if from > to {
		return 0
	}
	if n := to - from + 1; n <= 0 || n > MaxStack-L.GetTop() {
		L.RaiseError("too many results to unpack")
	}
	l.charge(L, 3*(to-from+1))
	for i := from; i <= to; i++ {
		L.Push(seq.Index(L, i))
	}
	return to - from + 1
}
