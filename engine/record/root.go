package record

import (
	"sync"
	"sync/atomic"
)

// Root is one tree of records with its limits: the live one, or a staged view
// of it (see Stage). Use NewRoot.
type Root struct {
	name    string
	limits  *Limits
	mu      sync.Mutex // guards all that follows and every table whose root this is
	top     Table
	version int
	refused atomic.Uint64
	frozen  atomic.Bool
	stage   *stage // nil for a live root
}

// NewRoot makes an empty tree. The name appears in messages ("state is full");
// limits is kept, not copied, so that a million connections share one.
func NewRoot(name string, limits *Limits) *Root {
	r := &Root{name: name, limits: limits}
	r.top = Table{root: r, size: tableCost}
	return r
}

// Table returns the root's own table.
func (r *Root) Table() *Table {
	if r.stage != nil {
		return r.stage.order[0]
	}
	return &r.top
}

// Name returns the name that NewRoot was given.
func (r *Root) Name() string { return r.name }

// Limits returns the limits that NewRoot was given.
func (r *Root) Limits() Limits { return *r.limits }

// Size returns the bytes of the whole tree: 128 a table, 24 a place in an array
// part, 64 a key in a hash part, and the bytes of every string. Of a staged
// view it is an estimate of what the live root will have after Publish.
func (r *Root) Size() int {
	live := r.live()
	defer live.unlock(live.lock())
	return r.sizeLocked()
}

func (r *Root) sizeLocked() int {
	n := r.live().top.size
	if s := r.stage; s != nil {
		n += s.grow
	}
	return n
}

// Version returns the version of the data's shape, as its script declares it;
// 0 until SetVersion.
func (r *Root) Version() int {
	live := r.live()
	defer live.unlock(live.lock())
	if s := r.stage; s != nil && s.versioned {
		return s.version
	}
	return live.version
}

// SetVersion records the version of the data's shape. On a staged view it takes
// effect at Publish.
func (r *Root) SetVersion(v int) {
	live := r.live()
	defer live.unlock(live.lock())
	switch s := r.stage; {
	case s == nil || s.state == published:
		live.version = v
	case s.state == staging:
		s.version, s.versioned = v, true
	}
}

// Refused counts the writes that were refused since the root was made, those
// through staged views too.
func (r *Root) Refused() uint64 { return r.live().refused.Load() }

// Freeze makes the tree read-only for good. Reads of a frozen tree take no lock.
// It comes before the first Stage.
func (r *Root) Freeze() {
	live := r.live()
	locked := live.lock()
	live.frozen.Store(true)
	live.unlock(locked)
}

// Frozen says whether Freeze was called.
func (r *Root) Frozen() bool { return r.live().frozen.Load() }

// Clone returns an independent deep copy with the same name, limits and
// version, live and not frozen. A clone of a staged view has what the view
// shows.
func (r *Root) Clone() *Root {
	c := NewRoot(r.name, r.limits)
	c.version = r.Version()
	live := r.live()
	defer live.unlock(live.lock())
	cp := copier{root: c}
	cp.fill(&c.top, r.Table(), 0)
	return c
}

func (r *Root) live() *Root {
	if r.stage != nil {
		return r.stage.live
	}
	return r
}

// lock takes the root's mutex unless nothing can change any more, and returns
// what unlock wants to know.
func (r *Root) lock() bool {
	if r.frozen.Load() {
		return false
	}
	r.mu.Lock()
	return true
}

func (r *Root) unlock(locked bool) {
	if locked {
		r.mu.Unlock()
	}
}

// refuse counts a refused write and makes its error.
func (r *Root) refuse(e Error) error {
	r.refused.Add(1)
	e.Root = r.name
	return &e
}

// checkKey returns the key as it is stored: without the sign of zero.
func (r *Root) checkKey(k Value) (Value, error) {
	switch k.kind {
	case KindString, KindBool:
		return k, nil
	case KindNumber:
		f := k.num()
		if f == 0 {
			return Number(0), nil
		}
		if f == f {
			return k, nil
		}
		return k, r.refuse(Error{Reason: BadKey, Detail: "a key cannot be NaN"})
	}
	return k, r.refuse(Error{Reason: BadKey, Detail: "a key cannot be " + article(k.kind)})
}

func article(k Kind) string {
	if k == KindNil {
		return "nil"
	}
	return "a " + k.String()
}
