package loop

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// Names returns what finds out about names in the stack's shard.
func (s *Stack) Names() *dns.Resolver { return s.names }

// newNames makes the stack's resolver. Where the system's files cannot be read it asks
// the server of this machine.
func (s *Stack) newNames() error {
	cfg := s.group.cfg.Names
	if len(cfg.Settings.Servers) == 0 && cfg.Files == (dns.Files{}) {
		cfg.Files = dns.SystemFiles()
	}
	cfg.Loop = s.io
	var err error
	if s.names, err = dns.New(cfg); err == nil || cfg.Files == (dns.Files{}) {
		return err
	}
	s.group.cfg.Log.Warn("settings for names are not read: the server of this machine is asked", "error", err)
	cfg.Files = dns.Files{}
	s.names, err = dns.New(cfg)
	return err
}

// DNSLookup implements [loopev.Functions].
func (g *Group) DNSLookup(by *event.Caller, name, kind string, done func(any, error)) {
	s, err := g.of(by, "dns.lookup")
	if err != nil {
		done(nil, err)
		return
	}
	if kind == "" {
		by.Waiter.OnCancel(s.names.Addrs(name, func(addrs []netip.Addr, err error) {
			done(addresses(addrs), err)
		}))
		return
	}
	typ, ok := dns.ParseType(kind)
	if !ok {
		done(nil, fmt.Errorf("dns.lookup: %q is no type", kind))
		return
	}
	if a, err := netip.ParseAddr(name); err == nil && typ == dns.PTR {
		name = dns.ReverseName(a) + "."
	}
	by.Waiter.OnCancel(s.names.Lookup(name, typ, func(ans dns.Answer) {
		if ans.Err != nil {
			done(nil, ans.Err)
			return
		}
		list := make([]any, 0, len(ans.Records))
		for i := range ans.Records {
			list = append(list, recordValue(&ans.Records[i]))
		}
		done(list, nil)
	}))
}

func addresses(addrs []netip.Addr) any {
	if addrs == nil {
		return nil
	}
	list := make([]any, 0, len(addrs))
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}

// recordValue returns what scripts see of a record.
func recordValue(r *dns.Record) any {
	kv := func(list ...any) any {
		var t []event.KV
		for i := 0; i < len(list); i += 2 {
			t = append(t, event.KV{Key: list[i].(string), Value: list[i+1]})
		}
		return append(t, event.KV{Key: "ttl", Value: float64(r.TTL)})
	}
	number := func(n uint16) float64 { return float64(n) }
	switch r.Type {
	case dns.MX:
		return kv("target", r.Target, "priority", number(r.Priority))
	case dns.SRV:
		return kv("target", r.Target, "priority", number(r.Priority), "weight", number(r.Weight), "port", number(r.Port))
	case dns.NAPTR:
		var text [3]string
		copy(text[:], r.Text)
		return kv("order", number(r.Priority), "preference", number(r.Weight), "flags", text[0], "services", text[1], "regexp", text[2], "target", r.Target)
	case dns.SOA:
		return kv("target", r.Target, "mailbox", r.Mailbox, "serial", float64(r.Serial), "minimum", float64(r.Minimum))
	case dns.TXT:
		return strings.Join(r.Text, "")
	}
	return r.Value()
}
