package dns

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Lookup finds out about a name and calls done in the shard, later, and never if
// cancel is called before. Names with fewer dots than Settings.Ndots are looked for in
// the search list first, the others after; none that ends with a dot is. A and AAAA
// come from the hosts file where it has the name, and from the name itself where it
// is an address.
func (r *Resolver) Lookup(name string, typ Type, done func(Answer)) (cancel func()) {
	r.stats.Lookups++
	r.look()
	if ans, ok := r.known(name, typ); ok {
		w := &waiter{done: done}
		w.soon(r, ans)
		return w.cancel
	}
	s := &search{r: r, typ: typ, names: r.candidates(name), done: done}
	s.next()
	return s.cancel
}

// Exactly is Lookup without search list and files.
func (r *Resolver) Exactly(name string, typ Type, done func(Answer)) (cancel func()) {
	r.stats.Lookups++
	r.look()
	return r.ask(key{fold(name), typ}, done)
}

// known returns what needs no server.
func (r *Resolver) known(name string, typ Type) (Answer, bool) {
	if typ != A && typ != AAAA {
		return Answer{}, false
	}
	var addrs []netip.Addr
	name = fold(name)
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		addrs = []netip.Addr{a.Unmap()}
	} else if addrs = r.set.Hosts[name]; addrs == nil {
		if name != "localhost" && !strings.HasSuffix(name, ".localhost") { // RFC 6761 section 6.3
			return Answer{}, false
		}
		addrs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	ans := Answer{Name: name}
	for _, a := range addrs {
		if a.Is4() == (typ == A) {
			ans.Records = append(ans.Records, Record{Name: name, Type: typ, Class: ClassIN, Addr: a})
		}
	}
	if len(ans.Records) == 0 {
		ans.Err = ErrNoRecords
	}
	return ans, true
}

// candidates returns the names to ask for, in order (resolv.conf(5)).
func (r *Resolver) candidates(name string) []string {
	bare := fold(name)
	if strings.HasSuffix(name, ".") || len(r.set.Search) == 0 {
		return []string{bare}
	}
	var list []string
	for _, d := range r.set.Search {
		if full := bare + "." + d; ValidName(full) {
			list = append(list, full)
		}
	}
	if strings.Count(bare, ".") >= r.set.Ndots {
		return append([]string{bare}, list...)
	}
	return append(list, bare)
}

// search asks for candidates one after another.
type search struct {
	r     *Resolver
	typ   Type
	names []string
	done  func(Answer)
	best  error // says more than that the last name does not exist
	stop  func()
}

func (s *search) next() {
	name := s.names[0]
	s.names = s.names[1:]
	s.stop = s.r.ask(key{name, s.typ}, func(ans Answer) {
		if errors.Is(ans.Err, ErrServers) || errors.Is(ans.Err, ErrNoRecords) && s.best == nil {
			s.best = ans.Err
		}
		goesOn := errors.Is(ans.Err, ErrNoName) || errors.Is(ans.Err, ErrNoRecords) || errors.Is(ans.Err, ErrServers)
		if goesOn && len(s.names) > 0 {
			s.next()
			return
		}
		if errors.Is(ans.Err, ErrNoName) && s.best != nil {
			ans.Err = s.best
		}
		s.done(ans)
	})
}

func (s *search) cancel() { s.stop() }

// Addrs finds the addresses of a name, those of IPv4 first, and calls done once, as
// Lookup does. An error is that of the family that has one, if there is no address.
func (r *Resolver) Addrs(name string, done func([]netip.Addr, error)) (cancel func()) {
	var found [2][]netip.Addr
	var errs [2]error
	left := 2
	ask := func(i int, typ Type) func() {
		return r.Lookup(name, typ, func(ans Answer) {
			for _, rec := range ans.Records {
				found[i] = append(found[i], rec.Addr)
			}
			errs[i] = ans.Err
			if left--; left > 0 {
				return
			}
			all := append(found[0], found[1]...)
			if len(all) > 0 {
				done(all, nil)
				return
			}
			err := errs[0]
			if errors.Is(err, ErrNoRecords) {
				err = errs[1]
			}
			done(nil, err)
		})
	}
	four, six := ask(0, A), ask(1, AAAA)
	return func() {
		four()
		six()
	}
}

// ReverseName returns the name that has the PTR record of an address (RFC 1035
// section 3.5, RFC 3596 section 2.5).
func ReverseName(a netip.Addr) string {
	const hex = "0123456789abcdef"
	a = a.Unmap()
	var b strings.Builder
	if a.Is4() {
		p := a.As4()
		for i := 3; i >= 0; i-- {
			b.WriteString(strconv.Itoa(int(p[i])))
			b.WriteByte('.')
		}
		return b.String() + "in-addr.arpa"
	}
	p := a.As16()
	for i := 15; i >= 0; i-- {
		b.WriteByte(hex[p[i]&15])
		b.WriteByte('.')
		b.WriteByte(hex[p[i]>>4])
		b.WriteByte('.')
	}
	return b.String() + "ip6.arpa"
}
