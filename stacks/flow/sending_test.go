package flow_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// fields makes the table of flow.send.
func fields(list ...any) []event.KV {
	var kv []event.KV
	for i := 0; i < len(list); i += 2 {
		kv = append(kv, event.KV{Key: list[i].(string), Value: list[i+1]})
	}
	return kv
}

// TestSend decodes what a script has sent.
func TestSend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		what any
		want string // class, link, source, destination, the rest; or the error
	}{
		{"tcp", fields("src", "10.0.0.2:80", "dst", "10.0.0.1:40000", "flags", "rst, ack", "seq", 5.0, "ack", 7.0, "window", 0.0), "tcp 1 10.0.0.2:80 10.0.0.1:40000 R. 5 7 0 64 \"\""},
		{"elsewhere", fields("src", "10.0.0.7:80", "dst", "10.0.0.1:40000", "payload", "hello", "ttl", 3.0), "tcp 101 10.0.0.7:80 10.0.0.1:40000 . 0 0 65535 3 \"hello\""},
		{"flags by number", fields("src", "10.0.0.1:40000", "dst", "10.0.0.2:80", "flags", 2.0), "tcp 1 10.0.0.1:40000 10.0.0.2:80 S 0 0 65535 64 \"\""},
		{"flags in a list", fields("src", "10.0.0.1:40000", "dst", "10.0.0.2:80", "flags", []any{"psh", "ack"}), "tcp 1 10.0.0.1:40000 10.0.0.2:80 P. 0 0 65535 64 \"\""},
		{"tcp6", fields("src", "[2001:db8::1]:1", "dst", "[2001:db8::2]:2", "payload", "odd"), "tcp 101 [2001:db8::1]:1 [2001:db8::2]:2 . 0 0 65535 64 \"odd\""},
		{"udp", fields("proto", "udp", "src", "10.0.0.2:53", "dst", "10.0.0.1:1", "payload", "answer"), "udp 1 10.0.0.2:53 10.0.0.1:1 none 0 0 0 64 \"answer\""},
		{"udp6", fields("src", "[2001:db8::1]:53", "dst", "[2001:db8::2]:1", "proto", "udp"), "udp 101 [2001:db8::1]:53 [2001:db8::2]:1 none 0 0 0 64 \"\""},
		{"icmp", fields("proto", "icmp", "src", "10.0.0.2", "dst", "10.0.0.1", "type", 3.0, "code", 1.0, "payload", "quote"), "icmp 1 10.0.0.2:0 10.0.0.1:0 none 0 0 0 64 \"\\x03\\x01"},
		{"icmp6", fields("proto", "icmp6", "src", "2001:db8::1", "dst", "2001:db8::2"), "icmp 101 [2001:db8::1]:0 [2001:db8::2]:0 none 0 0 0 64 \"\\x80"},
		{"frame", fields("frame", "\x00\x01", "link", 9.0), "not ip 9"},
		{"nothing", fields("frame", ""), "flow.send: there is nothing to send"},
		{"frame and more", fields("frame", "x", "ttl", 4.0), "flow.send: frame: it is all of the packet, ttl says no more"},
		{"ends", fields("src", "10.0.0.2:80"), "flow.send: src and dst have to be given"},
		{"versions", fields("src", "10.0.0.2:80", "dst", "[::1]:9"), "flow.send: 10.0.0.2 and ::1 are of two IP versions"},
		{"icmp of IPv6", fields("proto", "icmp", "src", "::1", "dst", "::2"), "flow.send: icmp does not run over the IP version of ::1"},
		{"sctp", fields("proto", "sctp", "src", "10.0.0.2:80", "dst", "10.0.0.1:1"), "flow.send: proto: sctp cannot be made, give a frame"},
		{"flag", fields("flags", "syn,sin"), `flow.send: flags: fin, syn, rst, psh, ack, urg, ece, cwr expected, got "sin"`},
		{"field", fields("sport", 1.0), "flow.send: sport: proto, src, dst, flags"},
		{"large", fields("src", "10.0.0.2:80", "dst", "10.0.0.1:1", "payload", strings.Repeat("x", 65536)), "flow.send: 65556 bytes are too many for a packet"},
		{"word", "10.0.0.1", "flow.send: a packet or a table expected, got \"10.0.0.1\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			n := newNet(t, flow.Config{Send: func(o *flow.Outcome) error {
				var p packet.Packet
				p.Decode(o.Link, o.Data, o.WireLen, o.TS)
				if !p.ChecksumOK() || p.IsIP() && p.Checksum() != packet.ChecksumGood || p.Err != packet.OK {
					t.Errorf("checksum %v, header's %v, %v", p.Checksum(), p.HeaderChecksum(), p.Err)
				}
				got = fmt.Sprintf("%v %d %v %v %v %d %d %d %d %q", p.Class, p.Link, p.SrcAddrPort(), p.DstAddrPort(), p.TCPFlags, p.Seq, p.Ack, p.Window, p.TTL, p.Payload())
				return nil
			}})
			n.rec.on = func(e any) event.Verdict {
				if _, ok := e.(*flowev.ConnStart); ok && got == "" {
					if err := n.s.Send(nil, tt.what); err != nil {
						got = err.Error()
					}
				}
				return event.Verdict{}
			}
			n.send(n.c(0, 0, syn, ""))
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if st := n.s.Stats(); st.Sent+st.Unsent != 1 || (st.Unsent == 1) != strings.HasPrefix(got, "flow.send") {
				t.Errorf("%d sent, %d not", st.Sent, st.Unsent)
			}
		})
	}
}

// TestSendPacket sends the packet at hand, and fails where there is no way.
func TestSendPacket(t *testing.T) {
	t.Parallel()
	var sent [][]byte
	failing := errors.New("no carrier")
	var fail error
	for name, send := range map[string]func(*flow.Outcome) error{
		"none": nil,
		"way":  func(o *flow.Outcome) error { sent = append(sent, bytes.Clone(o.Data)); return fail },
	} {
		n := newNet(t, flow.Config{Send: send})
		var errs []error
		n.rec.on = func(e any) event.Verdict {
			if e, ok := e.(*flowev.ConnStart); ok {
				errs = append(errs, n.s.Send(nil, e.Pkt))
				if send != nil {
					fail = failing
				}
			}
			return event.Verdict{}
		}
		frame := n.c(0, 0, syn, "")
		n.send(frame)
		if name == "none" {
			if !errors.Is(errs[0], flow.ErrCannotSend) {
				t.Error(errs)
			}
			continue
		}
		if errs[0] != nil || !errors.Is(errs[1], failing) || cmp.Diff([][]byte{frame, frame}, sent) != "" {
			t.Error(errs, sent)
		}
	}
	s := flow.New(event.NewShard(0), flow.Config{Send: func(*flow.Outcome) error { return nil }})
	if err := s.Send(nil, fields("src", "10.0.0.1:1", "dst", "10.0.0.2:2")); err != nil {
		t.Errorf("outside packets: %v", err)
	}
}
