package dns

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

const (
	// ednsSize is the datagram that is asked for: it passes without fragments (RFC 9715).
	ednsSize = 1232
	// maxAliases is how many names lead to each other at most.
	maxAliases = 8
)

// flight is a question that is with a server, or waits for its turn. Whoever asks
// the same meanwhile waits for the same answer.
type flight struct {
	r       *Resolver
	key     key
	waiters []*waiter
	left    []netip.AddrPort // whom to ask, in order
	flying  bool
	over    bool
	best    error // the best reason to have no answer
	depth   int   // of aliases that led here
	asked   func()
	relay   *relay // nil unless it passes a question on

	server netip.AddrPort
	edns   bool
	id     uint16
	sock   *netio.Packets
	conn   *netio.Conn
	timer  event.Timer
}

// launch begins with a question, or has it wait; nil if too many do.
func (r *Resolver) launch(k key, depth int) *flight {
	if len(r.queue) >= r.cfg.Waiting {
		return nil
	}
	f := &flight{r: r, key: k, best: ErrTimeout, depth: depth}
	r.flights[k] = f
	r.stats.Questions++
	if r.busy >= r.cfg.Questions {
		r.queue = append(r.queue, f)
		return f
	}
	f.fly()
	return f
}

func (f *flight) fly() {
	r := f.r
	f.flying = true
	r.busy++
	n := len(r.set.Servers)
	start := 0
	if r.set.Rotate {
		start = r.turn % n
		r.turn++
	}
	for range r.set.Attempts {
		for i := range n {
			f.left = append(f.left, r.set.Servers[(start+i)%n])
		}
	}
	// The caller has not the waiters in it yet: what fails at once is told in the next turn.
	f.arm(0)
}

func (f *flight) arm(in time.Duration) {
	f.r.sh.Timers().Arm(&f.timer, f.r.loop.Now()+int64(in), func(int64) { f.next() })
	if in == 0 {
		f.r.loop.Stir()
	}
}

// next asks the next server.
func (f *flight) next() {
	if f.sock != nil || f.conn != nil {
		f.r.stats.Timeouts++
	}
	f.hangUp()
	for len(f.left) > 0 {
		f.server, f.left = f.left[0], f.left[1:]
		f.edns = !f.r.plain[f.server]
		if f.relay != nil && f.relay.stream {
			if f.overTCP() {
				return
			}
		} else if f.send() {
			return
		}
	}
	f.r.stats.Failures++
	ttl := f.r.cfg.FailureTTL
	f.finish(Answer{Name: f.key.name, Err: f.best, TTL: max(0, ttl)})
}

// question returns the message that asks.
func (f *flight) question() ([]byte, error) {
	var id [2]byte
	_, _ = rand.Read(id[:]) // it never fails
	f.id = binary.BigEndian.Uint16(id[:])
	if f.relay != nil {
		return f.relay.ask(f.id), nil
	}
	m := Message{ID: f.id, RecursionDesired: true, Questions: []Question{{f.key.name, f.key.typ, ClassIN}}}
	if f.edns {
		m.EDNS = &EDNS{Size: ednsSize}
	}
	return m.Append(nil, 0)
}

// send asks over UDP, from a port of the system's choice.
func (f *flight) send() bool {
	f.hangUp()
	p, err := f.question()
	if err != nil {
		f.best = ErrName
		f.left = nil
		return false
	}
	sock, err := f.r.loop.Packets(netio.PacketConfig{
		Network: "udp", Connect: f.server, MaxDatagram: 4096, RecvBuffer: 64 << 10, QueueGrams: 4,
	}, (*udpFlight)(f))
	if err != nil {
		f.best = ErrServers
		return false
	}
	f.sock = sock
	if err := sock.SendTo(p, f.server, netip.Addr{}); err != nil {
		f.best = ErrServers
		return false
	}
	f.r.stats.Sent++
	f.arm(f.r.set.Timeout)
	return true
}

// hangUp ends what is under way with a server.
func (f *flight) hangUp() {
	f.r.sh.Timers().Stop(&f.timer)
	if f.sock != nil {
		f.sock.Close()
		f.sock = nil
	}
	if c := f.conn; c != nil {
		f.conn = nil
		c.Abort(netio.Reason{})
	}
}

// udpFlight is told what comes to the socket of a flight.
type udpFlight flight

// Datagram is an answer, or somebody who would like it to be taken for one: the kernel
// lets only the server's through, and identifier and port are by chance (RFC 5452).
func (u *udpFlight) Datagram(_ *netio.Packets, p []byte, _, _ netip.AddrPort, _ bool) {
	(*flight)(u).heard(p)
}

// Unreachable says that nobody is there.
func (u *udpFlight) Unreachable(*netio.Packets, netip.AddrPort, netio.Reason) {
	f := (*flight)(u)
	if f.over {
		return
	}
	f.best = ErrServers
	f.hangUp()
	f.next()
}

// heard takes a message from the server.
func (f *flight) heard(p []byte) {
	if f.over {
		return
	}
	m, err := Parse(p)
	if err != nil {
		f.r.stats.Malformed++
		if f.conn != nil {
			f.fails(ErrServers)
		}
		return // an honest answer may follow
	}
	if m.ID != f.id || !m.Response || !f.repeats(m) {
		f.r.stats.Strange++
		return
	}
	switch {
	case f.relay != nil && m.RCode != ServerFailure && m.RCode != Refused:
		f.passOn(p)
	case f.relay != nil && len(f.left) == 0:
		f.passOn(p)
	case m.Truncated && f.conn == nil && f.relay == nil:
		if !f.overTCP() {
			f.fails(ErrServers)
		}
	case (m.RCode == FormatError || m.RCode == NotImplemented || m.RCode == 16) && f.edns:
		f.r.plain[f.server] = len(f.r.plain) < maxServers // it knows no EDNS
		f.edns = false
		if !f.send() {
			f.fails(ErrServers)
		}
	case m.RCode == Success || m.RCode == NameError:
		f.answered(m)
	default:
		f.fails(ErrServers)
	}
}

// repeats reports whether a message is about the question. Some servers answer what
// they do not understand without repeating it.
func (f *flight) repeats(m *Message) bool {
	if len(m.Questions) == 0 {
		return m.RCode != Success && m.RCode != NameError
	}
	q := m.Questions[0]
	class := ClassIN
	if f.relay != nil {
		class = f.relay.class
	}
	return len(m.Questions) == 1 && fold(q.Name) == f.key.name && q.Type == f.key.typ && q.Class == class
}

// fails goes on to the next server.
func (f *flight) fails(why error) {
	f.best = why
	f.hangUp()
	f.next()
}

// answered ends a question with what a server said.
func (f *flight) answered(m *Message) {
	ans := m.answer(f.key)
	if ans.Err == nil && len(ans.Records) == 0 {
		// An alias whose records did not come along.
		f.follow(ans)
		return
	}
	f.r.bound(&ans)
	f.finish(ans)
}

// follow asks for the name that an alias leads to. Aliases that lead round wait for
// each other, and end with the time for it.
func (f *flight) follow(alias Answer) {
	r := f.r
	f.hangUp()
	f.land()
	f.left, f.best = nil, ErrServers
	f.arm(time.Duration(r.set.Attempts) * r.set.Timeout)
	r.bound(&alias)
	f.asked = r.askFrom(f.depth+1, key{fold(alias.Name), f.key.typ}, func(ans Answer) {
		ans.TTL = min(ans.TTL, alias.TTL)
		ans.Cached = false
		f.finish(ans)
	})
}

// land gives up the place with a server, which goes to who waits.
func (f *flight) land() {
	r := f.r
	if !f.flying {
		return
	}
	f.flying = false
	r.busy--
	for len(r.queue) > 0 && r.busy < r.cfg.Questions && !r.closed {
		next := r.queue[0]
		r.queue = r.queue[1:]
		if !next.over {
			next.fly()
		}
	}
}

// finish tells all who wait.
func (f *flight) finish(ans Answer) {
	if f.over {
		return
	}
	f.over = true
	f.hangUp()
	if f.relay != nil {
		f.endRelay(ans.Err)
		return
	}
	if f.asked != nil {
		f.asked()
	}
	f.land()
	delete(f.r.flights, f.key)
	f.r.cache.put(f.key, ans, f.r.loop.Now())
	for _, w := range f.waiters {
		w.tell(ans)
	}
}

// answer returns what a message says about a question: records of the name, or of the
// one that its aliases lead to. Without records and without error only an alias is known.
func (m *Message) answer(k key) Answer {
	ans := Answer{Name: k.name, TTL: 1 << 62}
	shorter := func(ttl uint32) { ans.TTL = min(ans.TTL, time.Duration(ttl)*time.Second) }
	alias := false
	for range maxAliases {
		next := ""
		for _, r := range m.Answers {
			if fold(r.Name) != fold(ans.Name) || r.Class != ClassIN {
				continue
			}
			if r.Type == k.typ {
				ans.Records = append(ans.Records, r)
				shorter(r.TTL)
			} else if r.Type == CNAME && next == "" {
				next = r.Target
				shorter(r.TTL)
			}
		}
		if len(ans.Records) > 0 || next == "" {
			break
		}
		ans.Name, alias = strings.TrimSuffix(next, "."), true
	}
	if len(ans.Records) > 0 || alias && m.RCode == Success && !m.negative() {
		return ans
	}
	if ans.Err = ErrNoRecords; m.RCode == NameError {
		ans.Err = ErrNoName
	}
	ans.TTL = m.negativeTTL()
	return ans
}

// negative reports whether a message says that the name has no such record, rather
// than that somebody else has to be asked (RFC 2308 section 2.2).
func (m *Message) negative() bool {
	for _, r := range m.Authority {
		if r.Type == SOA {
			return true
		}
	}
	return false
}

// negativeTTL returns for how long there is nothing: not at all where no SOA says so
// (RFC 2308 section 5).
func (m *Message) negativeTTL() time.Duration {
	for _, r := range m.Authority {
		if r.Type == SOA {
			return time.Duration(min(r.TTL, r.Minimum)) * time.Second
		}
	}
	return 0
}

// bound keeps for how long something is remembered within the bounds.
func (r *Resolver) bound(ans *Answer) {
	if ans.Err != nil {
		ans.TTL = min(ans.TTL, r.cfg.NegativeTTL)
		return
	}
	ans.TTL = max(r.cfg.MinTTL, min(ans.TTL, r.cfg.MaxTTL))
}
