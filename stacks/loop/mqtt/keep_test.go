package mqtt

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// memTable is a table of the test's, with room for so many rows.
type memTable struct {
	mu   sync.Mutex
	rows map[string]string
	most int
}

func newTable() *memTable { return &memTable{rows: map[string]string{}, most: 1 << 20} }

// Put implements [loop.Table].
func (m *memTable) Put(key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, had := m.rows[key]; !had && len(m.rows) >= m.most {
		return errors.New("full")
	}
	m.rows[key] = value
	return nil
}

// Remove implements [loop.Table].
func (m *memTable) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, key)
}

// All implements [loop.Table].
func (m *memTable) All() iter.Seq2[string, string] { return maps.All(m.copy()) }

func (m *memTable) copy() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.rows)
}

// keys are the kinds of rows there are, with how many.
func (m *memTable) kinds() map[string]int {
	n := map[string]int{}
	for key := range m.copy() {
		_, kind, _, _ := cutKey(key)
		n[kind]++
	}
	return n
}

// queue waits until so many messages wait for clients that are away.
func (r *rig) queue(n int64) {
	r.t.Helper()
	for until := time.Now().Add(time.Minute); r.p.counts.queued.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			r.t.Fatalf("%d messages are to wait: %+v", n, r.p.Stats())
		}
	}
}

// TestKept has sessions go on in the next process: what was subscribed to, what was under
// way at each stage both ways, and what came while the client was away; in order, after
// an end in order and after one without.
func TestKept(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{mqttwire.V311, mqttwire.V5} {
		for _, crash := range []bool{false, true} {
			table := newTable()
			r, end := beginRig(t, 2, nil, table)
			a := r.enter("a", false, keeps(version))
			a.send(sub(1, mqttwire.Filter{Topic: "x/#", QoS: 2}, mqttwire.Filter{Topic: "$share/g/y", QoS: 1}, mqttwire.Filter{Topic: "z"}))
			a.expect("suback 1 020100")
			a.send(&mqttwire.Packet{Type: mqttwire.Unsubscribe, ID: 2, Filters: []mqttwire.Filter{{Topic: "z"}}})
			if version == mqttwire.V5 {
				a.expect("unsuback 2 00")
			} else {
				a.expect("unsuback 2 ")
			}
			other := r.login("other")
			other.send(pub("x/1", "one", 1, 1), pub("x/2", "two", 2, 2), ack(mqttwire.Pubrel, 2), pub("x/3", "three", 2, 3), ack(mqttwire.Pubrel, 3), pub("x/4", "done", 1, 4))
			one, two, three := a.expect("publish x/1 one 1"), a.expect("publish x/2 two 2"), a.expect("publish x/3 three 2")
			a.send(ack(mqttwire.Puback, a.expect("publish x/4 done 1").ID), ack(mqttwire.Pubrec, two.ID))
			a.expect(fmt.Sprintf("pubrel %d 0", two.ID))
			a.send(pub("own", "mine", 2, 40))
			if pkt := a.recv(); pkt.Type != mqttwire.Pubrec || pkt.ID != 40 {
				t.Errorf("%+v", pkt)
			}
			a.quiet()
			snapshot := table.copy()
			if !crash {
				a.gone(r, 1)
				other.send(pub("x/5", "five", 1, 5), pub("x/6", "not kept", 0, 0), pub("y", "six", 1, 6))
				for _, want := range []string{"puback 1 0", "pubrec 2 0", "pubcomp 2 0", "pubrec 3 0", "pubcomp 3 0", "puback 4 0", "puback 5 0", "puback 6 0"} {
					other.expect(want)
				}
				r.queue(2) // they may come from another shard
				r.do(func() {
					if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), "x/7", []byte("binary \x00\xff"), 2, false); err != nil {
						t.Error(err)
					}
				})
				r.queue(3)
				snapshot = table.copy()
			}
			end()
			table.rows = snapshot

			r, end = beginRig(t, 2, nil, table)
			// What is published before its client is back is for it, too.
			r.do(func() {
				if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), "x/8", []byte("early"), 1, false); err != nil {
					t.Error(err)
				}
			})
			if s := r.p.Stats().(Stats); s.Restored != 1 || s.Away != 1 || s.KeptRefused != 0 {
				t.Errorf("%+v", s)
			}
			a = r.enter("a", true, keeps(version))
			if again := a.expect("publish x/1 one 1"); !again.Dup || again.ID != one.ID {
				t.Errorf("sent again as %+v", again)
			}
			a.expect(fmt.Sprintf("pubrel %d 0", two.ID))
			if again := a.expect("publish x/3 three 2"); !again.Dup || again.ID != three.ID {
				t.Errorf("sent again as %+v", again)
			}
			ids := []uint16{one.ID}
			if !crash {
				ids = append(ids, a.expect("publish x/5 five 1").ID, a.expect("publish y six 1").ID)
				a.expect("publish x/7 binary \x00\xff 2")
			}
			ids = append(ids, a.expect("publish x/8 early 1").ID)
			dup := pub("own", "mine", 2, 40)
			dup.Dup = true
			a.send(dup)
			a.expect("pubrec 40 0")
			if strings.Contains(strings.Join(r.lines(), "\n"), "mine") {
				t.Error("it is told twice")
			}
			a.send(ack(mqttwire.Pubrel, 40))
			a.expect("pubcomp 40 0")
			for _, id := range ids {
				a.send(ack(mqttwire.Puback, id))
			}
			a.send(ack(mqttwire.Pubcomp, two.ID), ack(mqttwire.Pubrec, three.ID))
			a.expect(fmt.Sprintf("pubrel %d 0", three.ID))
			a.send(ack(mqttwire.Pubcomp, three.ID))
			a.quiet()
			want := map[string]int{rowSession: 1, rowFilter: 2}
			if !crash {
				want[rowMessage] = 1 // of quality 2, which it did not answer
			}
			if d := cmp.Diff(want, table.kinds()); d != "" {
				t.Error(d)
			}
			// A clean start, or the end of the session, leaves nothing.
			a.gone(r, 1)
			r.enter("a", false, func(p *mqttwire.Packet) { p.Version = version })
			if d := cmp.Diff(map[string]int{}, table.kinds()); d != "" {
				t.Error(d)
			}
			end()
		}
	}
}

// TestKeptEnds keeps nothing of who does not ask for it, and of sessions whose time is over,
// also if that was while no process was there.
func TestKeptEnds(t *testing.T) {
	t.Parallel()
	table := newTable()
	r, end := beginRig(t, 1, nil, table)
	r.login("brief", v5)
	r.login("brief3")
	if len(table.copy()) != 0 {
		t.Errorf("%q", table.copy())
	}
	a := r.enter("a", false, keeps(mqttwire.V5))
	a.send(sub(1, mqttwire.Filter{Topic: "x", QoS: 1}))
	a.expect("suback 1 01")
	a.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Properties: mqttwire.Properties{{ID: mqttwire.SessionExpiry}}})
	a.expect("end")
	r.enter("b", false, keeps(mqttwire.V5)).gone(r, 1)
	c := r.enter("c", false, keeps(mqttwire.V5))
	c.send(sub(1, mqttwire.Filter{Topic: "x", QoS: 1}))
	c.expect("suback 1 01")
	if d := cmp.Diff(map[string]int{rowSession: 2, rowFilter: 1}, table.kinds()); d != "" {
		t.Error(d)
	}
	end()
	// b left two hours ago, c is one whose row nobody can read, and the rest is none at all.
	old, _ := json.Marshal(savedSession{1, 3600, time.Now().Add(-2 * time.Hour).UnixNano()})
	_ = table.Put("b\x00"+rowSession+"\x00", string(old))
	_ = table.Put("c\x00"+rowSession+"\x00", "{")
	_ = table.Put("d\x00"+rowMessage+"\x001", "w\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00garbage")
	_ = table.Put("d\x00what\x00", "")
	_ = table.Put("another's", "row")
	r, end = beginRig(t, 1, nil, table)
	defer end()
	for _, id := range []string{"a", "b", "c", "d"} {
		r.enter(id, false, keeps(mqttwire.V5))
	}
	if s := r.p.Stats().(Stats); s.Restored != 0 || s.KeptRefused != 3 || s.Expired != 3 {
		t.Errorf("%+v", s)
	}
	if d := cmp.Diff(map[string]int{rowSession: 4, "": 1}, table.kinds()); d != "" {
		t.Error(d)
	}
}

// TestKeptBounds goes on where the table has no room, and counts.
func TestKeptBounds(t *testing.T) {
	t.Parallel()
	table := newTable()
	table.most = 3
	r, end := beginRig(t, 1, nil, table)
	a := r.enter("a", false, keeps(mqttwire.V311))
	a.send(sub(1, mqttwire.Filter{Topic: "x", QoS: 1}))
	a.expect("suback 1 01")
	a.gone(r, 1)
	boss := r.login("boss")
	for id := range uint16(3) {
		boss.send(pub("x", fmt.Sprint(id), 1, id+1))
		boss.expect(fmt.Sprintf("puback %d 0", id+1))
	}
	if s := r.p.Stats().(Stats); s.KeptRefused != 2 || s.Queued != 3 {
		t.Errorf("%+v", s)
	}
	end()
	r, end = beginRig(t, 1, nil, table)
	defer end()
	a = r.enter("a", true, keeps(mqttwire.V311))
	a.expect("publish x 0 1")
	a.quiet()
}

// TestKeptOrder restores what was left longest ago first, so that this is what ends where
// there is too much; and ends one that has a will meanwhile.
func TestKeptOrder(t *testing.T) {
	t.Parallel()
	table := newTable()
	now := time.Now().UnixNano()
	for id, ago := range map[string]time.Duration{"a": time.Minute, "b": 3 * time.Minute, "c": 2 * time.Minute, "d": 0} {
		row, _ := json.Marshal(savedSession{1, 3600, now - int64(ago)})
		_ = table.Put(id+"\x00"+rowSession+"\x00", string(row))
	}
	r, end := beginRig(t, 1, nil, table)
	defer end()
	watch := r.login("watch") // which restores them
	watch.send(sub(1, mqttwire.Filter{Topic: "gone"}))
	watch.expect("suback 1 00")
	r.do(func() {
		b := r.p.broker(r.g.Stack(r.set.At(0)))
		var order string
		for e := b.away.Front(); e != nil; e = e.Next() {
			order += e.Value.(*session).id
		}
		if order != "bcad" {
			t.Errorf("they end in the order %s", order)
		}
		w := &session{id: "will", expiry: 3600}
		b.adopt(w)
		w.leave(&mqttwire.Will{Topic: "gone", Properties: mqttwire.Properties{{ID: mqttwire.WillDelay, Num: 100}}})
		b.away.MoveToFront(w.place)
		// Another listener names the table, when there are as many as may be.
		for _, id := range []string{"a", "b", "c", "d"} {
			s := b.giveUp(id)
			s.flow.keeper = nil
			b.p.homes.Delete(id)
		}
		b.p.shelved.names["kept"] = false
		b.p.shelved.unread.Store(true)
		b.p.counts.queuedBytes.Add(maxAwaySize + 1)
		b.restore()
		b.p.counts.queuedBytes.Add(-maxAwaySize - 1)
	})
	r.g.Wake()
	watch.expect("publish gone  0")
	if s := r.p.Stats().(Stats); s.Evicted != 5 || s.Away != 0 {
		t.Errorf("%+v", s)
	}
}

// TestKeptSpread divides the sessions between the shards, where each has what is published
// before its client is back, its share of what it shares with others, and its end.
func TestKeptSpread(t *testing.T) {
	t.Parallel()
	table := newTable()
	r, end := beginRig(t, 3, nil, table)
	ids := []string{"a", "b", "c", "d", "e", "f"}
	for i, id := range ids {
		p := r.enter(id, false, keeps(mqttwire.V5))
		filters := []mqttwire.Filter{{Topic: "x", QoS: 1}}
		if i%3 == 2 {
			filters = append(filters, mqttwire.Filter{Topic: "$share/g/y", QoS: 1})
		}
		p.send(sub(1, filters...))
		p.expect("suback 1 " + strings.Repeat("01", len(filters)))
		p.gone(r, int64(i+1))
	}
	end()
	r, end = beginRig(t, 3, nil, table)
	defer end()
	r.do(func() { // the first that needs them
		for topic, n := range map[string]int{"x": 1, "y": 4} {
			for range n {
				if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), topic, []byte("m"), 1, false); err != nil {
					t.Error(err)
				}
			}
		}
	})
	r.queue(10)
	for i := range 3 {
		sh := r.set.At(i)
		sh.Enter()
		if n := len(r.p.broker(r.g.Stack(sh)).sessions); n != 2 {
			t.Errorf("shard %d has %d sessions", i, n)
		}
		sh.Leave()
	}
	for i, id := range ids {
		p := r.enter(id, true, keeps(mqttwire.V5))
		got := map[string]int{}
		for range 1 + i%3/2*2 {
			m := p.recv()
			got[m.Topic]++
			p.send(ack(mqttwire.Puback, m.ID))
		}
		p.quiet()
		if want := map[string]int{"x": 1, "y": 2}; i%3 != 2 && got["x"] != 1 || i%3 == 2 && !maps.Equal(got, want) {
			t.Errorf("%s: %v", id, got)
		}
	}
	if s := r.p.Stats().(Stats); s.Restored != 6 || s.Evicted != 0 || s.Away != 0 {
		t.Errorf("%+v", s)
	}
}

// TestKeptWills keeps wills that are delayed: each is told by the process in which it is due,
// or its session ends, and none of a client that is back before.
func TestKeptWills(t *testing.T) {
	t.Parallel()
	table := newTable()
	r, end := beginRig(t, 2, nil, table)
	watch := r.enter("watch", false, keeps(mqttwire.V5))
	watch.send(sub(1, mqttwire.Filter{Topic: "gone", QoS: 1}))
	watch.expect("suback 1 01")
	watch.gone(r, 1)
	for i, id := range []string{"due", "later", "back", "over", "none"} {
		p := r.enter(id, false, keeps(mqttwire.V5), func(p *mqttwire.Packet) {
			p.Will = &mqttwire.Will{Topic: "gone", Payload: []byte(id), QoS: 1, Properties: mqttwire.Properties{{ID: mqttwire.WillDelay, Num: 1000}, {ID: mqttwire.MessageExpiry, Num: 7}}}
		})
		if id == "none" {
			p.send(&mqttwire.Packet{Type: mqttwire.Disconnect})
		}
		if id == "due" { // what it said itself is not for it
			p.send(sub(1, mqttwire.Filter{Topic: "gone", QoS: 1, NoLocal: true}))
			p.expect("suback 1 01")
		}
		p.gone(r, int64(i+2))
	}
	if n := table.kinds()[rowWill]; n != 4 {
		t.Fatalf("%d wills are kept", n)
	}
	end()
	now := time.Now()
	due := func(id string, at time.Time) {
		key := id + "\x00" + rowWill + "\x00"
		table.rows[key] = string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano()))) + table.rows[key][willHead:]
	}
	due("due", now.Add(-time.Hour))
	due("later", now.Add(300*time.Millisecond))
	over, _ := json.Marshal(savedSession{1, 60, now.Add(-time.Hour).UnixNano()})
	table.rows["over\x00"+rowSession+"\x00"] = string(over)

	r, end = beginRig(t, 2, nil, table)
	defer end()
	r.enter("back", true, keeps(mqttwire.V5))
	watch = r.enter("watch", true, keeps(mqttwire.V5))
	told := map[string]bool{}
	for range 3 {
		m := watch.recv()
		if x, _ := m.Properties.Get(mqttwire.MessageExpiry); x.Num == 0 || x.Num > 7 || m.Properties.Num(mqttwire.WillDelay, 0) != 0 || m.Topic != "gone" {
			t.Errorf("%+v", m)
		}
		told[string(m.Payload)] = true
		watch.send(ack(mqttwire.Puback, m.ID))
	}
	watch.quiet()
	r.queue(2) // for who sent the first will; they may come from another shard
	if d := cmp.Diff(map[string]bool{"due": true, "later": true, "over": true}, told); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]int{rowSession: 5, rowFilter: 2, rowMessage: 2}, table.kinds()); d != "" {
		t.Error(d)
	}
}

// TestKeptNowhere tells that sessions are not kept where there is no such store, and keeps
// them in memory.
func TestKeptNowhere(t *testing.T) {
	t.Parallel()
	p := New()
	for _, c := range []struct {
		v  any
		ok bool
	}{{"x", false}, {true, false}} {
		if _, err := p.Options(kvs("mqtt", c.v), true); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.v, err)
		}
	}
	if _, err := p.Options(kvs("mqtt", kvs("session", "x")), true); err == nil {
		t.Error("an option that there is not")
	}
	if _, err := p.Options(kvs("mqtt", kvs("sessions", true)), true); err == nil {
		t.Error("no name")
	}
	r := newRig(t, 1, nil)
	r.p.Opened(&options{sessions: "none"})
	a := r.enter("a", false, keeps(mqttwire.V5))
	r.do(func() {
		if s := r.p.broker(r.g.Stack(r.set.At(0))).sessions["a"].s; s != nil {
			s.sessions = "none"
			s.keep(s.session)
		}
	})
	a.quiet()
	if text := strings.Join(r.lines(), "\n"); !strings.Contains(text, "sessions are not kept: there are no stores here") {
		t.Error(text)
	}
	a.gone(r, 1)
	r.enter("a", true, keeps(mqttwire.V5))
}

func kvs(key string, v any) []event.KV { return []event.KV{{Key: key, Value: v}} }

// FuzzRows has tables hold anything: what is no row is told apart, and what is one goes on
// within its bounds.
func FuzzRows(f *testing.F) {
	p, err := pub("x", "hello", 1, 7).Append(nil, mqttwire.V5)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []stage{stageWaiting, stageSent, stageReleased, 'x'} {
		f.Add("a\x00"+rowMessage+"\x001f", string(s)+"\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00"+string(p))
	}
	f.Add("a\x00"+rowWill+"\x00", "\x00\x00\x00\x00\x00\x00\x00\x09"+string(p))
	f.Add("a\x00"+rowSession+"\x00", `{"v":1,"expiry":3600,"left":1}`)
	f.Add("a\x00"+rowFilter+"\x00$share/g/x/#", `{"qos":2,"no_local":true}`)
	f.Add("a\x00"+rowInbound+"\x00"+"40", "")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		_, kind, which, ok := cutKey(key)
		if !ok {
			return
		}
		r := &savedRows{filters: map[string]mqttwire.Filter{}, inbound: map[uint16]bool{}}
		if !r.read(kind, which, value) {
			return
		}
		fl := &flow{}
		for _, m := range r.messages {
			if !fl.revive(m) {
				t.Fatalf("no room for %q", value)
			}
		}
		for id, m := range fl.sent {
			if id == 0 || m.released != (m.p == nil) {
				t.Fatalf("%+v of %q", m, value)
			}
		}
		for filter := range r.filters {
			if !mqttwire.ValidFilter(filter) {
				t.Fatalf("%q is subscribed to", filter)
			}
		}
		if s := r.session; s != nil && (s.left(9) < 0 || s.left(9) > 9) {
			t.Fatalf("it left at %d", s.left(9))
		}
	})
}
