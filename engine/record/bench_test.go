package record

import (
	"fmt"
	"testing"
)

func benchTable(tb testing.TB, keys int) *Table {
	root := NewRoot("state", limitsFor(Limits{Depth: 8, Value: 1 << 20, Total: 1 << 30}))
	tab := root.Table()
	for i := range keys {
		if err := tab.Set(String(fmt.Sprint("key", i)), Number(float64(i))); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range keys {
		if err := tab.Append(Number(float64(i))); err != nil {
			tb.Fatal(err)
		}
	}
	return tab
}

func TestNoAllocations(t *testing.T) {
	tab := benchTable(t, 100)
	key, text := String("key7"), String("same text")
	if err := tab.Set(String("text"), text); err != nil {
		t.Fatal(err)
	}
	rows := map[string]func(){
		"get":        func() { _ = tab.Get(key) },
		"get index":  func() { _ = tab.Get(Number(7)) },
		"set number": func() { _ = tab.Set(key, Number(1)) },
		"same text":  func() { _ = tab.Set(String("text"), text) },
		"incr":       func() { _, _ = tab.Incr(key, 1) },
		"len":        func() { _ = tab.Len() },
		"next":       func() { _, _, _ = tab.Next(key) },
		"walk": func() {
			c := tab.Walk()
			for _, _, ok := c.Next(); ok; _, _, ok = c.Next() {
			}
		},
		"push and pop": func() { _ = tab.Append(Bool(true)); _, _ = tab.Pop() },
	}
	for name, f := range rows {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, keys := range []int{4, 1000} {
		tab, key := benchTable(b, keys), String("key2")
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = tab.Get(key)
			}
		})
	}
}

func BenchmarkGetParallel(b *testing.B) {
	tab, key := benchTable(b, 4), String("key2")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = tab.Get(key)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	tab, key := benchTable(b, 4), String("key2")
	i := 0.0
	for b.Loop() {
		i++
		_ = tab.Set(key, Number(i))
	}
}

func BenchmarkIncr(b *testing.B) {
	tab, key := benchTable(b, 4), String("key2")
	for b.Loop() {
		_, _ = tab.Incr(key, 1)
	}
}

func BenchmarkStagedGet(b *testing.B) {
	tab, key := benchTable(b, 4), String("key2")
	view := tab.Root().Stage().Table()
	for b.Loop() {
		_ = view.Get(key)
	}
}

func BenchmarkWalk(b *testing.B) {
	tab := benchTable(b, 500)
	for b.Loop() {
		for range tab.All() {
		}
	}
}

// A set whose keys come and go, as of calls or connections.
func BenchmarkChurn(b *testing.B) {
	tab := benchTable(b, 4)
	keys := make([]Value, 1000)
	for i := range keys {
		keys[i] = String(fmt.Sprint("call-", i))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_ = tab.Set(keys[i%1000], Number(1))
		_ = tab.Set(keys[(i+900)%1000], Value{})
		i++
	}
}
