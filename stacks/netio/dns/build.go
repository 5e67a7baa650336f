package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Append appends the message, names compressed. If it has more than limit bytes it
// is sent without its records and says so (TC), as RFC 2181 section 9 has it; limit 0 is
// what TCP carries.
func (m *Message) Append(dst []byte, limit int) ([]byte, error) {
	if limit <= 0 || limit > 65535 {
		limit = 65535
	}
	out, err := m.append(dst)
	if err != nil {
		return dst, fmt.Errorf("dns: build message: %w", err)
	}
	if len(out)-len(dst) <= limit {
		return out, nil
	}
	short := *m
	short.Truncated = true
	short.Answers, short.Authority, short.Additional = nil, nil, nil
	if out, err = short.append(dst); err != nil {
		return dst, fmt.Errorf("dns: build message: %w", err)
	}
	return out, nil
}

func (m *Message) append(dst []byte) ([]byte, error) {
	b := dnsmessage.NewBuilder(dst, dnsmessage.Header{
		ID: m.ID, Response: m.Response, OpCode: dnsmessage.OpCode(m.Opcode), Authoritative: m.Authoritative, Truncated: m.Truncated,
		RecursionDesired: m.RecursionDesired, RecursionAvailable: m.RecursionAvailable,
		AuthenticData: m.Authentic, CheckingDisabled: m.CheckingDisabled, RCode: dnsmessage.RCode(m.RCode & 15),
	})
	b.EnableCompression()
	if err := m.questions(&b); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		start func() error
		list  []Record
	}{{b.StartAnswers, m.Answers}, {b.StartAuthorities, m.Authority}, {b.StartAdditionals, m.Additional}} {
		if err := s.start(); err != nil {
			return nil, err
		}
		for i := range s.list {
			if err := s.list[i].build(&b); err != nil {
				return nil, fmt.Errorf("%s: %w", &s.list[i], err)
			}
		}
	}
	if m.EDNS != nil {
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(int(m.EDNS.Size), dnsmessage.RCode(m.RCode), m.EDNS.DO); err != nil {
			return nil, err
		}
		h.TTL |= uint32(m.EDNS.Version) << 16
		if err := b.OPTResource(h, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func (m *Message) questions(b *dnsmessage.Builder) error {
	if err := b.StartQuestions(); err != nil {
		return err
	}
	for _, q := range m.Questions {
		name, err := toName(q.Name)
		if err != nil {
			return err
		}
		if err := b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.Type(q.Type), Class: dnsmessage.Class(q.Class)}); err != nil {
			return err
		}
	}
	return nil
}

var errName = errors.New("not a name")

// toName returns a name for the wire: labels of 1 to 63 bytes, 255 bytes in all.
func toName(s string) (dnsmessage.Name, error) {
	if !ValidName(s) {
		return dnsmessage.Name{}, fmt.Errorf("%q: %w", s, errName)
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return dnsmessage.NewName(s)
}

// ValidName reports whether a name can be asked for: labels of 1 to 63 bytes with
// dots between, 253 bytes in all, with or without a dot at the end; "." is the root.
func ValidName(s string) bool {
	if s == "." {
		return true
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 || s == "" {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 {
			return false
		}
	}
	return true
}

// build adds a record.
func (r *Record) build(b *dnsmessage.Builder) error {
	name, err := toName(r.Name)
	if err != nil {
		return err
	}
	h := dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.Type(r.Type), Class: dnsmessage.Class(r.Class), TTL: r.TTL}
	var target dnsmessage.Name
	switch r.Type {
	case CNAME, NS, PTR, MX, SRV, SOA, NAPTR:
		if target, err = toName(r.Target); err != nil {
			return err
		}
	}
	switch r.Type {
	case A:
		if !r.Addr.Unmap().Is4() {
			return errors.New("want an IPv4 address")
		}
		return b.AResource(h, dnsmessage.AResource{A: r.Addr.Unmap().As4()})
	case AAAA:
		if !r.Addr.Is6() {
			return errors.New("want an IPv6 address")
		}
		return b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: r.Addr.As16()})
	case CNAME:
		return b.CNAMEResource(h, dnsmessage.CNAMEResource{CNAME: target})
	case NS:
		return b.NSResource(h, dnsmessage.NSResource{NS: target})
	case PTR:
		return b.PTRResource(h, dnsmessage.PTRResource{PTR: target})
	case MX:
		return b.MXResource(h, dnsmessage.MXResource{Pref: r.Priority, MX: target})
	case SRV:
		return b.SRVResource(h, dnsmessage.SRVResource{Priority: r.Priority, Weight: r.Weight, Port: r.Port, Target: target})
	case TXT:
		return b.TXTResource(h, dnsmessage.TXTResource{TXT: r.Text})
	case SOA:
		return r.buildSOA(b, h, target)
	case NAPTR:
		return r.buildNAPTR(b, h)
	}
	return b.UnknownResource(h, dnsmessage.UnknownResource{Type: h.Type, Data: r.Data})
}

func (r *Record) buildSOA(b *dnsmessage.Builder, h dnsmessage.ResourceHeader, primary dnsmessage.Name) error {
	mailbox, err := toName(r.Mailbox)
	if err != nil {
		return err
	}
	return b.SOAResource(h, dnsmessage.SOAResource{
		NS: primary, MBox: mailbox, Serial: r.Serial, Refresh: r.Refresh, Retry: r.Retry, Expire: r.Expire, MinTTL: r.Minimum,
	})
}

func (r *Record) buildNAPTR(b *dnsmessage.Builder, h dnsmessage.ResourceHeader) error {
	data := binary.BigEndian.AppendUint16(nil, r.Priority)
	data = binary.BigEndian.AppendUint16(data, r.Weight)
	text := [3]string{}
	copy(text[:], r.Text)
	for _, s := range text {
		if len(s) > 255 {
			return errNAPTR
		}
		data = append(append(data, byte(len(s))), s...)
	}
	if r.Target != "." {
		for label := range strings.SplitSeq(strings.TrimSuffix(r.Target, "."), ".") {
			data = append(append(data, byte(len(label))), label...)
		}
	}
	return b.UnknownResource(h, dnsmessage.UnknownResource{Type: h.Type, Data: append(data, 0)})
}
