package services

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/sip/dispatcher"
)

// Declared is a set of destinations as a script declares it.
type Declared struct {
	Name    string
	Options []event.KV // plain data, as the script gave it
}

// SetChange is what becomes of the sets when declarations do, and nothing happened yet.
type SetChange struct {
	desk *Desk
	sets []*dispatcher.Set
}

// PrepareSets makes the sets be those of list, up to where nothing can fail any more.
// Each error is about the declaration of its place; then SetChange is nil.
func (s *Desk) PrepareSets(list []Declared) (*SetChange, []error) {
	ch, errs := &SetChange{desk: s}, make([]error, len(list))
	for i, d := range list {
		cfg, err := readSet(d)
		if err == nil {
			err = cfg.Check()
		}
		if errs[i] = err; err == nil {
			ch.sets = append(ch.sets, dispatcher.New(*cfg))
		}
	}
	if errors.Join(errs...) != nil {
		return nil, errs
	}
	return ch, nil
}

// Abort leaves everything as it is.
func (ch *SetChange) Abort() {}

// Commit takes the sets for those that there are, with what is known of destinations
// that stay. Any goroutine that has entered no shard.
func (ch *SetChange) Commit() {
	s := ch.desk
	s.mu.Lock()
	sets := map[string]*prober{}
	for _, set := range ch.sets {
		p := &prober{desk: s, set: set}
		if old := s.sets[set.Config().Name]; old != nil {
			set.Adopt(old.set)
			p.next, p.due, p.pending = old.next, old.due, old.pending
			old.gone = true
		}
		sets[set.Config().Name] = p
	}
	for name, old := range s.sets {
		old.gone = old.gone || sets[name] == nil
	}
	s.sets = sets
	stack := s.stack
	s.mu.Unlock()
	if stack != nil {
		stack.Shard().Post(s.probe)
	}
}

// readSet reads what a declaration says.
func readSet(d Declared) (*dispatcher.Config, error) {
	cfg := &dispatcher.Config{Name: d.Name}
	for _, o := range d.Options {
		var err error
		switch o.Key {
		case "destinations":
			cfg.Destinations, err = readDestinations(o.Value)
		case "algorithm":
			var word string
			if err = plain.SetString(&word, o.Value); err == nil {
				if cfg.Algorithm, err = dispatcher.ParseAlgorithm(word); err != nil {
					return nil, err
				}
			}
		case "probe":
			err = plain.SetDuration(&cfg.Probe, o.Value)
		case "timeout":
			err = plain.SetDuration(&cfg.Timeout, o.Value)
		case "failures":
			err = setCount(&cfg.Failures, o.Value)
		case "successes":
			err = setCount(&cfg.Successes, o.Value)
		case "from":
			err = plain.SetString(&cfg.From, o.Value)
		default:
			return nil, fmt.Errorf("%s: unknown; destinations, algorithm, probe, timeout, failures, successes and from are known", o.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Key, err)
		}
	}
	return cfg, nil
}

func setCount(dst *int, value any) error {
	var n uint16
	err := plain.SetUint(&n, value)
	*dst = int(n)
	return err
}

func readDestinations(value any) ([]dispatcher.Destination, error) {
	rows, ok := value.([]any)
	if _, table := value.([]event.KV); !ok && !table {
		return nil, errors.New("a list expected")
	}
	var list []dispatcher.Destination
	for _, row := range rows {
		d := dispatcher.Destination{Weight: 1}
		fields, isTable := row.([]event.KV)
		if text, ok := row.(string); ok {
			d.URI, isTable = text, true
		}
		if !isTable {
			return nil, errors.New("a URI or a table expected of each")
		}
		for _, f := range fields {
			var err error
			n := int64(0)
			switch f.Key {
			case "uri":
				err = plain.SetString(&d.URI, f.Value)
			case "weight":
				err = plain.SetInt(&n, f.Value)
				d.Weight = int(n)
			case "priority":
				err = plain.SetInt(&n, f.Value)
				d.Priority = int(n)
			default:
				err = errors.New("unknown; uri, weight and priority are known")
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Key, err)
			}
		}
		list = append(list, d)
	}
	return list, nil
}

// DispatcherSelect implements [sipev.Functions].
func (s *Desk) DispatcherSelect(by *event.Caller, set, key string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.sets[set]
	if p == nil {
		return nil, fmt.Errorf("dispatcher.select: there is no set %q", set)
	}
	list := []any{}
	for i, uri := range p.set.Select(key, !onlyTries(by)) {
		list = append(list, []event.KV{
			{Key: "next_hop", Value: uri}, {Key: "set", Value: set}, {Key: "step", Value: float64(i + 1)}, {Key: "backup", Value: i > 0},
		})
	}
	return list, nil
}

// DispatcherList implements [sipev.Functions].
func (s *Desk) DispatcherList(_ *event.Caller, set string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.sets[set]
	if p == nil {
		return nil
	}
	list := []any{}
	for _, d := range p.set.List() {
		list = append(list, []event.KV{
			{Key: "uri", Value: d.URI},
			{Key: "weight", Value: float64(d.Weight)},
			{Key: "priority", Value: float64(d.Priority)},
			{Key: "up", Value: d.Up},
			{Key: "load", Value: float64(d.Load)},
			{Key: "selected", Value: float64(d.Selected)},
			{Key: "reached", Value: float64(d.Reached)},
			{Key: "failed", Value: float64(d.Failed)},
		})
	}
	return list
}

// DispatcherMark implements [sipev.Functions].
func (s *Desk) DispatcherMark(by *event.Caller, set, uri string, up bool) error {
	if onlyTries(by) {
		return nil
	}
	s.mu.Lock()
	p := s.sets[set]
	changed, known := false, false
	if p != nil {
		changed, known = p.set.Mark(uri, up)
	}
	s.mu.Unlock()
	if !known {
		return fmt.Errorf("dispatcher.mark: %q is not in set %q", uri, set)
	}
	if changed {
		tell(by.Shard, destinationChange{set, uri, up})
	}
	return nil
}
