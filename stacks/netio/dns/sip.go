package dns

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// SIPQuery is a SIP URI, or Via, as far as it says where its server is.
type SIPQuery struct {
	// Host is a name or an address, from the maddr parameter if there is one.
	Host string
	// Port is 0 if the URI has none.
	Port uint16
	// Transport is that of the URI's parameter, in lower case, or "".
	Transport string
	// Secure says that it is a SIPS URI.
	Secure bool
	// Supported are the transports that the caller has, those that it likes best first:
	// "udp", "tcp", "tls", "ws", "wss"; by default udp, tcp and tls.
	Supported []string
}

// SIPServer is where a request can be sent.
type SIPServer struct {
	Transport string // as in SIPQuery.Supported
	Addr      netip.AddrPort
	// Host is the name that the address was found by.
	Host string
}

// ErrTransport says that no transport is had that the URI wants.
var ErrTransport = errors.New("dns: no transport that both have")

// ports of transports, where nothing says another (RFC 3261 section 19.1.2, RFC 7118
// section 4).
var sipPorts = map[string]uint16{"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}

// services of NAPTR records (RFC 3263 section 4.1, RFC 7118 section 5.3), and the names
// under which SRV records are.
var sipServices = map[string]struct{ naptr, srv string }{
	"udp": {"SIP+D2U", "_sip._udp."},
	"tcp": {"SIP+D2T", "_sip._tcp."},
	"tls": {"SIPS+D2T", "_sips._tcp."},
	"ws":  {"SIP+D2W", ""},
	"wss": {"SIPS+D2W", ""},
}

// maxSIPServers bounds what one URI leads to.
const maxSIPServers = 32

// SIPServers finds the servers of a SIP URI, in the order in which they are to be
// tried (RFC 3263 section 4): by NAPTR, SRV with priorities and weights (RFC 2782), and
// addresses. done is called once in the shard, later, and never if cancel is called
// before; without error it gets at least one server and at most 32.
func (r *Resolver) SIPServers(q SIPQuery, done func([]SIPServer, error)) (cancel func()) {
	if len(q.Supported) == 0 {
		q.Supported = []string{"udp", "tcp", "tls"}
	}
	s := &sipSearch{r: r, q: q, done: done}
	s.q.Host = strings.Trim(q.Host, "[]")
	s.begin()
	return s.cancel
}

// sipSearch is a search for SIP servers.
type sipSearch struct {
	r     *Resolver
	q     SIPQuery
	done  func([]SIPServer, error)
	stops []func()
	ended bool

	transports []string // that suit the URI, best first
	todo       []sipStep
	found      []SIPServer
	err        error
}

// sipStep is a name whose addresses, or SRV records, are wanted next.
type sipStep struct {
	transport string
	name      string
	port      uint16 // 0 for SRV
}

func (s *sipSearch) cancel() {
	s.ended = true
	for _, stop := range s.stops {
		stop()
	}
}

func (s *sipSearch) began(stop func()) { s.stops = append(s.stops, stop) }

// begin decides on the transports, and by what the server is found (RFC 3263
// sections 4.1 and 4.2).
func (s *sipSearch) begin() {
	s.transports = s.suitable()
	if len(s.transports) == 0 {
		s.later(nil, ErrTransport)
		return
	}
	_, err := netip.ParseAddr(s.q.Host)
	numeric := err == nil
	switch {
	case numeric || s.q.Port != 0:
		t := s.q.Transport
		if t = s.secured(t); t == "" {
			t = s.fallback()
		}
		s.todo = []sipStep{{t, s.q.Host, s.portOf(t)}}
		s.next()
	case s.q.Transport != "":
		s.services(s.transports[:1])
	default:
		s.began(s.r.Exactly(s.q.Host, NAPTR, s.naptr))
	}
}

// suitable returns the transports that can be used, best first.
func (s *sipSearch) suitable() (list []string) {
	want := s.secured(s.q.Transport)
	for _, t := range s.q.Supported {
		if sipPorts[t] == 0 || want != "" && t != want || s.q.Secure && t != "tls" && t != "wss" {
			continue
		}
		list = append(list, t)
	}
	return list
}

// secured returns the transport that a URI's parameter means: that of a SIPS URI is
// over TLS.
func (s *sipSearch) secured(t string) string {
	if s.q.Secure {
		switch t {
		case "tcp":
			return "tls"
		case "ws":
			return "wss"
		}
	}
	return t
}

// fallback is the transport where nothing says one: UDP, or TLS for a SIPS URI, as far
// as the caller has it.
func (s *sipSearch) fallback() string {
	def := "udp"
	if s.q.Secure {
		def = "tls"
	}
	if slices.Contains(s.transports, def) {
		return def
	}
	return s.transports[0]
}

func (s *sipSearch) portOf(transport string) uint16 {
	if s.q.Port != 0 {
		return s.q.Port
	}
	return sipPorts[transport]
}

// later ends the search in the next turn.
func (s *sipSearch) later(list []SIPServer, err error) {
	w := &waiter{done: func(Answer) { s.end(list, err) }}
	w.soon(s.r, Answer{})
	s.began(w.cancel)
}

func (s *sipSearch) end(list []SIPServer, err error) {
	if s.ended {
		return
	}
	s.ended = true
	s.done(list, err)
}

// naptr goes on with the SRV records that NAPTR records lead to, or with the names
// that they would have had.
func (s *sipSearch) naptr(ans Answer) {
	if len(ans.Records) == 0 {
		s.services(s.transports)
		return
	}
	list := slices.Clone(ans.Records)
	slices.SortStableFunc(list, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	for _, rec := range list {
		if len(rec.Text) != 3 || !strings.EqualFold(rec.Text[0], "s") || rec.Text[2] != "" {
			continue
		}
		for _, t := range s.transports {
			if strings.EqualFold(rec.Text[1], sipServices[t].naptr) {
				s.todo = append(s.todo, sipStep{transport: t, name: rec.Target})
			}
		}
	}
	if len(s.todo) == 0 {
		// There is a list, and nothing in it that suits.
		s.services(s.transports)
		return
	}
	s.next()
}

// services looks for SRV records of transports; without any, the name itself is the
// server's.
func (s *sipSearch) services(transports []string) {
	for _, t := range transports {
		if srv := sipServices[t].srv; srv != "" {
			s.todo = append(s.todo, sipStep{transport: t, name: srv + s.q.Host})
		}
	}
	s.next()
}

// next takes the next step, until there are enough servers.
func (s *sipSearch) next() {
	if len(s.todo) == 0 || len(s.found) >= maxSIPServers {
		s.finish()
		return
	}
	step := s.todo[0]
	s.todo = s.todo[1:]
	s.stops = s.stops[:0]
	if step.port == 0 {
		s.began(s.r.Exactly(step.name, SRV, func(ans Answer) { s.srv(step, ans) }))
		return
	}
	s.began(s.r.Addrs(step.name, func(addrs []netip.Addr, err error) { s.addrs(step, addrs, err) }))
}

// srv puts the servers of a service before what is to be done next.
func (s *sipSearch) srv(step sipStep, ans Answer) {
	var steps []sipStep
	for _, rec := range s.r.order(ans.Records) {
		if rec.Target != "." && rec.Port != 0 { // "." says that the service is not there
			steps = append(steps, sipStep{step.transport, rec.Target + ".", rec.Port})
		}
	}
	if len(ans.Records) > 0 {
		s.err = ErrNoRecords // there is a service: the name itself is not asked
	} else if ans.Err != nil && !errors.Is(ans.Err, ErrNoName) && !errors.Is(ans.Err, ErrNoRecords) && s.err == nil {
		s.err = ans.Err
	}
	s.todo = append(steps[:min(len(steps), maxSIPServers)], s.todo...)
	s.next()
}

func (s *sipSearch) addrs(step sipStep, addrs []netip.Addr, err error) {
	for _, a := range addrs {
		if len(s.found) < maxSIPServers {
			s.found = append(s.found, SIPServer{step.transport, netip.AddrPortFrom(a, step.port), strings.TrimSuffix(step.name, ".")})
		}
	}
	if err != nil {
		s.err = err
	}
	s.next()
}

// finish ends the search, or asks for the name itself where there was no service.
func (s *sipSearch) finish() {
	switch {
	case len(s.found) > 0:
		s.end(s.found, nil)
	case s.err != nil:
		s.end(nil, s.err)
	default:
		s.err = ErrNoName
		t := s.secured(s.q.Transport)
		if t == "" {
			t = s.fallback()
		}
		s.todo = []sipStep{{t, s.q.Host, s.portOf(t)}}
		s.next()
	}
}

// order returns SRV records in the order in which they are to be tried: by priority,
// and within one by chance, by weight (RFC 2782).
func (r *Resolver) order(list []Record) []Record {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Record) int {
		// Those of weight 0 first within a priority, which gives them a small chance.
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(min(a.Weight, 1), min(b.Weight, 1)))
	})
	for i := range list {
		sum, end := 0, i
		for ; end < len(list) && list[end].Priority == list[i].Priority; end++ {
			sum += int(list[end].Weight)
		}
		pick := r.cfg.Rand.IntN(sum + 1)
		for j := i; j < end; j++ {
			if pick -= int(list[j].Weight); pick <= 0 {
				chosen := list[j]
				copy(list[i+1:j+1], list[i:j])
				list[i] = chosen
				break
			}
		}
	}
	return list
}
