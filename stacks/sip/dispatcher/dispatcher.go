// Package dispatcher spreads requests over sets of destinations: by turns, by weight or
// by a hash, and only over those that are up.
//
// A [Set] belongs to one goroutine at a time. It sends nothing: whoever probes tells it
// by [Set.Report] what came of it.
package dispatcher

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Algorithm says which destination of a priority is the first.
type Algorithm uint8

// The algorithms.
const (
	RoundRobin Algorithm = iota // each in turn
	Weighted                    // each in turn, as often as its weight says
	Hash                        // the same for the same key, as long as it is up
	LeastLoad                   // the one with the fewest requests on their way, by weight
	algorithms
)

var names = [algorithms]string{"round_robin", "weighted", "hash", "least_load"}

// String returns the name that scripts use.
func (a Algorithm) String() string { return names[a] }

// ParseAlgorithm returns the algorithm of a name.
func ParseAlgorithm(name string) (Algorithm, error) {
	for i, known := range names {
		if known == name {
			return Algorithm(i), nil
		}
	}
	return 0, fmt.Errorf("algorithm %q: round_robin, weighted, hash or least_load expected", name)
}

// Destination is a place where requests may go.
type Destination struct {
	URI      string
	Weight   int // 1 to 1000; 0: only while nothing else of its priority is up
	Priority int // higher ones first; lower ones stand in when all above are down
}

// Config is what a set is made of. Zero fields have the defaults of [Config.Check].
type Config struct {
	Name         string
	Algorithm    Algorithm
	Destinations []Destination
	Probe        time.Duration // how often they are asked by OPTIONS; 0: never
	Timeout      time.Duration // how long such a question waits
	Failures     int           // so many in a row take one out
	Successes    int           // so many in a row take it in again
	From         string        // address that questions come from
}

// Limits of one set.
const (
	MaxDestinations = 1000
	maxWeight       = 1000
)

// Check fills in what is zero, and says what is wrong.
func (c *Config) Check() error {
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.Failures, c.Successes = cmp.Or(c.Failures, 3), cmp.Or(c.Successes, 1)
	c.From = cmp.Or(c.From, "sip:probe@invalid.invalid")
	if len(c.Destinations) == 0 || len(c.Destinations) > MaxDestinations {
		return fmt.Errorf("1 to %d destinations expected", MaxDestinations)
	}
	if c.Probe < 0 || c.Probe > 0 && c.Probe < time.Second || c.Timeout < 0 || c.Failures < 1 || c.Successes < 1 {
		return errors.New("probe: 1 s or more expected, and of timeout, failures and successes more than nothing")
	}
	if !isSIP(c.From) {
		return fmt.Errorf("from: a SIP URI expected, not %q", c.From)
	}
	seen := map[string]bool{}
	for _, d := range c.Destinations {
		switch {
		case !isSIP(d.URI):
			return fmt.Errorf("%q is no SIP URI", d.URI)
		case seen[d.URI]:
			return fmt.Errorf("%s stands there twice", d.URI)
		case d.Weight < 0 || d.Weight > maxWeight:
			return fmt.Errorf("%s: a weight of 0 to %d expected", d.URI, maxWeight)
		}
		seen[d.URI] = true
	}
	return nil
}

func isSIP(uri string) bool {
	u, err := msg.ParseURI([]byte(uri))
	return err == nil && (u.Scheme == msg.SIP || u.Scheme == msg.SIPS)
}

// View is a destination as it stands.
type View struct {
	Destination
	Up       bool
	Load     int    // requests that are on their way
	Selected uint64 // how often it was the first choice
	Reached  uint64 // requests and probes that it answered
	Failed   uint64 // and that it did not, or with a 5xx
}

// place is a destination and its state.
type place struct {
	View
	bad, good int // in a row
	turn      int // of weights: how much it is due
}

// Set is a set of destinations.
type Set struct {
	cfg    Config
	places []*place // highest priority first
	next   int
}

// New returns a set, all of it up. cfg has passed [Config.Check].
func New(cfg Config) *Set {
	s := &Set{cfg: cfg}
	for _, d := range cfg.Destinations {
		s.places = append(s.places, &place{View: View{Destination: d, Up: true}})
	}
	slices.SortStableFunc(s.places, func(a, b *place) int { return cmp.Compare(b.Priority, a.Priority) })
	return s
}

// Config returns what the set was made of.
func (s *Set) Config() Config { return s.cfg }

// Adopt takes over what another set knows of destinations that are in both.
func (s *Set) Adopt(old *Set) {
	for _, p := range s.places {
		if o := old.find(p.URI); o != nil {
			d := p.Destination
			*p = *o
			p.Destination = d
		}
	}
	s.next = old.next
}

func (s *Set) find(uri string) *place {
	for _, p := range s.places {
		if p.URI == uri {
			return p
		}
	}
	return nil
}

// Select returns the URIs of the destinations that are up, in the order in which they
// should be tried. key is what a hash is made of. take false only asks: nobody's turn is
// over.
func (s *Set) Select(key string, take bool) []string {
	var list []string
	for from := 0; from < len(s.places); {
		to := from + 1
		for to < len(s.places) && s.places[to].Priority == s.places[from].Priority {
			to++
		}
		var up []*place
		for _, p := range s.places[from:to] {
			if p.Up {
				up = append(up, p)
			}
		}
		s.order(up, key, take && len(list) == 0)
		for _, p := range up {
			list = append(list, p.URI)
		}
		from = to
	}
	if len(list) != 0 && take {
		s.find(list[0]).Selected++
	}
	return list
}

// order puts destinations of one priority into the order of the algorithm. turn: the
// first of them gets the request.
func (s *Set) order(up []*place, key string, turn bool) {
	if len(up) == 0 {
		return
	}
	switch s.cfg.Algorithm {
	case RoundRobin:
		rotate(up, s.next%len(up))
		if turn {
			s.next++
		}
	case Weighted:
		slices.SortStableFunc(up, func(a, b *place) int { return cmp.Compare(b.turn+b.Weight, a.turn+a.Weight) })
		if turn {
			due(up)
		}
	case Hash:
		slices.SortStableFunc(up, func(a, b *place) int { return cmp.Compare(score(b, key), score(a, key)) })
	case LeastLoad:
		slices.SortStableFunc(up, func(a, b *place) int {
			return cmp.Compare((a.Load+1)*max(1, b.Weight), (b.Load+1)*max(1, a.Weight))
		})
		zero := func(p *place) int { return map[bool]int{true: 1}[p.Weight == 0] }
		slices.SortStableFunc(up, func(a, b *place) int { return zero(a) - zero(b) })
	}
}

// rotate makes the destination at i the first.
func rotate(up []*place, i int) {
	slices.Reverse(up[:i])
	slices.Reverse(up[i:])
	slices.Reverse(up)
}

// due moves the turns on: each gets its weight, and the first, whose turn it is, gives
// the sum away. So turns are spread evenly.
func due(up []*place) {
	sum := 0
	for _, p := range up {
		p.turn += p.Weight
		sum += p.Weight
	}
	up[0].turn -= sum
}

// score is how much a key wants a destination (highest random weight): the choice for
// other keys stays when one goes down.
func score(p *place, key string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(p.URI))
	x := h.Sum64()
	x ^= x >> 33 // FNV leaves the high bits of short texts alike
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	u := (float64(x>>11) + 0.5) / (1 << 53)
	if p.Weight == 0 {
		return u - 1e9
	}
	return -float64(p.Weight) / math.Log(u)
}

// Begin notes that a request is on its way to a destination; [Set.Report] ends that.
func (s *Set) Begin(uri string) {
	if p := s.find(uri); p != nil {
		p.Load++
	}
}

// Done ends what Begin noted.
func (s *Set) Done(uri string) {
	if p := s.find(uri); p != nil && p.Load > 0 {
		p.Load--
	}
}

// Report says whether a destination was reached, and returns whether that took it out or
// in.
func (s *Set) Report(uri string, reached bool) (changed bool) {
	p := s.find(uri)
	switch {
	case p == nil:
		return false
	case reached:
		p.Reached++
		p.bad = 0
		if p.good++; !p.Up && p.good >= s.cfg.Successes {
			p.Up = true
			return true
		}
	default:
		p.Failed++
		p.good = 0
		if p.bad++; p.Up && p.bad >= s.cfg.Failures {
			p.Up = false
			return true
		}
	}
	return false
}

// Mark takes a destination out or in by hand; false if it is not in the set.
func (s *Set) Mark(uri string, up bool) (changed, known bool) {
	p := s.find(uri)
	if p == nil {
		return false, false
	}
	changed = p.Up != up
	p.Up, p.bad, p.good = up, 0, 0
	return changed, true
}

// List returns all destinations, highest priority first.
func (s *Set) List() []View {
	list := make([]View, len(s.places))
	for i, p := range s.places {
		list[i] = p.View
	}
	return list
}
