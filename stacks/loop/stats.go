package loop

import (
	"reflect"
	"strconv"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/netio"
)

// counts are what the stacks count beside package netio.
type counts struct {
	faults, grams, messages atomic.Uint64
}

// Stats count what the loops of a group did.
type Stats struct {
	netio.Stats
	Listeners int    // open now
	Conns     int    // open now, listeners and timers left out
	Faults    uint64 // errors that were no connection's end
	// GramsRefused and MessagesRefused are datagrams and messages that a connection
	// had no room for while a handler of it waited.
	GramsRefused, MessagesRefused uint64
}

// Stats returns the counters so far. Any goroutine that has entered no shard.
func (g *Group) Stats() Stats {
	t := Stats{Faults: g.counts.faults.Load(), GramsRefused: g.counts.grams.Load(), MessagesRefused: g.counts.messages.Load()}
	for _, s := range g.list() {
		s.sh.Enter()
		t.add(s.io.Stats())
		for c := s.first; c != nil; c = c.after {
			switch {
			case c.c != nil:
				t.Conns++
			case c.socket != nil:
				t.Listeners++
			}
		}
		s.sh.Leave()
	}
	return t
}

// Counted calls f for each protocol that counts, with its name and a struct of counters.
// Any goroutine that has entered no shard.
func (g *Group) Counted(f func(protocol string, stats any)) {
	for _, p := range g.cfg.Protocols {
		if c, ok := p.(interface{ Stats() any }); ok {
			f(p.Name(), c.Stats())
		}
	}
}

func (t *Stats) add(s netio.Stats) {
	sum, more := reflect.ValueOf(&t.Stats).Elem(), reflect.ValueOf(s)
	addUp(sum, more)
}

// addUp adds the counters of one struct to those of another of its type.
func addUp(sum, more reflect.Value) {
	for i := range sum.NumField() {
		if f := sum.Field(i); f.Kind() == reflect.Struct {
			addUp(f, more.Field(i))
		} else {
			f.SetUint(f.Uint() + more.Field(i).Uint())
		}
	}
}

// DocLimits lists this package's limits, beside those of package netio.
func DocLimits() []setting.Limit {
	return []setting.Limit{
		{Name: "messages", Default: strconv.Itoa(maxMessages), Doc: "messages that wait for a connection whose handler waits; more are dropped"},
		{Name: "datagrams", Default: strconv.Itoa(maxGrams), Doc: "datagrams that wait for a UDP peer whose handler waits; more are dropped"},
		{Name: "line", Default: strconv.Itoa(maxLine), Doc: "bytes of a line that c:read_line waits for, unless it says otherwise"},
		{Name: "rate_keys", Default: strconv.Itoa(maxBuckets), Doc: "keys that the verdict limit tells apart; more are refused"},
		{Name: "rule_hold", Default: holdTime.String(), Doc: "a connection is held by a rule that does not say for how long"},
		{Name: "proxy_connect", Default: proxyTime.String(), Doc: "the other end of a proxied connection is dialled"},
		{Name: "listed", Default: strconv.Itoa(maxList), Doc: "connections that loop.conns lists"},
	}
}
