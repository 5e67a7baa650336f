package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Bounds of one entry of a shard by a survey, so that packets need not wait for a
// person: connections looked at, and connections that are listed.
const (
	surveyedAtOnce = 500
	listedAtOnce   = 50
)

// MaxSurveyed is the most connections that a survey lists.
const MaxSurveyed = 10_000

// Survey is a look at what connections and flows there are.
type Survey struct {
	V int `json:"v"` // 1; fields are added, never renamed
	// Open are there, Matched of them were taken by the filter.
	Open    int `json:"open"`
	Matched int `json:"matched"`
	// Partial: so much changed meanwhile that some were not looked at.
	Partial bool `json:"partial,omitempty"`
	// Conns are those that began last, the latest first.
	Conns []Summary `json:"conns"`
}

// Summary is what a [Survey] tells of a connection or flow: a copy.
type Summary struct {
	Conn   uint64      `json:"conn"`
	CID    string      `json:"cid"`
	Proto  string      `json:"proto"`
	Client SummaryPeer `json:"client"`
	Server SummaryPeer `json:"server"`
	VLAN   uint16      `json:"vlan,omitempty"`
	// Started is when the first packet came, in seconds since the epoch. Age and
	// Idle are the seconds of event time since the first and the latest packet.
	Started float64  `json:"started"`
	Age     float64  `json:"age"`
	Idle    float64  `json:"idle"`
	Tags    []string `json:"tags,omitempty"`
	Shard   int      `json:"shard"`
}

// SummaryPeer is one end of a [Summary].
type SummaryPeer struct {
	Endpoint string `json:"endpoint"`
	State    string `json:"state,omitempty"` // of TCP
	Bytes    uint64 `json:"bytes"`           // of payload, that it sent
	Pkts     uint64 `json:"pkts"`
}

// Survey lists the connections and flows that a pcap-filter expression takes, all
// where it is empty: at most limit, 1 to [MaxSurveyed], the latest first, of this
// stack and of those it shares a front with. The caller has entered no shard:
// each is entered for moments only, and what comes and goes meanwhile may or may
// not be listed. The error is a [*filter.SyntaxError].
func (s *Stack) Survey(filter string, limit int) (*Survey, error) {
	takes := func(flowev.Conn) bool { return true }
	if filter != "" {
		var err error
		if takes, err = compileFilter(filter); err != nil {
			return nil, err
		}
	}
	v := &Survey{V: 1, Conns: []Summary{}}
	for _, st := range s.common.stacks {
		conns := &tail[Conn]{list: &st.all, id: (*Conn).ID, ended: (*Conn).Ended}
		surveyed(st.sh, conns, v, limit, func(c *Conn) (flowev.Conn, int64) { return c, c.last }, takes)
		flows := &tail[Exchange]{list: &st.exch.all, id: (*Exchange).ID, ended: (*Exchange).Ended}
		surveyed(st.sh, flows, v, limit, func(x *Exchange) (flowev.Conn, int64) { return x, x.last }, takes)
	}
	slices.SortFunc(v.Conns, func(a, b Summary) int { return cmp.Compare(b.Conn, a.Conn) })
	v.Conns = v.Conns[:min(len(v.Conns), limit)]
	return v, nil
}

// Survey is [Stack.Survey] for all stacks.
func (f *Front) Survey(filter string, limit int) (*Survey, error) {
	return f.common.stacks[0].Survey(filter, limit)
}

// surveyed adds what a list has to a survey: at most limit of it, the latest.
func surveyed[T any](sh *event.Shard, t *tail[T], v *Survey, limit int, as func(*T) (flowev.Conn, int64), takes func(flowev.Conn) bool) {
	listed := 0
	enter := func() (more bool) {
		sh.Enter()
		defer sh.Leave()
		now := sh.Now()
		for looked, made := 0, 0; looked < surveyedAtOnce && made < listedAtOnce; looked++ {
			m, ok := t.next(looked == 0)
			if !ok {
				return false
			}
			v.Open++
			c, last := as(m)
			if !takes(c) {
				continue
			}
			if v.Matched++; listed < limit {
				listed++
				made++
				v.Conns = append(v.Conns, summary(c, last, now, sh.Index()))
			}
		}
		return true
	}
	for enter() {
	}
	v.Partial = v.Partial || t.lost
}

func summary(c flowev.Conn, last, now int64, shard int) Summary {
	peer := func(p flowev.Peer) SummaryPeer {
		s := SummaryPeer{Endpoint: p.Endpoint().String(), Bytes: p.Bytes(), Pkts: p.Pkts()}
		if c.Proto() == flowev.ProtoTCP {
			s.State = p.State().String()
		}
		return s
	}
	return Summary{
		Conn: c.ID(), CID: c.CID(), Proto: c.Proto().String(), Client: peer(c.Client()), Server: peer(c.Server()), VLAN: c.VLAN(),
		Started: float64(c.Started()) / float64(time.Second), Age: time.Duration(now - c.Started()).Seconds(),
		Idle: time.Duration(now - last).Seconds(), Tags: c.Tags(), Shard: shard,
	}
}

// tail goes through a list from its end, in parts between which the shard is
// left: it knows its place by the members it met last, as long as any of them is
// still there.
type tail[T any] struct {
	list  *list[T]
	id    func(*T) uint64
	ended func(*T) bool
	marks [64]mark[T]
	n     int  // members met
	lost  bool // all marks are gone
}

type mark[T any] struct {
	member *T
	id     uint64
}

// next returns the member before the one that was met last; anew says that the
// shard was left since.
func (t *tail[T]) next(anew bool) (*T, bool) {
	at := t.list.last
	if t.n > 0 {
		m := t.marks[(t.n-1)%len(t.marks)].member
		if anew {
			if m = t.mark(); m == nil {
				t.lost = true
				return nil, false
			}
		}
		at = t.list.of(m).prev
	}
	if at == nil {
		return nil, false
	}
	t.marks[t.n%len(t.marks)] = mark[T]{at, t.id(at)}
	t.n++
	return at, true
}

// mark returns the member that was met last of those that are still there. What
// ended may have been made into another, which has another number.
func (t *tail[T]) mark() *T {
	for i := t.n - 1; i >= max(0, t.n-len(t.marks)); i-- {
		if m := t.marks[i%len(t.marks)]; t.id(m.member) == m.id && !t.ended(m.member) {
			return m.member
		}
	}
	return nil
}
