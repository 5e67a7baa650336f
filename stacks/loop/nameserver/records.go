package nameserver

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// defaultTTL is for how many seconds an answer holds whose rule says nothing.
const defaultTTL = 60

// maxRecords bounds an answer.
const maxRecords = 1000

func fold(name string) string { return strings.ToLower(name) }

// recordsOf returns the records that a rule answers with.
func recordsOf(q dns.Question, a *loopev.AnswerArgs) ([]dns.Record, error) {
	ttl := uint32(defaultTTL)
	if a.HasTTL {
		ttl = a.TTL
	}
	return Records(q, a.Records, ttl)
}

// Records returns the records that values written by people mean as an answer to q: a
// text, a table, or a list of those. Addresses of the family that was not asked for are
// left out.
func Records(q dns.Question, values any, ttl uint32) ([]dns.Record, error) {
	list, isList := values.([]any)
	if !isList {
		list = []any{values}
	}
	if len(list) > maxRecords {
		return nil, fmt.Errorf("loop.answer: more than %d records", maxRecords)
	}
	var records []dns.Record
	for _, v := range list {
		r := dns.Record{Name: q.Name, Type: q.Type, Class: dns.ClassIN, TTL: ttl}
		skip, err := set(&r, v)
		if err != nil {
			return nil, fmt.Errorf("loop.answer: %w", err)
		}
		if !skip {
			records = append(records, r)
		}
	}
	return records, nil
}

// set makes a record of a text or a table. skip is true for an address of the family
// that was not asked for.
func set(r *dns.Record, v any) (skip bool, err error) {
	switch v := v.(type) {
	case string:
		return value(r, v)
	case netip.Addr:
		return value(r, v.String())
	case []event.KV:
		return table(r, v)
	}
	return false, fmt.Errorf("a text or a table expected, got %s", plain.Describe(v))
}

// value sets what a record of its type says.
func value(r *dns.Record, text string) (skip bool, err error) {
	a, err := netip.ParseAddr(text)
	isAddr := err == nil && a.Zone() == ""
	switch r.Type {
	case dns.A, dns.AAAA:
		if !isAddr {
			return false, fmt.Errorf("an address expected, got %s", plain.Describe(text))
		}
		a = a.Unmap()
		r.Addr = a
		return a.Is4() != (r.Type == dns.A), nil
	case dns.TXT:
		for len(text) > 255 {
			r.Text = append(r.Text, text[:255])
			text = text[255:]
		}
		r.Text = append(r.Text, text)
		return false, nil
	}
	// An address says nothing about other types: the name is there, the record is not.
	if isAddr {
		return true, nil
	}
	switch r.Type {
	case dns.CNAME, dns.NS, dns.PTR, dns.MX, dns.SRV:
		if !dns.ValidName(text) {
			return false, fmt.Errorf("a name expected, got %s", plain.Describe(text))
		}
		r.Target = strings.TrimSuffix(text, ".")
		if r.Target == "" {
			r.Target = "."
		}
		return false, nil
	}
	return false, fmt.Errorf("records of type %s cannot be written", r.Type)
}

// table reads { type, value, name, ttl, priority, weight, port }.
func table(r *dns.Record, list []event.KV) (skip bool, err error) {
	text, kind := "", ""
	for _, f := range list {
		switch f.Key {
		case "value":
			err = plain.SetString(&text, f.Value)
		case "type":
			err = plain.SetString(&kind, f.Value)
		case "name":
			if err = plain.SetString(&r.Name, f.Value); err == nil && !dns.ValidName(r.Name) {
				err = fmt.Errorf("a name expected, got %s", plain.Describe(r.Name))
			}
		case "ttl":
			err = plain.SetUint(&r.TTL, f.Value)
		case "priority":
			err = plain.SetUint(&r.Priority, f.Value)
		case "weight":
			err = plain.SetUint(&r.Weight, f.Value)
		case "port":
			err = plain.SetUint(&r.Port, f.Value)
		default:
			err = fmt.Errorf("unknown: type, value, name, ttl, priority, weight and port are known")
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	if kind != "" {
		var ok bool
		if r.Type, ok = dns.ParseType(kind); !ok {
			return false, fmt.Errorf("type: %s is none", plain.Describe(kind))
		}
		if skip, err = value(r, text); skip {
			return false, fmt.Errorf("value: not one of type %s", r.Type)
		}
		return false, err
	}
	return value(r, text)
}

// serversOf reads the server that a question is passed on to.
func serversOf(text string) ([]netip.AddrPort, error) {
	if text == "" {
		return nil, nil
	}
	if ap, err := netip.ParseAddrPort(text); err == nil && ap.Port() != 0 {
		return []netip.AddrPort{ap}, nil
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return nil, fmt.Errorf("loop.forward: an address expected, got %s", plain.Describe(text))
	}
	return []netip.AddrPort{netip.AddrPortFrom(a, 53)}, nil
}
