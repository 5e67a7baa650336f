package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/sip/digest"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// hiddenPhone is a phone by hand, at a socket that its messages do not tell of.
type hiddenPhone struct {
	t    *testing.T
	c    *net.UDPConn
	name string
	n    int
}

func newHiddenPhone(t *testing.T, name string, edge int) *hiddenPhone {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(edge))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &hiddenPhone{t: t, c: c, name: name}
}

// send sends a request, with a Contact and a Via inside of a NAT.
func (p *hiddenPhone) send(method, uri, to, fields string) {
	p.t.Helper()
	p.n++
	tag := ""
	if method == "BYE" || method == "ACK" {
		tag = ";tag=t"
	}
	text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;rport;branch=z9hG4bK%[1]s%[3]s%[4]d\r\nMax-Forwards: 70\r\nFrom: <sip:%[3]s@example.com>;tag=f\r\nTo: <%[5]s>%[7]s\r\n"+
		"Call-ID: nat-%[3]s\r\nCSeq: %[4]d %[1]s\r\nContact: <sip:%[3]s@10.1.2.3:5060>\r\n%[6]sContent-Length: 0\r\n\r\n", method, uri, p.name, p.n, to, fields, tag)
	if _, err := p.c.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// got waits for a message that begins so.
func (p *hiddenPhone) got(begins string) *msg.Message {
	p.t.Helper()
	_ = p.c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		b := make([]byte, 4096)
		n, err := p.c.Read(b)
		if err != nil {
			p.t.Fatalf("%s waits for %s: %v", p.name, begins, err)
		}
		var m msg.Message
		if err := m.Parse(b[:n], msg.DefaultLimits()); err != nil {
			p.t.Fatal(err)
		}
		if strings.HasPrefix(string(b[:n]), begins) {
			return &m
		}
	}
}

// signIn sends a request again with what the challenge asks for.
func (p *hiddenPhone) signIn(method, uri, to string, m *msg.Message, of, field msg.Name) {
	p.t.Helper()
	list := digest.Strongest(m, of, "example.com")
	if len(list) != 1 {
		p.t.Fatalf("%d challenges", len(list))
	}
	value, err := list[0].Answer(p.name, &digest.Secret{Password: p.name}, method, uri, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(method, uri, to, field.String()+": "+value+"\r\n")
}

// TestSIPBehindNAT: phones behind NATs reach each other through the stock policy, and the
// requests of their call find them.
func TestSIPBehindNAT(t *testing.T) {
	t.Parallel()
	r := policyServed(t, "../../scripts/edge/edge.lua", "../../scripts/edge/users.txt")
	bob, alice := newHiddenPhone(t, "bob", r.edge), newHiddenPhone(t, "alice", r.edge)
	bob.send("REGISTER", "sip:example.com", "sip:bob@example.com", "")
	bob.signIn("REGISTER", "sip:example.com", "sip:bob@example.com", bob.got("SIP/2.0 401"), msg.WWWAuthenticate, msg.Authorization)
	bob.got("SIP/2.0 200")
	bob.got("OPTIONS sip:127.0.0.1:") // which keeps the way open

	alice.send("INVITE", "sip:bob@example.com", "sip:bob@example.com", "")
	alice.signIn("INVITE", "sip:bob@example.com", "sip:bob@example.com", alice.got("SIP/2.0 407"), msg.ProxyAuthenticate, msg.ProxyAuthorization)
	invite := bob.got("INVITE sip:bob@10.1.2.3:5060 SIP/2.0")
	if invite.Has(msg.ProxyAuthorization) {
		t.Error("the callee gets the caller's credentials")
	}
	contact, err := invite.Address(msg.Contact)
	if err != nil || !strings.Contains(string(contact.URI), ";alias=127.0.0.1~") {
		t.Errorf("Contact is %s, %v", contact.URI, err)
	}
	reply := msg.AppendReply(nil, invite, &msg.Reply{Code: 200, Reason: "OK", Tag: []byte("t"), Fields: []byte("Contact: <sip:bob@10.1.2.3:5060>\r\n")})
	if _, err := bob.c.Write(reply); err != nil {
		t.Fatal(err)
	}
	ok := alice.got("SIP/2.0 200")
	target, err := ok.Address(msg.Contact)
	if err != nil {
		t.Fatal(err)
	}
	route, _ := ok.Get(msg.RecordRoute)
	alice.n-- // the ACK has the INVITE's number
	alice.send("ACK", string(target.URI), "sip:bob@example.com", "Route: "+string(route)+"\r\n")
	bob.got("ACK sip:bob@10.1.2.3:5060 SIP/2.0")
	alice.send("BYE", string(target.URI), "sip:bob@example.com", "Route: "+string(route)+"\r\n")
	bob.got("BYE sip:bob@10.1.2.3:5060 SIP/2.0")
}
