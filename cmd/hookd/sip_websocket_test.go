package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/netio/wsframe"
	"github.com/hookd/hookd/stacks/sip/ladder"
)

// webPhone is a phone in a browser, in a capture: its connection to a server.
type webPhone struct {
	*madeTraffic
	c *craft.Conn
}

// newWebPhone opens a WebSocket for SIP at a port that says nothing.
func newWebPhone(m *madeTraffic, client, server string) *webPhone {
	w := &webPhone{m, m.conn(client, server)}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	w.c.Open()
	w.sends(craft.Client, 300, "GET /phone HTTP/1.1\r\nHost: "+server+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://phone.example.com\r\n"+
		"Sec-WebSocket-Key: "+key+"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
	w.sends(craft.Server, 300, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+wsframe.AcceptKey(key)+
		"\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
	return w
}

// sends sends a text in segments of at most so many bytes.
func (w *webPhone) sends(from craft.Side, size int, text string) {
	w.t.Helper()
	for len(text) > 0 {
		n := min(len(text), size)
		w.say(w.c, from, text[:n])
		text = text[n:]
	}
}

// frames sends a message in frames of at most so many bytes of payload, and in segments
// that end elsewhere.
func (w *webPhone) frames(from craft.Side, size int, message string) {
	w.t.Helper()
	var b []byte
	for op := wsframe.Text; op == wsframe.Text || message != ""; op = wsframe.Continuation {
		n := min(len(message), size)
		h := wsframe.Header{Opcode: op, Fin: n == len(message), Len: uint64(n), Masked: from == craft.Client, Key: [4]byte{0x37, 0xfa, 0x21, 0x3d}}
		b = append(wsframe.AppendHeader(b, h), message[:n]...)
		if h.Masked {
			wsframe.Mask(b[len(b)-n:], h.Key, 0)
		}
		message = message[n:]
	}
	w.sends(from, size*2/3, string(b))
}

// makeWebCall writes a call that comes to a proxy by WebSocket and goes on by UDP.
func makeWebCall(m *madeTraffic) {
	w := newWebPhone(m, "192.0.2.9:40900", "192.0.2.100:8080")
	proxy, callee := netip.MustParseAddrPort("192.0.2.100:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	text := func(start, seq, tag string, vias ...string) string {
		t := start + "\r\n"
		for _, via := range vias {
			t += "Via: SIP/2.0/" + via + "\r\n"
		}
		return t + "Max-Forwards: 70\r\nFrom: <sip:wendy@example.com>;tag=w\r\nTo: <sip:bob@example.com>" + tag +
			"\r\nCall-ID: web@example.com\r\nCSeq: " + seq + "\r\nContact: <sip:ab@df7jal23ls0d.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
	}
	for _, step := range []struct{ request, seq, branch, tag string }{
		{"INVITE sip:bob@example.com SIP/2.0", "1 INVITE", "inv", ""},
		{"BYE sip:bob@192.0.2.2 SIP/2.0", "2 BYE", "bye", ";tag=b"},
	} {
		outer, inner := "WS df7jal23ls0d.invalid;branch=z9hG4bK"+step.branch, "UDP 192.0.2.100;branch=z9hG4bKx"+step.branch
		w.frames(craft.Client, 150, text(step.request, step.seq, step.tag, outer))
		m.udp(proxy, callee, []byte(text(step.request, step.seq, step.tag, inner, outer)))
		replies := []string{"SIP/2.0 180 Ringing", "SIP/2.0 200 OK"}
		if step.branch == "bye" {
			replies = replies[1:]
		}
		for _, reply := range replies {
			m.wait(300 * time.Millisecond)
			m.udp(callee, proxy, []byte(text(reply, step.seq, ";tag=b", inner, outer)))
			w.frames(craft.Server, 1000, text(reply, step.seq, ";tag=b", outer))
		}
		if step.branch == "inv" {
			ack := text("ACK sip:bob@192.0.2.2 SIP/2.0", "1 ACK", ";tag=b", "WS df7jal23ls0d.invalid;branch=z9hG4bKack")
			w.frames(craft.Client, 1000, ack)
			m.udp(proxy, callee, []byte(strings.Replace(ack, "Via:", "Via: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKxack\r\nVia:", 1)))
		}
	}
	w.c.Close()
}

// TestWebCallInCapture finds the messages of a call over WebSocket in a capture, as rules see
// them, as they are drawn, and one by one as tshark finds them.
func TestWebCallInCapture(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	m := newMadeTraffic(t)
	makeWebCall(m)
	dir := t.TempDir()
	path, script := filepath.Join(dir, "capture.pcap"), filepath.Join(dir, "main.lua")
	writeFile(t, path, m.file.String())
	writeFile(t, script, `
rule "in" { on = sip.request_in, run = function(tx, m) alert("in", { method = m.method, by = m.source.transport, from = m.source.ip }) end }
rule "on" { on = sip.request_fwded, run = function(tx, m, b) alert("on", { method = m.method, to = b.uri }) end }
rule "back" { on = sip.response_out, run = function(tx, m) alert("back", { code = m.code }) end }
rule "ack" { on = sip.e2eack_in, run = function(tx, m) alert("ack", { by = m.source.transport }) end }
`)
	var out, logs bytes.Buffer
	if code := run([]string{"replay", path, "-s", script}, nil, &out, &logs); code != exitDone || !strings.Contains(logs.String(), "6 SIP requests, 6 replies, 2 transactions") {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	var seen []string
	for line := range strings.Lines(out.String()) {
		var r struct {
			Name   string
			Fields json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, r.Name+" "+string(r.Fields))
	}
	if diff := cmp.Diff([]string{
		`in {"method":"INVITE","by":"ws","from":"192.0.2.9"}`, `on {"method":"INVITE","to":"sip:bob@example.com"}`, `back {"code":200}`, `ack {"by":"ws"}`,
		`in {"method":"BYE","by":"ws","from":"192.0.2.9"}`, `on {"method":"BYE","to":"sip:bob@192.0.2.2"}`, `back {"code":200}`,
	}, seen); diff != "" {
		t.Error(diff, out.String())
	}
	var drawn, list bytes.Buffer
	if code := run([]string{"sip", "ladder", path}, nil, &drawn, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	golden(t, "ladder_web.golden", drawn.String())
	if code := run([]string{"sip", "ladder", "--json", path}, nil, &list, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	var got strings.Builder
	for line := range bytes.Lines(list.Bytes()) {
		var s ladder.Step
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		method, code := s.Method, ""
		if s.Code != 0 {
			method, code = "", fmt.Sprint(s.Code)
		}
		fmt.Fprintf(&got, "%s\t%s\t%s\t%s\t%s\n", s.From.Addr(), s.To.Addr(), method, code, s.CallID)
	}
	tshark, err := exec.LookPath("tshark")
	testbed.Need(t, "tshark", err)
	want, err := exec.Command(tshark, "-r", path, "-Y", "sip", "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "sip.Call-ID").Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}
