package nameserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// Protocol is "dns" for loop.Config.
type Protocol struct{}

// New returns the protocol.
func New() Protocol { return Protocol{} }

// Name returns "dns".
func (Protocol) Name() string { return "dns" }

// Schemes returns dns over UDP, over TCP and over TLS (RFC 7858).
func (Protocol) Schemes() []loop.Scheme {
	return []loop.Scheme{
		{Name: "dns", Network: "udp", Port: 53},
		{Name: "dns+tcp", Network: "tcp", Port: 53},
		{Name: "dns+tls", Network: "tcp", TLS: true, Port: 853},
	}
}

// Options takes none.
func (Protocol) Options(list []event.KV, inbound bool) (any, error) {
	if !inbound {
		return nil, errors.New("names are asked for by dns.lookup")
	}
	if len(list) > 0 {
		return nil, fmt.Errorf("unknown key %s", list[0].Key)
	}
	return nil, nil
}

// Attach serves a connection that came in.
func (Protocol) Attach(c *loop.Conn, _ any) (loop.Session, error) {
	if !c.Inbound() {
		return nil, errors.New("names are asked for by dns.lookup")
	}
	return &session{c: c, stream: c.Kind() != loopev.KindUDP}, nil
}

// idle is how long a client over TCP may be silent (RFC 7766 section 6.2.3).
const idle = 30 * time.Second

// session serves one client.
type session struct {
	loop.BaseSession
	c      *loop.Conn
	stream bool
	raw    []byte // the question at hand
	m      *dns.Message
	passed map[uint64]func() // questions that are passed on, and what forgets them
	next   uint64
	eof    bool
}

// maxPassed is how many questions of a client are passed on at once. It may well ask
// several at a time, such as for addresses of both families.
const maxPassed = 64

// Open begins the time in which a question is expected.
func (s *session) Open(*loop.Conn) { s.expect() }

func (s *session) expect() {
	if s.stream {
		s.c.Net().Deadline("idle", idle)
	}
}

// Recv takes questions, one after another.
func (s *session) Recv(c *loop.Conn) {
	for !c.Waiting() && len(s.passed) < maxPassed && c.Session() == loop.Session(s) {
		p := c.Bytes()
		n := len(p)
		if s.stream {
			if n < 2 || n < 2+int(binary.BigEndian.Uint16(p)) {
				return
			}
			n = 2 + int(binary.BigEndian.Uint16(p))
			p = p[2:n]
			s.expect()
		}
		if n == 0 {
			return
		}
		s.raw = append(s.raw[:0], p...)
		c.Skip(n)
		s.question(s.raw)
	}
}

// EOF has the connection close when what is asked was answered.
func (s *session) EOF(*loop.Conn) bool {
	s.eof = true
	return len(s.passed) > 0
}

// Close forgets the questions that are passed on.
func (s *session) Close(*loop.Conn, netio.Reason) { s.cancel() }

// Detach does as Close.
func (s *session) Detach(*loop.Conn) { s.cancel() }

func (s *session) cancel() {
	for _, stop := range s.passed {
		stop()
	}
	s.passed = nil
}

// question checks a message and asks the rules.
func (s *session) question(p []byte) {
	m, err := dns.Parse(p)
	switch {
	case err != nil:
		s.malformed(p, err)
		return
	case m.Response:
		return // answering answers would go on for ever
	case m.Opcode != 0:
		s.reply(m, dns.NotImplemented)
		return
	case len(m.Questions) != 1:
		s.reply(m, dns.FormatError)
		return
	case m.EDNS != nil && m.EDNS.Version != 0:
		s.reply(m, badVersion)
		return
	case m.Questions[0].Class != dns.ClassIN || !loopev.OnDNSQuery.Wanted(s.c.Shard()):
		s.reply(m, dns.Refused)
		return
	}
	s.m = m
	q := m.Questions[0]
	e := &loopev.DNSQuery{C: s.c, Name: fold(q.Name), Type: q.Type.String(), Recursion: m.RecursionDesired}
	loop.Await(s.c, loopev.OnDNSQuery, e, s.decided)
}

// badVersion is BADVERS (RFC 6891 section 9).
const badVersion dns.RCode = 16

// malformed answers what has at least a header.
func (s *session) malformed(p []byte, err error) {
	s.c.Fault(err.Error())
	if len(p) >= 12 && p[2]&0x80 == 0 {
		s.send(&dns.Message{ID: binary.BigEndian.Uint16(p), Response: true, Opcode: p[2] >> 3 & 15, RCode: dns.FormatError})
	}
}

// decided answers as the rules decided.
func (s *session) decided(v event.Verdict, err error) {
	m := s.m
	if errors.Is(err, event.ErrCanceled) {
		return
	}
	switch {
	case err != nil:
		s.reply(m, dns.ServerFailure)
	case v.Kind == loopev.VerdictAnswer:
		records, err := recordsOf(m.Questions[0], v.Args.(*loopev.AnswerArgs))
		if err != nil {
			s.c.Fault(err.Error())
			s.reply(m, dns.ServerFailure)
			return
		}
		s.reply(m, dns.Success, records...)
	case v.Kind == loopev.VerdictNxdomain:
		s.reply(m, dns.NameError)
	case v.Kind == loopev.VerdictDrop:
	case v.Kind == loopev.VerdictForward:
		server := ""
		if a, ok := v.Args.(*loopev.ForwardArgs); ok {
			server = a.Server
		}
		s.forward(m, server)
	default:
		s.reply(m, dns.Refused)
	}
}

// forward passes the question on.
func (s *session) forward(m *dns.Message, server string) {
	servers, err := serversOf(server)
	if err != nil {
		s.c.Fault(err.Error())
		s.reply(m, dns.ServerFailure)
		return
	}
	if s.passed == nil {
		s.passed = map[uint64]func(){}
	}
	s.next++
	id := s.next
	s.passed[id] = s.c.Stack().Names().Relay(s.raw, servers, s.stream, func(answer []byte, err error) {
		delete(s.passed, id)
		if err != nil {
			s.reply(m, dns.ServerFailure)
		} else {
			s.write(answer)
		}
		if s.eof && len(s.passed) == 0 {
			s.c.Net().Close()
		}
		if s.stream {
			s.Recv(s.c)
		}
	})
}

// reply answers a question.
func (s *session) reply(q *dns.Message, code dns.RCode, records ...dns.Record) {
	m := &dns.Message{
		ID: q.ID, Response: true, Opcode: q.Opcode, RCode: code, RecursionDesired: q.RecursionDesired, RecursionAvailable: true,
		Authoritative: code == dns.Success || code == dns.NameError, CheckingDisabled: q.CheckingDisabled,
		Questions: q.Questions, Answers: records,
	}
	if q.EDNS != nil {
		m.EDNS = &dns.EDNS{Size: 1232, DO: q.EDNS.DO}
		s.sendUpTo(m, max(512, min(int(q.EDNS.Size), 1232)))
		return
	}
	s.send(m)
}

func (s *session) send(m *dns.Message) { s.sendUpTo(m, 512) }

// sendUpTo sends a message that is cut to a size over UDP.
func (s *session) sendUpTo(m *dns.Message, size int) {
	if s.stream {
		size = 0
	}
	p, err := m.Append(nil, size)
	if err != nil {
		s.c.Fault(err.Error())
		return
	}
	s.write(p)
}

func (s *session) write(p []byte) {
	if s.stream {
		p = append(binary.BigEndian.AppendUint16(make([]byte, 0, len(p)+2), uint16(len(p))), p...)
	}
	// A queue that is full, or an end that came meanwhile, is told by its own event.
	_ = s.c.Net().Send(p)
}
