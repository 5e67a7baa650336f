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
	// CPU is the share of one processor that its handler took, estimated from the
	// calls that were measured: what is decided natively is not in it, nor are
	// filters, and handlers that may wait. It is 0 where nothing is measured.
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
}

type ruleKey struct{ script, name string }

// Top begins to look.
func (in *Inspector) Top() *Top {
	t := &Top{in: in}
	t.take(time.Now())
	return t
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
	// Between two answers few calls are measured, or none: then all that were.
	cpu := r.CPU
	if cpu.Samples > before.CPU.Samples+minSamples {
		cpu.Samples -= before.CPU.Samples
		cpu.Nanos -= min(before.CPU.Nanos, cpu.Nanos)
	}
	if cpu.Samples > 0 {
		t.Mean = float64(cpu.Nanos) / float64(cpu.Samples) / 1e9
		t.CPU = t.Mean * rate(r.Calls, before.Calls)
	}
	return t
}

// minSamples is how many measured calls tell how long calls take now.
const minSamples = 10

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
	}, nil
}
