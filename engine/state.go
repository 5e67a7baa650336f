package engine

import (
	"errors"
	"fmt"
	"io"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
)

// restore reads what was saved of a store that is new to this process. What
// cannot be read is a warning: rules go on without it, and the next save sets
// it aside instead of writing over it.
func (st *Staged) restore(d *store.Declaration) diag.List {
	dir := st.engine.cfg.State
	if dir == nil {
		return nil
	}
	name := d.Config.Name
	aside := st.stores.Aside(name)
	refused := 0
	found, err := dir.Load(name, func(r io.Reader) (err error) {
		refused, err = aside.Load(r)
		return err
	})
	warn := func(format string, args ...any) diag.List {
		return diag.List{{
			Severity: diag.Warning, File: d.Scripts[0],
			Msg: fmt.Sprintf("store %q: %s: ", name, dir.Path(name)) + fmt.Sprintf(format, args...),
		}}
	}
	switch {
	case err != nil:
		st.damaged = append(st.damaged, name)
		return warn("not loaded: %v", err)
	case !found:
		return nil
	}
	st.stores.Fill(name, aside, store.Source{})
	if refused > 0 {
		return warn("%d entries beyond the limits of the store are left out", refused)
	}
	return nil
}

// SaveState writes every live store that persists to the state directory. All
// are tried; the error joins what failed. It blocks on the disk, so it is not
// called from a shard.
func (e *Engine) SaveState() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	return e.saveStores(func(string) bool { return true })
}

// saveStores writes the live stores that persist and that want selects.
func (e *Engine) saveStores(want func(name string) bool) error {
	dir := e.cfg.State
	if dir == nil {
		return nil
	}
	var errs []error
	for _, s := range e.stores.Stores() {
		name := s.Name()
		if !s.Config().Persist || !want(name) {
			continue
		}
		if e.damaged[name] {
			if err := dir.SetAside(name); err != nil {
				errs = append(errs, fmt.Errorf("engine: save store %q: %w", name, err))
				continue
			}
			delete(e.damaged, name)
		}
		if err := dir.Save(name, s.Save); err != nil {
			errs = append(errs, fmt.Errorf("engine: save store %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// saveLeaving writes the stores that the staged generation does not declare any
// more, or not to persist: if they come back, it is with what they had.
func (st *Staged) saveLeaving() error {
	stays := map[string]bool{}
	for _, d := range st.stores.Declarations() {
		stays[d.Config.Name] = d.Config.Persist
	}
	return st.engine.saveStores(func(name string) bool { return !stays[name] })
}
