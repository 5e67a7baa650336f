package reload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/watch"
)

// lastGood is the name of the state file: a line that says what it is, then one
// for each source.
const lastGood = "last-good"

type goodHead struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
	Sources int    `json:"sources"`
}

type goodSource struct {
	Path   string `json:"path"`
	File   string `json:"file,omitempty"`
	Root   string `json:"root,omitempty"`
	Base   string `json:"base,omitempty"`
	Module string `json:"module,omitempty"`
	Text   []byte `json:"text"`
}

// keep writes the live set to the state directory. A failure is told and changes
// nothing: what is live is live.
func (r *Reloader) keep() {
	if r.cfg.State == nil {
		return
	}
	s := r.history[r.live]
	err := r.cfg.State.Save(lastGood, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		if err := enc.Encode(goodHead{lastGood, 1, s.hash, len(s.sources)}); err != nil {
			return err
		}
		for i := range s.sources {
			src := &s.sources[i]
			if err := enc.Encode(goodSource{src.Path, src.File, src.Root, src.Base, src.Module, src.Text}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.cfg.Log.Error("the live scripts are not kept for a next start", "err", err)
	}
}

// ErrNoLastGood is returned by LastGood where the state directory has none.
var ErrNoLastGood = errors.New("no scripts of an earlier run are kept")

// LastGood reads the set that was live last when a reloader kept it in dir.
func LastGood(dir *statedir.Dir) ([]engine.Source, error) {
	var sources []engine.Source
	found, err := dir.Load(lastGood, func(r io.Reader) error {
		dec := json.NewDecoder(r)
		var head goodHead
		if err := dec.Decode(&head); err != nil {
			return err
		}
		if head.Kind != lastGood || head.Version != 1 {
			return fmt.Errorf("%q version %d is not known", head.Kind, head.Version)
		}
		if head.Sources < 0 || head.Sources > watch.MaxFiles {
			return fmt.Errorf("%d sources", head.Sources)
		}
		for range head.Sources {
			var s goodSource
			if err := dec.Decode(&s); err != nil {
				return err
			}
			sources = append(sources, engine.Source{Path: s.Path, File: s.File, Root: s.Root, Base: s.Base, Module: s.Module, Text: s.Text})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("reload: read %s: %w", dir.Path(lastGood), err)
	case !found:
		return nil, ErrNoLastGood
	}
	return sources, nil
}
