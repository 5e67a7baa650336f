package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Config is what a phone is made of.
type Config struct {
	Addr      netip.AddrPort
	Transport sipev.Transport
	// User is the user part of its address; phone1, phone2 and so on by default.
	User string
	// Names are hosts that lead to it, as DNS would.
	Names []string
}

// Phone is a peer of the scripts: it calls and is called.
type Phone struct {
	board *Switchboard
	index int
	addr  netip.AddrPort
	proto sipev.Transport
	user  string
	names []string
	down  bool
	got   map[string]*Message // all that came, copies aside
	inbox []*Message          // what of it nobody took
	sent  map[string]*Message // requests that it sent, by branch
	seq   map[string]uint32   // latest CSeq by Call-ID
}

// Phone makes a phone. Two at one address of one transport are refused.
func (b *Switchboard) Phone(cfg Config) (*Phone, error) {
	if len(b.phones) >= MaxPhones {
		return nil, ErrPhones
	}
	for _, p := range b.phones {
		if p.addr == cfg.Addr && p.proto == cfg.Transport {
			return nil, fmt.Errorf("there is a phone at %s", cfg.Addr)
		}
	}
	p := &Phone{
		board: b, index: len(b.phones) + 1, addr: cfg.Addr, proto: cfg.Transport, user: cfg.User, names: cfg.Names,
		got: map[string]*Message{}, sent: map[string]*Message{}, seq: map[string]uint32{},
	}
	if p.user == "" {
		p.user = "phone" + strconv.Itoa(p.index)
	}
	b.phones = append(b.phones, p)
	return p, nil
}

// String says which phone it is.
func (p *Phone) String() string { return p.user + " (" + p.addr.String() + ")" }

// conn is the number of its connection, 0 where the transport has none.
func (p *Phone) conn() uint64 {
	if p.proto == sipev.TransportUDP {
		return 0
	}
	return uint64(p.index)
}

// uri is where the phone can be reached.
func (p *Phone) uri() string {
	u := "sip:" + p.user + "@" + p.addr.String()
	if p.proto != sipev.TransportUDP {
		u += ";transport=" + p.proto.String()
	}
	return u
}

// Request says what of a request is not what a phone would say by itself.
type Request struct {
	Method, URI string
	// Headers take the place of fields that a phone writes, or come behind them; a list
	// stands for several of a name.
	Headers []event.KV
	Body    string
	Type    string // media type of the body; application/sdp by default
}

// Send sends a request outside of a dialog to the scripts.
func (p *Phone) Send(r Request) (*Message, error) {
	id := p.board.number()
	head := newHead(r.Method, r.URI)
	head.set("Via", p.via(id))
	head.set("Max-Forwards", "70")
	head.set("From", "<sip:"+p.user+"@"+p.addr.Addr().String()+">;tag="+p.tag(id))
	head.set("To", "<"+r.URI+">")
	head.set("Call-ID", fmt.Sprintf("call%d@%s", id, p.addr.Addr()))
	head.set("CSeq", "1 "+r.Method)
	head.set("Contact", "<"+p.uri()+">")
	if err := head.add(r.Headers); err != nil {
		return nil, err
	}
	return p.send(head.text(r.Body, r.Type), nil)
}

// Raw sends bytes as they are, one datagram or one frame.
func (p *Phone) Raw(raw []byte) error { return p.board.deliver(p, raw) }

// send sends a request: to the scripts, or where a URI says.
func (p *Phone) send(raw, to []byte) (*Message, error) {
	if p.board.kept >= MaxMessages {
		return nil, ErrMessages
	}
	p.board.kept++
	m, err := p.message(raw)
	if err != nil {
		return nil, err
	}
	m.sent = true
	if via, err := m.m.Via(); err == nil && m.m.Method() != msg.Cancel && m.m.Method() != msg.Ack {
		p.sent[string(via.Branch())] = m
	}
	if seq, err := m.m.CSeq(); err == nil {
		p.seq[string(m.m.CallID())] = max(p.seq[string(m.m.CallID())], seq.Number)
	}
	if to != nil {
		return m, p.board.onward(p, to, raw)
	}
	return m, p.board.deliver(p, raw)
}

// Again sends a request of this phone once more, as it was.
func (m *Message) Again() error {
	if !m.sent {
		return errors.New("only what this phone sent can be sent again")
	}
	return m.phone.board.deliver(m.phone, m.raw)
}

// Take takes the next message out of the inbox, nil if there is none.
func (p *Phone) Take() *Message {
	if len(p.inbox) == 0 {
		return nil
	}
	m := p.inbox[0]
	p.inbox = p.inbox[1:]
	return m
}

// Expect takes the next message and wants it to be a request of that method, or, where
// method is empty, a reply of that status. A 100 is passed over unless it is asked for.
func (p *Phone) Expect(method string, status int) (*Message, error) {
	want := method
	if method == "" {
		want = strconv.Itoa(status)
	}
	for {
		m := p.Take()
		switch {
		case m == nil:
			return nil, fmt.Errorf("expected %s, and nothing came to %s%s", want, p, p.board.elsewhere(p))
		case !m.m.IsRequest() && m.m.Status() == 100 && status != 100:
		case method != "" && string(m.m.MethodText()) == method, method == "" && m.m.Status() == status:
			return m, nil
		default:
			return nil, fmt.Errorf("expected %s, got %s at %s", want, title(&m.m), p)
		}
	}
}

// elsewhere says what waits at other phones, and what went where none is.
func (b *Switchboard) elsewhere(but *Phone) string {
	var list []string
	for _, p := range b.phones {
		for _, m := range p.inbox {
			if p != but && len(list) < maxStrays {
				list = append(list, title(&m.m)+" at "+p.String())
			}
		}
	}
	list = append(list, b.strays...)
	if len(list) == 0 {
		return ""
	}
	return "; what did: " + strings.Join(list, ", ")
}

// Waiting lists what is in the inbox: methods and statuses.
func (p *Phone) Waiting() []any {
	list := make([]any, 0, len(p.inbox))
	for _, m := range p.inbox {
		if m.m.IsRequest() {
			list = append(list, string(m.m.MethodText()))
		} else {
			list = append(list, float64(m.m.Status()))
		}
	}
	return list
}

// via is a Via of the phone's own.
func (p *Phone) via(id uint64) string {
	return fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bKp%d;rport", strings.ToUpper(p.proto.String()), p.addr, id)
}

// tag is a tag of the phone's own.
func (p *Phone) tag(id uint64) string { return fmt.Sprintf("p%d-%d", p.index, id) }
