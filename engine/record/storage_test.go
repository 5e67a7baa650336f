package record

import (
	"fmt"
	"math/rand"
	"testing"
)

// checkTree recomputes everything that tables keep count of.
func checkTree(t *testing.T, tab *Table) (size int) {
	t.Helper()
	s := &tab.st
	bytes, dead, nums := 0, 0, 0
	size = tableCost
	below := func(v Value) {
		if v.kind == KindTable {
			if v.tab().parent != tab {
				t.Fatalf("table below has another parent")
			}
			if v.tab().fresh {
				t.Fatalf("table in a tree is still fresh")
			}
			size += checkTree(t, v.tab())
		}
	}
	for _, v := range s.arr {
		bytes += slotCost + v.payload()
		below(v)
	}
	if n := len(s.arr); n > 0 && s.arr[n-1].kind == KindNil {
		t.Fatalf("array part of %d ends with nil", n)
	}
	newest := map[string]int{}
	for i, e := range s.ents {
		if e.key.kind == KindNil {
			dead++
			continue
		}
		newest[fmt.Sprint(e.key.kind, e.key)] = i
		if i > 0 && s.ents[i-1].seq >= e.seq {
			t.Fatalf("entries out of order")
		}
		if e.val.kind == KindNil {
			dead++
			continue
		}
		if k, ok := e.key.index(); ok && k <= len(s.arr)+1 {
			t.Fatalf("key %d in the hash part beside an array of %d", k, len(s.arr))
		}
		if e.key.kind == KindNumber {
			nums++
		}
		bytes += entryCost + e.key.payload() + e.val.payload()
		below(e.val)
	}
	for _, i := range newest {
		if got := s.find(s.ents[i].key); got != i {
			t.Fatalf("find(%v) = %d, want %d", s.ents[i].key, got, i)
		}
	}
	if s.bytes != bytes || int(s.dead) != dead || int(s.nums) != nums {
		t.Fatalf("bytes %d dead %d nums %d, want %d %d %d", s.bytes, s.dead, s.nums, bytes, dead, nums)
	}
	if dead > 0 && dead == len(s.ents) {
		t.Fatalf("%d dead entries and nothing else", dead)
	}
	size += bytes
	if tab.size != size {
		t.Fatalf("size %d, want %d", tab.size, size)
	}
	return size
}

// luaModel is a table as the manual describes it: a map, and the order in which
// keys outside the array came.
type luaModel struct {
	vals  map[any]any
	order []any
}

func (m *luaModel) set(k, v any) {
	_, had := m.vals[k]
	switch {
	case v == nil:
		delete(m.vals, k)
		m.order = without(m.order, k)
	case had:
		m.vals[k] = v
	default:
		m.vals[k] = v
		m.order = append(m.order, k)
	}
}

func without(list []any, k any) []any {
	var kept []any
	for _, x := range list {
		if x != k {
			kept = append(kept, x)
		}
	}
	return kept
}

func toValue(x any) Value {
	switch x := x.(type) {
	case nil:
		return Value{}
	case bool:
		return Bool(x)
	case int:
		return Number(float64(x))
	case float64:
		return Number(x)
	case string:
		return String(x)
	case Value:
		return x
	}
	panic(fmt.Sprintf("toValue(%T)", x))
}

func fromValue(v Value) any {
	switch v.Kind() {
	case KindBool:
		b, _ := v.AsBool()
		return b
	case KindNumber:
		f, _ := v.AsNumber()
		return f
	case KindString:
		s, _ := v.AsString()
		return s
	case KindTable:
		return v.tab().Identity()
	}
	return nil
}

func randomKey(rng *rand.Rand) any {
	switch rng.Intn(5) {
	case 0, 1:
		return float64(1 + rng.Intn(12))
	case 2:
		return rng.Intn(2) == 0
	case 3:
		return []any{0.0, -3.0, 1.5, 1e10}[rng.Intn(4)]
	}
	return fmt.Sprintf("key%d", rng.Intn(14))
}

func TestTableAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range int64(60) {
		rng := rand.New(rand.NewSource(seed))
		root := NewRoot("state", limitsFor(StateLimits()))
		tab := root.Table()
		m := &luaModel{vals: map[any]any{}}
		for range 400 {
			k := randomKey(rng)
			var v any
			if rng.Intn(5) > 1 {
				v = []any{true, float64(rng.Intn(100)), fmt.Sprint("text", rng.Intn(100))}[rng.Intn(3)]
			}
			if err := tab.Set(toValue(k), toValue(v)); err != nil {
				t.Fatal(err)
			}
			m.set(k, v)
			if rng.Intn(30) == 0 {
				deleteWhileWalking(t, tab, m, rng)
			}
			checkTree(t, &root.top)
			compareModel(t, tab, m)
		}
	}
}

// compareModel checks values, # and the order of the hash part.
func compareModel(t *testing.T, tab *Table, m *luaModel) {
	t.Helper()
	n := tab.Len()
	if m.vals[float64(n+1)] != nil || n > 0 && m.vals[float64(n)] == nil {
		t.Fatalf("# is %d, which is no border of %v", n, m.vals)
	}
	seen := map[any]any{}
	var hashed []any
	for k, v := range tab.All() {
		key := fromValue(k)
		if _, again := seen[key]; again {
			t.Fatalf("key %v comes twice", key)
		}
		seen[key] = fromValue(v)
		if i, ok := k.index(); !ok || i > n {
			hashed = append(hashed, key)
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(m.vals) {
		t.Fatalf("walk sees %v, want %v", seen, m.vals)
	}
	var want []any
	for _, k := range m.order {
		if i, ok := toValue(k).index(); !ok || i > n {
			want = append(want, k)
		}
	}
	onlyOtherKeys := func(list []any) (out []any) { // numbers may come back from the array part
		for _, k := range list {
			if _, isNumber := k.(float64); !isNumber {
				out = append(out, k)
			}
		}
		return out
	}
	if got, want := onlyOtherKeys(hashed), onlyOtherKeys(want); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	for k, v := range m.vals {
		if got := fromValue(tab.Get(toValue(k))); got != v {
			t.Fatalf("get %v: %v, want %v", k, got, v)
		}
	}
}

// deleteWhileWalking uses next as a script does: for k in next, t do t[k] = nil.
func deleteWhileWalking(t *testing.T, tab *Table, m *luaModel, rng *rand.Rand) {
	t.Helper()
	want := len(m.vals)
	visited := 0
	k, _, err := tab.Next(Value{})
	for ; err == nil && !k.IsNil(); k, _, err = tab.Next(k) {
		visited++
		if rng.Intn(4) > 0 {
			if err := tab.Set(k, Value{}); err != nil {
				t.Fatal(err)
			}
			m.set(fromValue(k), nil)
		}
	}
	if err != nil || visited != want {
		t.Fatalf("next visited %d of %d keys: %v", visited, want, err)
	}
}

func limitsFor(l Limits) *Limits { return &l }

func TestDeletedKeysAreFreed(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	tab := root.Table()
	for i := range 100_000 {
		if err := tab.Set(String(fmt.Sprint("call-", i)), Number(1)); err != nil {
			t.Fatal(err)
		}
		if err := tab.Set(String(fmt.Sprint("call-", i-100)), Value{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := cap(root.top.st.ents); n > 1000 {
		t.Errorf("100 live keys hold %d entries", n)
	}
	for k := range tab.All() {
		if err := tab.Set(k, Value{}); err != nil {
			t.Fatal(err)
		}
	}
	if root.Size() != tableCost || root.top.st.ents != nil || root.top.st.idx != nil {
		t.Errorf("an emptied table keeps %d bytes, %d entries", root.Size(), cap(root.top.st.ents))
	}
}

func TestCursorSurvivesOthers(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	tab := root.Table()
	for i := range 200 {
		if err := tab.Set(String(fmt.Sprint("k", i)), Number(float64(i))); err != nil {
			t.Fatal(err)
		}
	}
	cur, met := tab.Walk(), 0
	for k, v, ok := cur.Next(); ok; k, v, ok = cur.Next() {
		f, _ := v.AsNumber()
		if int(f)%2 == 0 && f < 200 {
			met++
		}
		if f >= 200 {
			break
		}
		// Another shard deletes the odd ones, the current too, and adds more.
		_ = tab.Set(k, Value{})
		_ = tab.Set(String(fmt.Sprint("k", int(f)|1)), Value{})
		_ = tab.Set(String(fmt.Sprint("new", f)), Number(1000+f))
	}
	if met != 100 {
		t.Errorf("met %d of the 100 keys that stayed until their turn", met)
	}
}
