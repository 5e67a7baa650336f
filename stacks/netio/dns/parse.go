package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// errTwoOPT is about a message that describes itself twice (RFC 6891 section 6.1.1).
var errTwoOPT = errors.New("more than one OPT")

// Parse decodes a message. All of it must be sound: names that point forward for ever,
// records that are longer than the message or shorter than their type needs are errors.
// The message shares no memory with p.
func Parse(p []byte) (*Message, error) {
	var ps dnsmessage.Parser
	h, err := ps.Start(p)
	if err != nil {
		return nil, fmt.Errorf("dns: parse header: %w", err)
	}
	m := &Message{
		ID: h.ID, Response: h.Response, Opcode: uint8(h.OpCode), Authoritative: h.Authoritative, Truncated: h.Truncated,
		RecursionDesired: h.RecursionDesired, RecursionAvailable: h.RecursionAvailable,
		Authentic: h.AuthenticData, CheckingDisabled: h.CheckingDisabled, RCode: RCode(h.RCode),
	}
	for {
		q, err := ps.Question()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("dns: parse question: %w", err)
		}
		m.Questions = append(m.Questions, Question{nameOf(q.Name), Type(q.Type), uint16(q.Class)})
	}
	for _, s := range []section{
		{ps.AnswerHeader, ps.Answer, &m.Answers, false},
		{ps.AuthorityHeader, ps.Authority, &m.Authority, false},
		{ps.AdditionalHeader, ps.Additional, &m.Additional, true},
	} {
		if err := m.section(&ps, s); err != nil {
			return nil, fmt.Errorf("dns: parse record: %w", err)
		}
	}
	return m, nil
}

// section is a part of a message.
type section struct {
	header func() (dnsmessage.ResourceHeader, error)
	next   func() (dnsmessage.Resource, error)
	to     *[]Record
	last   bool // the one that may have OPT
}

// section decodes the records of a section.
func (m *Message) section(ps *dnsmessage.Parser, s section) error {
	for {
		h, err := s.header()
		if err == dnsmessage.ErrSectionDone {
			return nil
		}
		if err != nil {
			return err
		}
		r := dnsmessage.Resource{Header: h}
		switch Type(h.Type) {
		case NAPTR, SVCB, HTTPS:
			// The package does not know the first, and takes the others apart.
			var raw dnsmessage.UnknownResource
			raw, err = ps.UnknownResource()
			r.Body = &raw
		default:
			r, err = s.next()
		}
		if err != nil {
			return err
		}
		if Type(r.Header.Type) == OPT {
			if m.EDNS != nil || !s.last {
				return errTwoOPT
			}
			m.EDNS = &EDNS{Size: uint16(r.Header.Class), DO: r.Header.DNSSECAllowed(), Version: uint8(r.Header.TTL >> 16)}
			m.RCode = RCode(r.Header.ExtendedRCode(dnsmessage.RCode(m.RCode)))
			continue
		}
		rec, err := recordOf(r)
		if err != nil {
			return err
		}
		*s.to = append(*s.to, rec)
	}
}

// nameOf returns a name without the dot at its end.
func nameOf(n dnsmessage.Name) string {
	s := n.String()
	if len(s) > 1 {
		s = strings.TrimSuffix(s, ".")
	}
	return s
}

func recordOf(r dnsmessage.Resource) (Record, error) {
	rec := Record{Name: nameOf(r.Header.Name), Type: Type(r.Header.Type), Class: uint16(r.Header.Class), TTL: r.Header.TTL}
	if rec.TTL > 1<<31-1 {
		rec.TTL = 0 // RFC 2181 section 8
	}
	switch b := r.Body.(type) {
	case *dnsmessage.AResource:
		rec.Addr = netip.AddrFrom4(b.A)
	case *dnsmessage.AAAAResource:
		rec.Addr = netip.AddrFrom16(b.AAAA)
	case *dnsmessage.CNAMEResource:
		rec.Target = nameOf(b.CNAME)
	case *dnsmessage.NSResource:
		rec.Target = nameOf(b.NS)
	case *dnsmessage.PTRResource:
		rec.Target = nameOf(b.PTR)
	case *dnsmessage.MXResource:
		rec.Priority, rec.Target = b.Pref, nameOf(b.MX)
	case *dnsmessage.SRVResource:
		rec.Priority, rec.Weight, rec.Port, rec.Target = b.Priority, b.Weight, b.Port, nameOf(b.Target)
	case *dnsmessage.TXTResource:
		rec.Text = b.TXT
	case *dnsmessage.SOAResource:
		rec.Target, rec.Mailbox, rec.Serial = nameOf(b.NS), nameOf(b.MBox), b.Serial
		rec.Refresh, rec.Retry, rec.Expire, rec.Minimum = b.Refresh, b.Retry, b.Expire, b.MinTTL
	case *dnsmessage.UnknownResource:
		if rec.Type == NAPTR {
			return rec, rec.naptr(b.Data)
		}
		rec.Data = b.Data
	}
	return rec, nil
}

var errNAPTR = errors.New("malformed NAPTR")

// naptr decodes the data of a NAPTR record (RFC 3403 section 4.1), whose name is not
// compressed.
func (r *Record) naptr(p []byte) error {
	if len(p) < 4 {
		return errNAPTR
	}
	r.Priority, r.Weight = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	p = p[4:]
	for range 3 {
		if len(p) == 0 || len(p) <= int(p[0]) {
			return errNAPTR
		}
		n := int(p[0]) + 1
		r.Text = append(r.Text, string(p[1:n]))
		p = p[n:]
	}
	var name []byte
	for {
		if len(p) == 0 || p[0] > 63 || len(p) <= int(p[0]) {
			return errNAPTR
		}
		n := int(p[0]) + 1
		if n == 1 {
			break
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		label := p[1:n]
		if strings.IndexByte(string(label), '.') >= 0 {
			return errNAPTR
		}
		name = append(name, label...)
		p = p[n:]
	}
	if len(p) != 1 || len(name) > 253 {
		return errNAPTR
	}
	if r.Target = string(name); r.Target == "" {
		r.Target = "."
	}
	return nil
}
