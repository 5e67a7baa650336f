package inspect

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
)

// measureEvery is one call in how many is measured while somebody looks.
const measureEvery = 16

// TopAnswer is what rules did within an interval, those that took most first.
type TopAnswer struct {
	V          int       `json:"v"`
	Time       time.Time `json:"time"`
	Seconds    float64   `json:"seconds"` // that the rates are of
	Generation uint64    `json:"generation"`
	Events     float64   `json:"events"` // a second
	// CPU is what all rules took, as a share of one processor.
	CPU   float64   `json:"cpu"`
	Rules []TopRule `json:"rules"`
}

// TopRule is one rule with its rates a second.
type TopRule struct {
	Rule
	// CPU is the share of one processor that its functions took, estimated from
	// the calls that were measured. What is decided natively is not in it.
	CPU         float64 `json:"cpu"`
	SeenRate    float64 `json:"seen_rate"`
	MatchedRate float64 `json:"matched_rate"`
	ErrorRate   float64 `json:"error_rate"`
	// Mean is how long a measured call took, in seconds; 0 where there was none.
	Mean float64 `json:"mean"`
}

// Top makes answers, each about the time since the one before.
type Top struct {
	in     *Inspector
	before map[ruleKey]engine.RuleStatus
	events uint64
	at     time.Time
	once   sync.Once
}

type ruleKey struct{ script, name string }

// Top begins to look: calls of rules' functions are measured until End.
func (in *Inspector) Top() *Top {
	in.mu.Lock()
	if in.asking++; in.asking == 1 && in.base == 0 {
		in.engine.Measure(measureEvery)
	}
	in.mu.Unlock()
	t := &Top{in: in}
	t.take(time.Now())
	return t
}

// End ends looking.
func (t *Top) End() {
	t.once.Do(func() {
		in := t.in
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.asking--; in.asking == 0 && in.base == 0 {
			in.engine.Measure(0)
		}
	})
}

// take notes how things are.
func (t *Top) take(now time.Time) []engine.RuleStatus {
	rules := t.in.engine.Rules()
	t.before = make(map[ruleKey]engine.RuleStatus, len(rules))
	for _, r := range rules {
		t.before[ruleKey{r.Script, r.Name}] = r
	}
	t.events, t.at = t.in.engine.Stats().Events, now
	return rules
}

// Next tells what happened since it was called last, or since the beginning.
func (t *Top) Next() *TopAnswer {
	before, events, at := t.before, t.events, t.at
	now := time.Now()
	rules := t.take(now)
	took := max(now.Sub(at), time.Millisecond)
	a := &TopAnswer{V: Version, Time: now.UTC(), Seconds: took.Seconds(), Generation: t.in.engine.Generation(), Rules: []TopRule{}}
	a.Events = float64(t.events-events) / took.Seconds()
	for i := range rules {
		r := topOf(&rules[i], before[ruleKey{rules[i].Script, rules[i].Name}], took)
		a.CPU += r.CPU
		a.Rules = append(a.Rules, r)
	}
	slices.SortStableFunc(a.Rules, func(x, y TopRule) int {
		return cmp.Or(-cmp.Compare(x.CPU, y.CPU), -cmp.Compare(x.MatchedRate, y.MatchedRate), -cmp.Compare(x.SeenRate, y.SeenRate))
	})
	return a
}

func topOf(r *engine.RuleStatus, before engine.RuleStatus, took time.Duration) TopRule {
	// A rule that began anew with its script counts from the start.
	if r.Seen < before.Seen {
		before = engine.RuleStatus{}
	}
	rate := func(now, then uint64) float64 { return float64(now-min(now, then)) / took.Seconds() }
	t := TopRule{
		Rule: ruleOf(r), SeenRate: rate(r.Seen, before.Seen),
		MatchedRate: rate(r.Matched, before.Matched), ErrorRate: rate(r.Errors, before.Errors),
	}
	calls := engine.CallTimes{
		Calls:    r.Calls - min(r.Calls, before.Calls),
		Measured: r.Measured - min(r.Measured, before.Measured), Took: max(r.Took-before.Took, 0),
	}
	t.CPU = calls.Time().Seconds() / took.Seconds()
	if calls.Measured > 0 {
		t.Mean = (calls.Took / time.Duration(calls.Measured)).Seconds()
	}
	return t
}

// Bounds of the interval between two answers.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = time.Hour
)

// top answers GET /top.
func (in *Inspector) top(r *http.Request, st *control.Stream) (func(), error) {
	interval := time.Second
	if text := r.URL.Query().Get("interval"); text != "" {
		var err error
		if interval, err = time.ParseDuration(text); err != nil || interval < minInterval || interval > maxInterval {
			return nil, control.Errorf(http.StatusBadRequest, "interval: a duration from %s to %s expected, not %s", minInterval, maxInterval, text)
		}
	}
	t := in.Top()
	stop := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				if line, err := json.Marshal(t.Next()); err == nil {
					st.Send(line)
				}
			}
		}
	})
	return func() {
		close(stop)
		ended.Wait()
		t.End()
	}, nil
}
