package record

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

func wantReason(t *testing.T, err error, want Reason) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Fatalf("error %v, want reason %d", err, want)
	}
}

func mustBuild(t testing.TB, r *Root, key string, fill func(*Builder) error) *Table {
	t.Helper()
	v, err := r.Build(nil, fill)
	if err == nil {
		err = r.Table().Set(String(key), v)
	}
	if err != nil {
		t.Fatal(err)
	}
	tab, _ := r.Table().Get(String(key)).AsTable()
	return tab
}

func numbers(tab *Table) (out []float64) {
	for i := 1; i <= tab.Len(); i++ {
		f, _ := tab.Get(intKey(i)).AsNumber()
		out = append(out, f)
	}
	return out
}

func empty(*Builder) error { return nil }

func TestErrors(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	top := root.Table()
	list := mustBuild(t, root, "list", empty)
	if err := top.Set(String("name"), String("x")); err != nil {
		t.Fatal(err)
	}
	incr := func(_ float64, err error) error { return err }
	rows := []struct {
		err  error
		want string
	}{
		{top.Set(Value{}, Number(1)), "state: a key cannot be nil"},
		{top.Set(Number(math.NaN()), Number(1)), "state: a key cannot be NaN"},
		{top.Set(FromTable(list), Number(1)), "state: a key cannot be a table"},
		{top.Set(String("big"), String(strings.Repeat("x", 64<<10))), "state: one value holds at most 64 KiB"},
		{incr(top.Incr(String("name"), 1)), `state: cannot increment "name": it holds a string`},
		{incr(top.Incr(String("list"), 1)), `state: cannot increment "list": it holds a table`},
		{list.Insert(2, Number(1)), "state: cannot insert at 2: the positions are 1 to 1"},
		{list.Insert(0, Number(1)), "state: cannot insert at 0: the positions are 1 to 1"},
	}
	for _, row := range rows {
		if row.err == nil || row.err.Error() != row.want {
			t.Errorf("got %v, want %s", row.err, row.want)
		}
	}
	if got := root.Refused(); got != uint64(len(rows)) {
		t.Errorf("refused %d, want %d", got, len(rows))
	}
	if top.Try(String("big"), String(strings.Repeat("x", 64<<10))) || !top.Try(String("small"), Number(1)) {
		t.Error("try refused what fits, or took what does not")
	}
	if got := root.Refused(); got != uint64(len(rows)) {
		t.Errorf("%d refused after a try, want %d", got, len(rows))
	}
	if _, _, err := top.Next(String("nobody")); err == nil {
		t.Error("next of an unknown key gave no error")
	}
	root.Freeze()
	if err := list.Append(Number(1)); err == nil || err.Error() != "state is read-only" {
		t.Errorf("append to a frozen table: %v", err)
	}
	checkTree(t, &root.top)
}

func TestFull(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	tab := mustBuild(t, root, "t", empty)
	n := 0
	var err error
	for ; err == nil; n++ {
		err = tab.Set(String(fmt.Sprint("key", n)), String(strings.Repeat("v", 1000)))
	}
	if want := "state is full: 1 MiB"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if size := root.Size(); size > 1<<20 || size < 1<<20-1100 {
		t.Errorf("full at %d bytes", size)
	}
	if err := tab.Set(String("key0"), String("short")); err != nil {
		t.Errorf("a shrinking write: %v", err)
	}
	if err := root.Table().Set(String("t"), Value{}); err != nil || root.Size() != tableCost {
		t.Errorf("cleared: %v, size %d", err, root.Size())
	}
	// Taken out, the table is a tree of its own and has the same limit.
	for err = nil; err == nil; n++ {
		err = tab.Append(String(strings.Repeat("v", 1000)))
	}
	wantReason(t, err, Full)
	checkTree(t, &root.top)
}

func TestDepth(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	tab := root.Table()
	for level := 1; ; level++ {
		v, err := root.Build(nil, empty)
		if err != nil {
			t.Fatal(err)
		}
		if err = tab.Set(String("sub"), v); err != nil {
			wantReason(t, err, TooDeep)
			if level != 9 || err.Error() != "state: tables nest at most 8 deep" {
				t.Errorf("level %d: %v", level, err)
			}
			break
		}
		tab, _ = tab.Get(String("sub")).AsTable()
	}
	high, _ := root.Table().Get(String("sub")).AsTable()
	err := high.Set(String("again"), FromTable(high))
	wantReason(t, err, TooDeep)
	checkTree(t, &root.top)
}

func TestAssignmentCopies(t *testing.T) {
	t.Parallel()
	root, other := NewRoot("state", limitsFor(StateLimits())), NewRoot("c.data", limitsFor(ConnLimits()))
	a := mustBuild(t, root, "a", func(b *Builder) error { return b.Set(String("x"), Number(1)) })
	set := func(tab *Table, key string, v Value) {
		t.Helper()
		if err := tab.Set(String(key), v); err != nil {
			t.Fatal(err)
		}
	}
	set(root.Table(), "b", FromTable(a))
	set(other.Table(), "a", FromTable(a))
	set(a, "self", FromTable(a))
	set(a, "x", Number(2))
	b, _ := root.Table().Get(String("b")).AsTable()
	c, _ := other.Table().Get(String("a")).AsTable()
	self, _ := a.Get(String("self")).AsTable()
	for _, tab := range []*Table{b, c, self} {
		if got := fromValue(tab.Get(String("x"))); got != 1.0 || tab.Same(a) {
			t.Errorf("copy has x = %v", got)
		}
	}
	size := root.Size()
	set(root.Table(), "a", FromTable(a))
	if got, _ := root.Table().Get(String("a")).AsTable(); got != a || root.Size() != size {
		t.Error("state.a = state.a is not left alone")
	}
	set(root.Table(), "a", Value{})
	set(a, "x", Number(3)) // goes on as a table of its own
	set(root.Table(), "back", FromTable(a))
	set(a, "x", Number(4))
	back, _ := root.Table().Get(String("back")).AsTable()
	if got := fromValue(back.Get(String("x"))); got != 3.0 {
		t.Errorf("assigned again with x = %v, want 3", got)
	}
	cp, err := b.Copy()
	if err != nil {
		t.Fatal(err)
	}
	set(cp, "cp", FromTable(cp))
	set(root.Table(), "cp", FromTable(cp))
	if got, _ := root.Table().Get(String("cp")).AsTable(); got != cp {
		t.Error("a fresh copy was copied again")
	}
	checkTree(t, &root.top)
	checkTree(t, &other.top)
}

// What is stored does not change with the buffer it was cut from, be it set,
// appended, built, staged or a key.
func TestOwnBytes(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	view := root.Stage()
	buf := []byte("key and value")
	text := unsafe.String(&buf[0], len(buf))
	key, val := String(text[:3]), String(text[8:])
	v, err := root.Build(nil, func(b *Builder) error { return b.Set(key, val) })
	built := v.tab()
	err = errors.Join(err, root.Table().Set(key, val), view.Table().Set(String(text[4:7]), val),
		built.Append(val), built.Insert(1, val))
	if err != nil {
		t.Fatal(err)
	}
	copy(buf, "XXXXXXXXXXXXX")
	view.Publish()
	want := map[any]any{"key": "value", "and": "value"}
	if diff := cmp.Diff(want, plainOf(t, root.Table())); diff != "" {
		t.Error(diff)
	}
	want = map[any]any{"key": "value", 1.0: "value", 2.0: "value"}
	if diff := cmp.Diff(want, plainOf(t, built)); diff != "" {
		t.Error(diff)
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	tab := root.Table()
	for _, i := range []int{5, 4, 3, 2, 1} {
		if err := tab.Set(intKey(i), Number(float64(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.Insert(2, Number(9)); err != nil {
		t.Fatal(err)
	}
	if got, want := numbers(tab), []float64{1, 9, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if v, err := tab.Remove(1); err != nil || !v.Equal(Number(1)) {
		t.Fatalf("remove: %v %v", v, err)
	}
	if v, err := tab.Remove(17); err != nil || !v.IsNil() {
		t.Fatalf("remove outside: %v %v", v, err)
	}
	for _, want := range []float64{5, 4, 3, 2, 9} {
		if v, err := tab.Pop(); err != nil || !v.Equal(Number(want)) {
			t.Fatalf("pop: %v %v, want %v", v, err, want)
		}
	}
	if v, err := tab.Pop(); err != nil || !v.IsNil() || root.Size() != tableCost {
		t.Fatalf("pop of an empty table: %v %v, size %d", v, err, root.Size())
	}
}

func TestJobQueue(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	queue := mustBuild(t, root, "queue", empty)
	for i := range 10 {
		job, err := root.Build(nil, func(b *Builder) error { return b.Set(String("id"), Number(float64(i))) })
		if err == nil {
			err = queue.Append(job)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		v, err := queue.Remove(1)
		job, ok := v.AsTable()
		if err != nil || !ok {
			t.Fatal(err, v)
		}
		if id, _ := job.Get(String("id")).AsNumber(); id != float64(i%10) {
			t.Fatalf("job %v at turn %d", id, i)
		}
		if _, err := job.Incr(String("tries"), 1); err != nil {
			t.Fatal(err)
		}
		if err := queue.Append(v); err != nil {
			t.Fatal(err)
		}
		checkTree(t, &root.top)
	}
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	root := NewRoot("state", limitsFor(StateLimits()))
	id := new(int)
	steps := 0
	rows := []struct {
		fill func(*Builder) error
		want string
	}{
		{func(b *Builder) error {
			return b.Table(String("a"), new(int), func(b *Builder) error {
				return b.Table(Number(3), id, func(*Builder) error { return nil })
			})
		}, "state: table contains itself (at a[3])"},
		{func(b *Builder) error {
			for {
				steps++
				if err := b.Set(intKey(steps), Bool(true)); err != nil {
					return err
				}
			}
		}, fmt.Sprintf("state: one value holds at most 64 KiB (at [%d])", (64<<10-tableCost)/slotCost+1)},
		{func(b *Builder) error {
			return b.Table(String("no name"), nil, func(b *Builder) error {
				return b.Set(Number(math.NaN()), Bool(true))
			})
		}, `state: a key cannot be NaN (at ["no name"])`},
		{deeper, "state: tables nest at most 8 deep (at d.d.d.d.d.d.d.d)"},
		{func(*Builder) error { return errors.New("a function cannot be stored") }, "a function cannot be stored"},
	}
	for _, row := range rows {
		if _, err := root.Build(id, row.fill); err == nil || err.Error() != row.want {
			t.Errorf("got %v, want %s", err, row.want)
		}
	}
	_, err := NewRoot("c.data", limitsFor(ConnLimits())).Build(nil, rows[1].fill)
	if err == nil || !strings.HasPrefix(err.Error(), "c.data is full: 8 KiB (at ") {
		t.Errorf("a table larger than the whole record: %v", err)
	}
	tab := mustBuild(t, root, "ok", func(b *Builder) error {
		return errors.Join(b.Set(String("x"), FromTable(root.Table())), b.Set(Number(2), Bool(true)),
			b.Table(Number(1), nil, empty), b.Set(Number(1), String("over")), b.Set(Bool(true), Value{}))
	})
	if tab.Len() != 2 || fromValue(tab.Get(Number(1))) != "over" {
		t.Errorf("built %v", plainOf(t, tab))
	}
	checkTree(t, &root.top)
}

func deeper(b *Builder) error { return b.Table(String("d"), nil, deeper) }

func TestFrozenIsShared(t *testing.T) {
	t.Parallel()
	lim := limitsFor(StateLimits())
	root := NewRoot("state", lim)
	tab := mustBuild(t, root, "t", func(b *Builder) error { return b.Table(String("sub"), nil, empty) })
	v, err := Frozen(`store "x"`, lim, FromTable(tab))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Frozen("y", lim, v)
	if err != nil || !again.Equal(v) {
		t.Errorf("a frozen table was copied: %v", err)
	}
	sub, _ := v.tab().Get(String("sub")).AsTable()
	if err := sub.Set(Number(1), Number(1)); err == nil || err.Error() != `store "x" is read-only` {
		t.Errorf("write below a frozen table: %v", err)
	}
	if err := root.Table().Set(String("t"), v); err != nil {
		t.Fatal(err)
	}
	if err := root.Table().Get(String("t")).tab().Set(String("sub"), Bool(true)); err != nil {
		t.Errorf("a copy of a frozen table is frozen: %v", err)
	}
	built, err := BuildFrozen("z", lim, nil, func(b *Builder) error { return b.Set(Number(1), String("x")) })
	if err != nil || built.tab().Append(Bool(true)) == nil {
		t.Errorf("built frozen: %v", err)
	}
	if _, err := Frozen("z", lim, String(strings.Repeat("x", 64<<10+1))); err == nil {
		t.Error("a string above the limit passed")
	}
}

// What Size says is close to what the heap has.
func TestSizeIsHonest(t *testing.T) {
	lim := &Limits{Depth: 8, Value: 1 << 30, Total: 1 << 30}
	shapes := map[string]func(root *Root, i int) error{
		"numbers in an array": func(r *Root, i int) error { return r.Table().Append(Number(float64(i))) },
		"short keys": func(r *Root, i int) error {
			return r.Table().Set(String(fmt.Sprint("k", i)), Number(1))
		},
		"small tables": func(r *Root, i int) error {
			v, err := r.Build(nil, func(b *Builder) error { return b.Set(String("id"), Number(1)) })
			if err != nil {
				return err
			}
			return r.Table().Append(v)
		},
		"text": func(r *Root, i int) error {
			return r.Table().Append(String(strings.Repeat("x", 500)))
		},
	}
	for name, add := range shapes {
		root := NewRoot("state", lim)
		before := heap()
		for i := range 20_000 {
			if err := add(root, i); err != nil {
				t.Fatal(err)
			}
		}
		used := float64(heap()-before) / float64(root.Size())
		t.Logf("%s: %.2f heap bytes a counted byte", name, used)
		if used > 2.5 || used < 0.4 {
			t.Errorf("%s: %.2f heap bytes for each counted one", name, used)
		}
		runtime.KeepAlive(root)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
