package record

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mnode is a table of the naive tree; a view keeps its writes beside it.
type mnode struct {
	vals map[any]any // scalars and *mnode
}

type mwrite struct {
	gone bool
	add  float64 // if val is nil
	val  any
}

type mview struct {
	writes map[*mnode]map[any]mwrite
	order  []*mnode
}

func newNode() *mnode { return &mnode{vals: map[any]any{}} }

// get is what the view shows; a nil view is the live tree.
func (v *mview) get(n *mnode, k any) any {
	live := n.vals[k]
	if v == nil {
		return live
	}
	w, written := v.writes[n][k]
	switch {
	case !written:
		return live
	case w.gone:
		return nil
	case w.val != nil:
		return w.val
	}
	switch x := live.(type) {
	case nil:
		return w.add
	case float64:
		return x + w.add
	}
	return live
}

func (v *mview) write(n *mnode, k any, w mwrite) {
	if v.writes[n] == nil {
		v.writes[n] = map[any]mwrite{}
		v.order = append(v.order, n)
	}
	v.writes[n][k] = w
}

// set writes to a live table through the view, or directly.
func (v *mview) set(n *mnode, k, val any, own bool) {
	switch {
	case v == nil || own:
		if val == nil {
			delete(n.vals, k)
		} else {
			n.vals[k] = val
		}
	case val == nil && n.vals[k] == nil:
		if v.writes[n] != nil {
			delete(v.writes[n], k)
		}
	case val == nil:
		v.write(n, k, mwrite{gone: true})
	default:
		v.write(n, k, mwrite{val: val})
	}
}

func (v *mview) incr(n *mnode, k any, by float64, own bool) bool {
	now, isNumber := v.get(n, k).(float64)
	if !isNumber && v.get(n, k) != nil {
		return false
	}
	if v != nil && !own {
		if w, written := v.writes[n][k]; !written || !w.gone && w.val == nil {
			v.write(n, k, mwrite{add: w.add + by})
			return true
		}
	}
	v.set(n, k, now+by, own)
	return true
}

func (v *mview) keys(n *mnode) map[any]bool {
	keys := map[any]bool{}
	for k := range n.vals {
		keys[k] = true
	}
	if v != nil {
		for k := range v.writes[n] {
			keys[k] = true
		}
	}
	return keys
}

// plain is everything that is seen below n.
func (v *mview) plain(n *mnode) map[any]any {
	out := map[any]any{}
	for k := range v.keys(n) {
		switch x := v.get(n, k).(type) {
		case nil:
		case *mnode:
			out[k] = v.plain(x)
		default:
			out[k] = x
		}
	}
	return out
}

func (v *mview) copyOf(n *mnode) *mnode {
	cp := newNode()
	for k := range v.keys(n) {
		switch x := v.get(n, k).(type) {
		case nil:
		case *mnode:
			cp.vals[k] = v.copyOf(x)
		default:
			cp.vals[k] = x
		}
	}
	return cp
}

func (v *mview) publish() {
	for _, n := range v.order {
		for k := range v.writes[n] {
			if val := v.get(n, k); val == nil {
				delete(n.vals, k)
			} else {
				n.vals[k] = val
			}
		}
	}
}

func plainOf(t *testing.T, tab *Table) map[any]any {
	t.Helper()
	out := map[any]any{}
	for k, v := range tab.All() {
		if _, twice := out[fromValue(k)]; twice {
			t.Fatalf("key %v comes twice", k)
		}
		if got := tab.Get(k); !got.Equal(v) {
			t.Fatalf("get %v is %v, walk says %v", k, got, v)
		}
		if sub, ok := v.AsTable(); ok {
			out[fromValue(k)] = plainOf(t, sub)
		} else {
			out[fromValue(k)] = fromValue(v)
		}
	}
	if n := tab.Len(); tab.Get(intKey(n+1)).Kind() != KindNil || n > 0 && tab.Get(intKey(n)).IsNil() {
		t.Fatalf("# is %d, no border of %v", n, out)
	}
	return out
}

// held is a handle that some script keeps, and what the model says it is.
type held struct {
	tab  *Table
	node *mnode
	view *mview // nil: the live generation's
	own  bool   // made in the view
}

type stageRun struct {
	t    *testing.T
	rng  *rand.Rand
	live *Root
	hold []held
}

func (r *stageRun) act() {
	h := r.hold[r.rng.Intn(len(r.hold))]
	var k any = []any{"a", "b", "c", "d", 1.0, 2.0, 3.0}[r.rng.Intn(7)]
	var err error
	switch r.rng.Intn(9) {
	case 0, 1:
		v := any(float64(r.rng.Intn(50)))
		err = h.tab.Set(toValue(k), toValue(v))
		h.view.set(h.node, k, v, h.own)
	case 2:
		err = h.tab.Set(toValue(k), String("text"))
		h.view.set(h.node, k, "text", h.own)
	case 3:
		err = h.tab.Set(toValue(k), Value{})
		h.view.set(h.node, k, nil, h.own)
	case 4:
		by := float64(1 + r.rng.Intn(5))
		_, err = h.tab.Incr(toValue(k), by)
		if ok := h.view.incr(h.node, k, by, h.own); ok != (err == nil) {
			r.t.Fatalf("incr: %v, model says %v", err, ok)
		}
		err = nil
	case 5, 6:
		r.open(h, k)
	case 7:
		r.build(h, k)
	case 8:
		r.assign(h, k)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// open keeps a handle on a nested table.
func (r *stageRun) open(h held, k any) {
	sub, ok := h.tab.Get(toValue(k)).AsTable()
	node, want := h.view.get(h.node, k).(*mnode)
	if ok != want {
		r.t.Fatalf("%v holds a table: %v, want %v", k, ok, want)
	}
	if !ok {
		return
	}
	own := h.own
	if h.view != nil && !own {
		if w, written := h.view.writes[h.node][k]; written && w.val != nil {
			own = true
		}
	}
	r.hold = append(r.hold, held{sub, node, h.view, own})
	if len(r.hold) > 30 {
		r.hold = slices.Delete(r.hold, 2, 3)
	}
}

func (r *stageRun) build(h held, k any) {
	if h.tab.depth() >= 6 {
		return
	}
	v, err := h.tab.Root().Build(nil, func(b *Builder) error {
		return b.Set(String("x"), Number(1))
	})
	if err == nil {
		err = h.tab.Set(toValue(k), v)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	node := newNode()
	node.vals["x"] = 1.0
	h.view.set(h.node, k, node, h.own)
}

// assign puts a table that somebody holds into another place, or its own.
func (r *stageRun) assign(h held, k any) {
	src := r.hold[r.rng.Intn(len(r.hold))]
	if src.view != h.view {
		return
	}
	if node, _ := h.view.get(h.node, k).(*mnode); node != nil && node == src.node {
		if err := h.tab.Set(toValue(k), FromTable(src.tab)); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	high := viewHeight(src.view.plain(src.node))
	if h.tab.depth()+high > 6 {
		return
	}
	if err := h.tab.Set(toValue(k), FromTable(src.tab)); err != nil {
		r.t.Fatal(err)
	}
	h.view.set(h.node, k, src.view.copyOf(src.node), h.own)
}

func viewHeight(m map[any]any) int {
	deepest := 0
	for _, v := range m {
		if sub, ok := v.(map[any]any); ok {
			deepest = max(deepest, viewHeight(sub))
		}
	}
	return deepest + 1
}

func (r *stageRun) compare(what string) {
	r.t.Helper()
	checkTree(r.t, &r.live.top)
	for i, h := range r.hold {
		if diff := cmp.Diff(h.view.plain(h.node), plainOf(r.t, h.tab)); diff != "" {
			r.t.Fatalf("%s, handle %d: %s", what, i, diff)
		}
	}
}

func TestStageAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range int64(60) {
		rng := rand.New(rand.NewSource(seed))
		live := NewRoot("state", limitsFor(Limits{Depth: 8, Value: 1 << 30, Total: 1 << 30}))
		top := newNode()
		r := &stageRun{t: t, rng: rng, live: live, hold: []held{{live.Table(), top, nil, false}}}
		for range 30 {
			r.act()
		}
		staged := live.Stage()
		view := &mview{writes: map[*mnode]map[any]mwrite{}}
		r.hold = append([]held{r.hold[0], {staged.Table(), top, view, false}}, r.hold[1:]...)
		for i := range 120 {
			r.act()
			if i%3 == 0 {
				r.compare(fmt.Sprintf("seed %d, step %d", seed, i))
			}
		}
		if seed%5 == 0 {
			staged.Discard()
			checkDiscarded(t, staged, live)
			continue
		}
		staged.Publish()
		view.publish()
		for i := range r.hold {
			r.hold[i].view = nil
		}
		r.compare(fmt.Sprintf("seed %d, published", seed))
		for i := range 50 {
			r.act()
			if i%3 == 0 {
				r.compare(fmt.Sprintf("seed %d, step %d after publishing", seed, i))
			}
		}
	}
}

func checkDiscarded(t *testing.T, staged, live *Root) {
	t.Helper()
	if diff := cmp.Diff(plainOf(t, live.Table()), plainOf(t, staged.Table())); diff != "" {
		t.Fatalf("a discarded view differs from the live root: %s", diff)
	}
	before := live.Refused()
	err := staged.Table().Set(String("x"), Number(1))
	wantReason(t, err, Discarded)
	staged.SetVersion(99)
	if live.Refused() != before+1 || live.Version() == 99 {
		t.Fatalf("a discarded view wrote: refused %d, version %d", live.Refused(), live.Version())
	}
}

func TestStagedArray(t *testing.T) {
	t.Parallel()
	live := NewRoot("state", limitsFor(StateLimits()))
	list := mustBuild(t, live, "list", func(b *Builder) error {
		for i := range 3 {
			if err := b.Set(intKey(i+1), Number(float64(10*(i+1)))); err != nil {
				return err
			}
		}
		return nil
	})
	view := live.Stage()
	staged, _ := view.Table().Get(String("list")).AsTable()
	if err := staged.Append(Number(40)); err != nil {
		t.Fatal(err)
	}
	if err := staged.Insert(1, Number(5)); err != nil {
		t.Fatal(err)
	}
	if v, err := staged.Remove(3); err != nil || !v.Equal(Number(20)) {
		t.Fatalf("remove: %v %v", v, err)
	}
	if got, want := numbers(staged), []float64{5, 10, 30, 40}; !slices.Equal(got, want) {
		t.Errorf("staged %v, want %v", got, want)
	}
	if got, want := numbers(list), []float64{10, 20, 30}; !slices.Equal(got, want) {
		t.Errorf("live %v, want %v", got, want)
	}
	if v, err := staged.Pop(); err != nil || !v.Equal(Number(40)) {
		t.Fatalf("pop: %v %v", v, err)
	}
	view.Publish()
	for _, tab := range []*Table{list, staged} {
		if got, want := numbers(tab), []float64{5, 10, 30}; !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
	}
	if !list.Same(staged) || !FromTable(list).Equal(FromTable(staged)) {
		t.Error("two handles on one table differ")
	}
	checkTree(t, &live.top)
}

// A staged counter adds to what the live generation counted meanwhile.
func TestStagedIncrAdds(t *testing.T) {
	t.Parallel()
	live := NewRoot("state", limitsFor(StateLimits()))
	view := live.Stage()
	k := String("loads")
	incr := func(tab *Table, want float64) {
		t.Helper()
		if got, err := tab.Incr(k, 1); err != nil || got != want {
			t.Fatalf("incr: %v %v, want %v", got, err, want)
		}
	}
	incr(live.Table(), 1)
	incr(view.Table(), 2)
	incr(view.Table(), 3)
	incr(live.Table(), 2)
	view.Publish()
	if got, _ := live.Table().Get(k).AsNumber(); got != 4 {
		t.Errorf("after publishing %v, want 4", got)
	}
	incr(view.Table(), 5)
	view.Publish()
	incr(live.Table(), 6)
}

func TestStagedVersionAndLimit(t *testing.T) {
	t.Parallel()
	live := NewRoot("c.data", limitsFor(ConnLimits()))
	live.SetVersion(1)
	view := live.Stage()
	view.SetVersion(2)
	if live.Version() != 1 || view.Version() != 2 {
		t.Errorf("versions %d and %d before publishing", live.Version(), view.Version())
	}
	var err error
	for i := 0; err == nil; i++ {
		err = view.Table().Set(intKey(i+1), String("0123456789"))
	}
	if want := "c.data is full: 8 KiB"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	want := view.Size()
	view.Publish()
	if live.Version() != 2 || live.Size() != want || want > 8<<10 || want < 8<<10-100 {
		t.Errorf("published version %d, size %d, announced %d", live.Version(), live.Size(), want)
	}
}

// Lua's next works on what a view shows, and its current key may be deleted.
func TestStagedNext(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{1, 2, 3, 100} { // every kept-th key stays
		live := NewRoot("state", limitsFor(StateLimits()))
		view := live.Stage()
		for i := range 20 {
			tab := []*Table{live.Table(), view.Table()}[i/10]
			for _, k := range []Value{String(fmt.Sprint("k", i)), intKey(i + 1), Number(float64(-i))} {
				if err := tab.Set(k, Bool(true)); err != nil {
					t.Fatal(err)
				}
			}
		}
		tab, seen := view.Table(), map[any]bool{}
		k, _, err := tab.Next(Value{})
		for ; err == nil && !k.IsNil(); k, _, err = tab.Next(k) {
			if seen[fromValue(k)] {
				t.Fatalf("key %v comes twice", k)
			}
			seen[fromValue(k)] = true
			if len(seen)%kept > 0 {
				if err := tab.Set(k, Value{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err != nil || len(seen) != 60 {
			t.Fatalf("next visited %d of 60 keys: %v", len(seen), err)
		}
		if n := len(plainOf(t, tab)); n != 60/kept {
			t.Errorf("%d keys left, want %d", n, 60/kept)
		}
		if n := len(plainOf(t, live.Table())); n != 30 {
			t.Errorf("the live root has %d keys", n)
		}
		view.Publish()
		if n := len(plainOf(t, live.Table())); n != 60/kept {
			t.Errorf("%d keys published, want %d", n, 60/kept)
		}
		checkTree(t, &live.top)
	}
}

func TestStagedInsertOfTables(t *testing.T) {
	t.Parallel()
	live := NewRoot("state", limitsFor(StateLimits()))
	jobs := mustBuild(t, live, "jobs", func(b *Builder) error {
		for i := range 3 {
			err := b.Table(intKey(i+1), nil, func(b *Builder) error { return sets(b, "id", i) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	view := live.Stage()
	staged, _ := view.Table().Get(String("jobs")).AsTable()
	job, err := live.Build(nil, func(b *Builder) error { return sets(b, "id", 9) })
	if err == nil {
		err = staged.Insert(1, job)
	}
	if err != nil {
		t.Fatal(err)
	}
	first, err := staged.Remove(2)
	if tab, ok := first.AsTable(); err != nil || !ok || fromValue(tab.Get(String("id"))) != 0.0 {
		t.Fatalf("removed %v: %v", first, err)
	}
	announced := view.Size()
	if staged.Size() <= tableCost {
		t.Errorf("the staged table takes %d bytes", staged.Size())
	}
	view.Publish()
	ids := ""
	for _, v := range jobs.All() {
		ids += fmt.Sprint(fromValue(v.tab().Get(String("id"))), " ")
	}
	if ids != "9 1 2 " {
		t.Errorf("published %s", ids)
	}
	if live.Size() != announced || jobs.Size()+tableCost+entryCost+len("jobs") != announced {
		t.Errorf("size %d, announced %d, of jobs %d", live.Size(), announced, jobs.Size())
	}
	checkTree(t, &live.top)
}
