package compare

import (
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// Comparison compares two rule sets step by step.
type Comparison struct {
	// Old and New are the sinks of the two engines.
	Old, New *Side
	// Total counts what the steps so far showed.
	Total Total

	conns map[uint64]struct{}
	// left and lacked are of the alerts being compared: how many of each are not
	// yet matched, and how many had no match.
	left   map[string]int
	lacked uint64
}

// Total counts what differs.
type Total struct {
	// Same counts the spots at which both sides gave the same verdict; OtherRules
	// those of them at which rules of other names gave it.
	Same       uint64 `json:"same"`
	OtherRules uint64 `json:"same_by_other_rules"`
	// OnlyOld and OnlyNew count the spots at which one side decided and the other
	// did not, Changed those where they decided differently.
	OnlyOld uint64 `json:"only_old"`
	OnlyNew uint64 `json:"only_new"`
	Changed uint64 `json:"changed"`
	// Conns counts the connections with such spots. Beyond a million it stops and
	// ConnsMore is set.
	Conns     uint64 `json:"conns"`
	ConnsMore bool   `json:"conns_more,omitempty"`
	// AlertsSame, AlertsOld and AlertsNew count alerts that both sides gave and
	// that only one gave.
	AlertsSame uint64 `json:"alerts_same"`
	AlertsOld  uint64 `json:"alerts_only_old"`
	AlertsNew  uint64 `json:"alerts_only_new"`
}

// Different reports whether anything differed.
func (t *Total) Different() bool {
	return t.OnlyOld+t.OnlyNew+t.Changed+t.AlertsOld+t.AlertsNew > 0
}

// Different reports whether the sides decided, alerted or failed differently.
func (c *Comparison) Different() bool {
	return c.Total.Different() || c.Old.Errors != c.New.Errors
}

// maxConns bounds the connections that are told apart.
const maxConns = 1 << 20

// Difference is one spot at which the sides decided differently, or one alert
// that only one of them gave. It is lent until the next step.
type Difference struct {
	// Old and New are what the sides decided; nil where one did not. Both are nil
	// where the difference is an alert.
	Old, New *Decision
	// OldAlert or NewAlert is the alert that only that side gave.
	OldAlert, NewAlert *Alert
}

// New returns a comparison of engines that were made with the catalogue. describe
// puts a subject into words, such as "10.0.0.1:4000 > 10.0.0.2:80"; nil uses its
// label.
func New(cat *catalogue.Catalogue, describe func(event.Kept) string) *Comparison {
	places := map[string]place{}
	ranks := map[string]map[string]int{}
	for _, f := range cat.Families() {
		ranks[f.Name] = map[string]int{}
		for i := range f.Verdicts {
			ranks[f.Name][f.Name+"."+f.Verdicts[i].Name] = f.Verdicts[i].Rank
		}
	}
	cat.Points(func(info *event.Info, p *event.PointInfo) bool {
		places[p.Name] = place{first: info.Combine == event.First, ranks: ranks[info.Family]}
		return true
	})
	return &Comparison{
		Old: newSide(places, describe), New: newSide(places, describe),
		conns: map[uint64]struct{}{}, left: map[string]int{},
	}
}

// Step compares what the sides said since the last step and forgets it. It calls
// yield for each difference: decisions in the order in which the old side made
// them, then those that only the new one made, then alerts likewise.
func (c *Comparison) Step(yield func(Difference)) {
	if len(c.Old.decided)+len(c.New.decided) > 0 {
		c.decisions(yield)
	}
	if len(c.Old.alerts)+len(c.New.alerts) > 0 {
		c.alerts(yield)
	}
	c.Old.reset()
	c.New.reset()
}

func (c *Comparison) decisions(yield func(Difference)) {
	for i := range c.Old.decided {
		was := &c.Old.decided[i]
		j, ok := c.New.index[was.spot()]
		if !ok {
			c.Total.OnlyOld++
			c.differ(yield, Difference{Old: was})
			continue
		}
		is := &c.New.decided[j]
		if was.Verdict != is.Verdict {
			c.Total.Changed++
			c.differ(yield, Difference{Old: was, New: is})
			continue
		}
		c.Total.Same++
		if !sameRules(was.Rules, is.Rules) {
			c.Total.OtherRules++
		}
	}
	for i := range c.New.decided {
		is := &c.New.decided[i]
		if _, ok := c.Old.index[is.spot()]; !ok {
			c.Total.OnlyNew++
			c.differ(yield, Difference{New: is})
		}
	}
}

// sameRules tells whether rules of the same names spoke. Neither their order counts, nor the files: the sets
// are in different places.
func sameRules(a, b []Rule) bool {
	return within(a, b) && within(b, a)
}

// within tells whether all rules of a are in b, by name; one may have spoken more than once.
func within(a, b []Rule) bool {
	for i := range a {
		if !slices.ContainsFunc(b, func(r Rule) bool { return r.Name == a[i].Name }) {
			return false
		}
	}
	return true
}

// differ counts the connection of a decision that differs and tells of it.
func (c *Comparison) differ(yield func(Difference), d Difference) {
	one := d.Old
	if one == nil {
		one = d.New
	}
	if one.Conn != 0 {
		if _, known := c.conns[one.Conn]; !known {
			if len(c.conns) < maxConns {
				c.conns[one.Conn] = struct{}{}
				c.Total.Conns++
			} else {
				c.Total.ConnsMore = true
			}
		}
	}
	yield(d)
}

// alerts compares the alerts as multisets: of equal ones, the last are those that
// the other side lacks.
func (c *Comparison) alerts(yield func(Difference)) {
	c.without(c.Old.alerts, c.New.alerts, func(a *Alert) {
		c.Total.AlertsOld++
		yield(Difference{OldAlert: a})
	})
	c.Total.AlertsSame += uint64(len(c.Old.alerts)) - c.lacked
	c.without(c.New.alerts, c.Old.alerts, func(a *Alert) {
		c.Total.AlertsNew++
		yield(Difference{NewAlert: a})
	})
}

// without calls yield for each of list that others lacks.
func (c *Comparison) without(list, others []Alert, yield func(*Alert)) {
	clear(c.left)
	for i := range others {
		c.left[others[i].key()]++
	}
	c.lacked = 0
	for i := range list {
		if k := list[i].key(); c.left[k] > 0 {
			c.left[k]--
			continue
		}
		c.lacked++
		yield(&list[i])
	}
}

// Add adds what another comparison counted, of other connections.
func (t *Total) Add(o *Total) {
	t.Same += o.Same
	t.OtherRules += o.OtherRules
	t.OnlyOld += o.OnlyOld
	t.OnlyNew += o.OnlyNew
	t.Changed += o.Changed
	t.Conns += o.Conns
	t.ConnsMore = t.ConnsMore || o.ConnsMore
	t.AlertsSame += o.AlertsSame
	t.AlertsOld += o.AlertsOld
	t.AlertsNew += o.AlertsNew
}
