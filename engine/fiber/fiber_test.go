package fiber_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/fiber"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting counts to a number, leaving its fiber after each.
type counting struct {
	on   *fiber.Fiber
	to   int
	said *[]int
}

func (c *counting) Run() {
	for i := range c.to {
		*c.said = append(*c.said, 10*c.to+i)
		c.on.Leave()
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	var p fiber.Pool
	var said []int
	works := []*counting{{to: 3, said: &said}, {to: 1, said: &said}, {to: 2, said: &said}}
	for _, w := range works {
		w.on = p.Take(w)
	}
	for range 4 {
		for _, w := range works {
			if w.on != nil && !w.on.Enter() {
				p.Put(w.on)
				w.on = nil
			}
		}
	}
	if diff := cmp.Diff([]int{30, 10, 20, 31, 21, 32}, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Close()
}

// TestMoreThanAreKept has more fibers at once than the pool keeps, and one that comes
// back when it is closed.
func TestMoreThanAreKept(t *testing.T) {
	t.Parallel()
	var p fiber.Pool
	var said []int
	works := make([]*counting, 10)
	for i := range works {
		works[i] = &counting{to: 1, said: &said}
		works[i].on = p.Take(works[i])
		works[i].on.Enter()
	}
	for i, w := range works {
		if i == 9 {
			p.Close()
		}
		if w.on.Enter() {
			t.Fatal("left twice")
		}
		p.Put(w.on)
	}
	if len(said) != 10 {
		t.Errorf("%d ran", len(said))
	}
}

func BenchmarkEnter(b *testing.B) {
	var p fiber.Pool
	defer p.Close()
	var said []int
	w := &counting{to: b.N, said: &said}
	w.on = p.Take(w)
	b.ReportAllocs()
	for w.on.Enter() {
		said = said[:0]
	}
	p.Put(w.on)
}
