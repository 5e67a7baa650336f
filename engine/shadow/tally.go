package shadow

import (
	"strconv"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event/setting"
)

// Tally counts by name what scripts that are tried would have done. Any goroutine may
// count.
type Tally struct {
	counts [maxTallied]struct {
		name atomic.Pointer[string]
		n    atomic.Uint64
	}
	others atomic.Uint64
}

// maxTallied is how many names a tally tells apart. There are as many as the catalogue
// has effects, of which scripts have but a few.
const maxTallied = 64

// Others is what a tally counts all further names as.
const Others = "others"

// Add counts one.
func (t *Tally) Add(name string) {
	for i := range t.counts {
		c := &t.counts[i]
		if c.name.Load() == nil {
			c.name.CompareAndSwap(nil, &name)
		}
		if *c.name.Load() == name {
			c.n.Add(1)
			return
		}
	}
	t.others.Add(1)
}

// Counts returns the numbers by name, with those of names that there was no place for
// as [Others].
func (t *Tally) Counts() map[string]uint64 {
	m := map[string]uint64{}
	for i := range t.counts {
		if name := t.counts[i].name.Load(); name != nil {
			m[*name] = t.counts[i].n.Load()
		}
	}
	if n := t.others.Load(); n > 0 {
		m[Others] = n
	}
	return m
}

// DocLimits lists the limits of a trial.
func DocLimits() []setting.Limit {
	return []setting.Limit{
		{Name: "time", Default: MaxTime.String(), Doc: "scripts run beside the live ones at most that long"},
		{Name: "lines", Default: strconv.Itoa(MaxLines), Doc: "differences that are named; all are counted"},
		{Name: "effects", Default: strconv.Itoa(maxTallied), Doc: "kinds of effects not done that are counted by name; further ones count as " + Others},
	}
}
