package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// play is what one end of a call does, as a scenario for sipp.
type play struct {
	out    strings.Builder
	at     int      // steps so far
	invite int      // which of them began the call
	status string   // of the latest reply that came
	open   []string // requests that came and are not answered, the latest last
	seq    int      // of the latest request that was sent
}

// caller writes the scenario of who calls: what it sends (>INVITE), what comes (<180) and how
// long it does nothing (~100, in ms), in that order.
func caller(t *testing.T, steps string) string {
	t.Helper()
	return written(t, steps, (*play).ask, (*play).heard)
}

// callee writes the scenario of who is called: what comes (<INVITE), and what it answers
// (>180), which is to the latest request that has no final reply.
func callee(t *testing.T, steps string) string {
	t.Helper()
	return written(t, steps, (*play).answer, (*play).asked)
}

func written(t *testing.T, steps string, send, recv func(p *play, what string)) string {
	t.Helper()
	p := &play{}
	for step := range strings.FieldsSeq(steps) {
		switch step[0] {
		case '>':
			send(p, step[1:])
		case '<':
			recv(p, step[1:])
		case '~':
			fmt.Fprintf(&p.out, "<pause milliseconds=%q/>\n", step[1:])
		default:
			t.Fatalf("step %q", step)
		}
		p.at++
	}
	path := filepath.Join(t.TempDir(), "play.xml")
	writeFile(t, path, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"play\">\n"+p.out.String()+"</scenario>\n")
	return path
}

// send writes a message that is repeated where that is asked for, until it is answered.
func (p *play) send(repeat bool, lines ...string) {
	attr := ""
	if repeat {
		attr = ` retrans="500"`
	}
	fmt.Fprintf(&p.out, "<send%s><![CDATA[\n%s\nContent-Length: 0\n\n]]></send>\n", attr, strings.Join(lines, "\n"))
}

// ask sends a request: one that belongs to the INVITE's transaction, or one of the dialog.
func (p *play) ask(method string) {
	uri, branch, tag, routes := "sip:[service]@[remote_ip]:[remote_port]", "[branch]", "", ""
	switch {
	case method == "INVITE" && p.seq == 0:
		p.invite, p.seq = p.at, 1
	case method == "INVITE" || method == "CANCEL" || method == "ACK" && p.status >= "300":
		branch = fmt.Sprintf("[branch-%d]", p.at-p.invite)
	default:
		uri, routes = "[next_url]", "\n[routes]"
	}
	if method == "BYE" {
		p.seq++
	}
	if method == "ACK" || method == "BYE" {
		tag = "[peer_tag_param]"
	}
	p.send(method != "ACK", method+" "+uri+" SIP/2.0",
		"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch="+branch+routes, "Max-Forwards: 70",
		"From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]c[call_number]", "To: <sip:[service]@[remote_ip]:[remote_port]>"+tag,
		"Call-ID: [call_id]", "CSeq: "+strconv.Itoa(p.seq)+" "+method, "Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>")
}

// heard waits for a reply. sipp keeps the first route that it takes note of, which has to be
// that of who answered.
func (p *play) heard(status string) {
	p.status = status
	fmt.Fprintf(&p.out, "<recv response=%q rrs=\"%t\"/>\n", status, status < "300" && status >= "200")
}

// asked waits for a request. Of the INVITE's Via it takes note: replies to it may have to be
// sent when another request came since.
func (p *play) asked(method string) {
	if method != "ACK" {
		p.open = append(p.open, method)
	}
	if method == "INVITE" {
		p.out.WriteString("<recv request=\"INVITE\"><action><ereg regexp=\"Via:([^M]|M[^a])*[0-9a-z>]\" search_in=\"msg\" assign_to=\"way\"/></action></recv>\n" +
			"<Reference variables=\"way\"/>\n") // or sipp complains where nothing is answered
		return
	}
	fmt.Fprintf(&p.out, "<recv request=%q/>\n", method)
}

// answer answers the latest request that is open; behind a final reply to the INVITE, that
// again.
func (p *play) answer(status string) {
	method := "INVITE"
	if n := len(p.open); n != 0 {
		if method = p.open[n-1]; status >= "200" {
			p.open = p.open[:n-1]
		}
	}
	way, to, seq := "[last_Via:]\n[last_Record-Route:]", "[last_To:];tag=[pid]a[call_number]", "[last_CSeq:]"
	switch method {
	case "INVITE":
		way, seq = "[$way]", "CSeq: 1 INVITE"
	case "BYE":
		to = "[last_To:]"
	}
	p.send(method == "INVITE" && status >= "200", "SIP/2.0 "+status+" Any", way, "[last_From:]", to,
		"[last_Call-ID:]", seq, "Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>")
}
