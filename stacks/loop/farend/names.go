package farend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop/nameserver"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// resolverAt is the name server that the loops of a world ask.
var resolverAt = netip.MustParseAddrPort("192.0.2.53:53")

// maxHosts is how many names of URLs are given addresses.
const maxHosts = 250

// names is the name server of a world: it knows what the test said, and no other name.
type names struct {
	table map[string]any // by name in lower case: what nameserver.Records reads; false: none
	hosts byte           // addresses that were given to names of URLs
	grams []*netio.Grams
	doors []*netio.Door
	ends  []*end
	mem   *netio.Memory
}

func newNames(w *World) (*names, error) {
	n := &names{table: map[string]any{}, mem: w.mem}
	w.mem.Resolve(n.lookup)
	return n, n.open(resolverAt)
}

// open has the server be at a further address.
func (n *names) open(at netip.AddrPort) error {
	g, err := n.mem.Packets(at)
	if err != nil {
		return err
	}
	d, err := n.mem.Listen(at, "")
	if err != nil {
		g.Close()
		return err
	}
	n.grams, n.doors = append(n.grams, g), append(n.doors, d)
	return nil
}

// know adds names with what they lead to.
func (n *names) know(list []event.KV) error {
	for _, kv := range list {
		if !dns.ValidName(kv.Key) {
			return fmt.Errorf("%q is no name", kv.Key)
		}
		name := strings.ToLower(strings.TrimSuffix(kv.Key, "."))
		if kv.Value != false {
			if _, err := nameserver.Records(dns.Question{Name: name, Type: dns.A}, kv.Value, 0); err != nil {
				return fmt.Errorf("%s: %w", kv.Key, err)
			}
		}
		n.table[name] = kv.Value
	}
	return nil
}

// endpoint returns the address of "name:port". A name that leads nowhere is given one.
func (n *names) endpoint(text string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addrs, err := n.lookup(host)
	if err != nil {
		if !dns.ValidName(host) {
			return netip.AddrPort{}, fmt.Errorf("%q is neither an address nor a name", host)
		}
		if n.hosts++; n.hosts > maxHosts { // of TEST-NET-2 (RFC 5737)
			return netip.AddrPort{}, fmt.Errorf("more than %d names in URLs: say where they lead by answer(\"dns\", …)", maxHosts)
		}
		addrs = []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, n.hosts})}
		n.table[strings.ToLower(host)] = addrs[0].String()
	}
	return netip.AddrPortFrom(addrs[0], uint16(number)), nil
}

// lookup returns the addresses of a name.
func (n *names) lookup(host string) (addrs []netip.Addr, err error) {
	for _, t := range []dns.Type{dns.A, dns.AAAA} {
		m := n.reply(question(0, host, t))
		for _, r := range m.Answers {
			if r.Type == t {
				addrs = append(addrs, r.Addr)
			}
		}
	}
	if len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, err
}

// reply answers a question.
func (n *names) reply(q *dns.Message) *dns.Message {
	m := &dns.Message{ID: q.ID, Response: true, RecursionDesired: q.RecursionDesired, RecursionAvailable: true, Questions: q.Questions, RCode: dns.NameError}
	if len(q.Questions) != 1 {
		m.RCode = dns.FormatError
		return m
	}
	name := strings.ToLower(q.Questions[0].Name)
	v, known := n.table[name]
	if name == "localhost" && !known {
		v, known = []any{"127.0.0.1", "::1"}, true
	}
	if !known || v == false {
		return m
	}
	records, err := nameserver.Records(q.Questions[0], v, 60)
	if m.RCode = dns.Success; err != nil {
		return m // the name is there, a record of that type is not
	}
	for _, r := range records {
		if r.Type == q.Questions[0].Type || r.Type == dns.CNAME {
			m.Answers = append(m.Answers, r)
		}
	}
	return m
}

// turn answers what was asked.
func (n *names) turn() (worked bool) {
	for _, g := range n.grams {
		for p, from, ok := g.Recv(); ok; p, from, ok = g.Recv() {
			worked = true
			if q, err := dns.Parse(p); err == nil && !q.Response {
				if p, err := n.reply(q).Append(nil, 0); err == nil {
					g.SendTo(p, from)
				}
			}
		}
	}
	for _, d := range n.doors {
		for line := d.Accept(); line != nil; line = d.Accept() {
			n.ends = append(n.ends, newEnd(line))
		}
	}
	for i := 0; i < len(n.ends); i++ {
		e := n.ends[i]
		worked = e.Turn() || worked
		q, err := e.TakeDNS()
		if err == nil && q != nil {
			err = e.SendDNS(n.reply(q))
			worked = true
		}
		if err != nil || e.State() != "open" {
			e.Close(false)
			n.ends = append(n.ends[:i], n.ends[i+1:]...)
			i--
		}
	}
	return worked
}

var errNoName = errors.New("dns: a table of names expected, such as { [\"db.example\"] = \"192.0.2.7\" }")

// SendDNS sends a message as streams have it, its length first.
func (e *end) SendDNS(m *dns.Message) error {
	p, err := m.Append(nil, 0)
	if err != nil {
		return err
	}
	return e.Send(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...))
}

// TakeDNS takes a message from the front of what came, nil if there is none whole.
func (e *end) TakeDNS() (*dns.Message, error) {
	if len(e.in) < 2 || len(e.in) < 2+int(binary.BigEndian.Uint16(e.in)) {
		return nil, nil
	}
	return dns.Parse(e.Take(2 + int(binary.BigEndian.Uint16(e.in)))[2:])
}

// question returns a question as a message, with recursion wanted.
func question(id uint16, name string, typ dns.Type) *dns.Message {
	return &dns.Message{ID: id, RecursionDesired: true, Questions: []dns.Question{{Name: name, Type: typ, Class: dns.ClassIN}}}
}
