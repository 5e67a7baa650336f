package sniff

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// end is an end of a connection that only has an address.
type end struct {
	flowev.Peer
	at netip.AddrPort
}

func (e end) Endpoint() netip.AddrPort { return e.at }

// conn is a connection that only has its ends.
type conn struct {
	flowev.Conn
	id             uint64
	client, server *end
}

func (c conn) ID() uint64          { return c.id }
func (c conn) Client() flowev.Peer { return c.client }
func (c conn) Server() flowev.Peer { return c.server }

func connTo(id uint64, port uint16) conn {
	return conn{id: id, client: &end{at: netip.MustParseAddrPort("192.0.2.1:40000")}, server: &end{at: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port)}}
}

func message(name string, body string) string {
	return name + "\r\nCall-ID: 1\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body
}

// found collects the first lines of what a finder finds.
func found(t testing.TB, cfg Config) (*Finder, *event.Shard, *[]string) {
	sh := event.NewShard(0)
	sh.Enter()
	t.Cleanup(sh.Leave)
	var list []string
	f := New(cfg, func(*event.Shard) bool { return true }, func(_ *event.Shard, m *Message) {
		line, _, _ := strings.Cut(string(m.Raw), "\r\n")
		if i := strings.LastIndex(string(m.Raw), "\r\n\r\n"); i >= 0 && len(m.Raw) > i+4 {
			line += " " + string(m.Raw[i+4:])
		}
		list = append(list, line)
	})
	return f, sh, &list
}

const (
	invite = "INVITE sip:bob@example.com SIP/2.0"
	ok     = "SIP/2.0 200 OK"
)

func TestDatagrams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw string
		port      uint16
		want      []string
		other     uint64
	}{
		{"request", message(invite, "v=0"), 5060, []string{invite + " v=0"}, 0},
		{"behind line ends", "\r\n\r\n" + message(ok, ""), 5060, []string{ok}, 0},
		{"on another port", message(invite, ""), 7777, []string{invite}, 0},
		{"of another version", message("OPTIONS sip:a SIP/7.0", ""), 7777, []string{"OPTIONS sip:a SIP/7.0"}, 0},
		{"keep-alive", "\r\n\r\n", 5060, nil, 0},
		{"junk", "\x00\x00\x00\x00", 5060, nil, 1},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", 7777, nil, 0},
		{"HTTP on SIP's port", "GET / HTTP/1.1\r\n\r\n", 5060, nil, 1},
		{"a word", "SIP/2.0 is a version\r\n", 7777, nil, 0},
		{"nothing", "", 5060, nil, 0},
	} {
		f, sh, list := found(t, DefaultConfig())
		f.Datagram(sh, netip.MustParseAddrPort("192.0.2.1:40000"), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), c.port), []byte(c.raw), false)
		if diff := cmp.Diff(c.want, *list); diff != "" || f.Stats().Other != c.other {
			t.Errorf("%s: %s %+v", c.name, diff, f.Stats())
		}
	}
	f, sh, list := found(t, Config{Ports: []uint16{5080}})
	f.Datagram(sh, netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060"), []byte(message(invite, "")), false)
	if len(*list) != 0 {
		t.Error("found on a port that nobody named")
	}
}

// TestStreams divides streams wherever segments end.
func TestStreams(t *testing.T) {
	t.Parallel()
	text := message(invite, "v=0") + "\r\n\r\n" + message(ok, "") + "\r\n" + message("BYE sip:a SIP/2.0", "x")
	want := []string{invite + " v=0", ok, "BYE sip:a SIP/2.0 x"}
	for _, size := range []int{1, 2, 3, 7, 40, 1000} {
		f, sh, list := found(t, DefaultConfig())
		c := connTo(1, 5060)
		for at := 0; at < len(text); at += size {
			f.Bytes(sh, c, flowev.SideClient, uint64(at), []byte(text[at:min(at+size, len(text))]))
		}
		if diff := cmp.Diff(want, *list); diff != "" {
			t.Errorf("segments of %d: %s", size, diff)
		}
		f.Ended(sh, c)
		if st := f.Stats(); st.Streams != 0 || st.Buffered != 0 {
			t.Errorf("left: %+v", st)
		}
	}
}

func TestStreamsThatMissSomething(t *testing.T) {
	t.Parallel()
	f, sh, list := found(t, DefaultConfig())
	c := connTo(1, 5060)
	first, second := message(invite, "v=0"), message(ok, "")
	f.Bytes(sh, c, flowev.SideServer, 0, []byte(first[:30]))
	f.Bytes(sh, c, flowev.SideServer, 100, []byte("rest of another\r\n"+second+first[:10]))
	f.Bytes(sh, c, flowev.SideServer, 110, []byte("again"))
	f.Bytes(sh, c, flowev.SideServer, 100+17+uint64(len(second))+10, []byte(first[10:]))
	if diff := cmp.Diff([]string{ok, invite + " v=0"}, *list); diff != "" || f.Stats().Lost != 1 {
		t.Error(diff, f.Stats())
	}
	// From the middle of a connection, and where messages say no length.
	c = connTo(2, 5060)
	f.Bytes(sh, c, flowev.SideClient, 500, []byte("xyz\r\n\r\n"))
	f.Bytes(sh, c, flowev.SideClient, 507, []byte("xyz\r\n"+invite+"\r\nCall-ID: 1\r\n\r\n"+second))
	if diff := cmp.Diff([]string{invite, ok}, (*list)[2:]); diff != "" || f.Stats().Unframed != 1 {
		t.Error(diff, f.Stats())
	}
	// Elsewhere SIP is what a connection begins with.
	f.Bytes(sh, connTo(3, 8080), flowev.SideClient, 0, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Bytes(sh, connTo(3, 8080), flowev.SideClient, 18, []byte(second))
	f.Bytes(sh, connTo(4, 8080), flowev.SideClient, 0, []byte(second))
	if len(*list) != 5 || f.Stats().Streams != 3 {
		t.Errorf("%q %+v", *list, f.Stats())
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	f, sh, _ := found(t, Config{Ports: []uint16{5060}, MaxStreams: 3, MaxBuffered: 1000})
	head := []byte(invite + "\r\nX: " + strings.Repeat("x", 400))
	for id := range uint64(5) {
		f.Bytes(sh, connTo(id, 5060), flowev.SideClient, 0, head)
	}
	if st := f.Stats(); st.Streams != 2 || st.Refused != 3 || st.Buffered > 1000 {
		t.Errorf("%+v", st)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	for _, v := range []any{"5060, 5080 5060", 5062.0, "0", "x", strings.Repeat("1 ", 100)} {
		err := c.Set("observe_ports", v)
		if bad := len(c.Ports) == 0 || err != nil; bad != (v == "0" || v == "x" || len(fmt.Sprint(v)) > 50) {
			t.Errorf("%v: %v, %v", v, c.Ports, err)
		}
	}
	if !slices.Equal(c.Ports, []uint16{5062}) || c.Settings()[1].Value != "5062" {
		t.Error(c.Ports, c.Settings())
	}
}

// FuzzStreams gives a finder any segments: it keeps to its bounds, and what it finds
// begins as SIP does.
func FuzzStreams(f *testing.F) {
	f.Add([]byte(message(invite, "v=0")+message(ok, "")), uint8(7), uint16(0))
	f.Add([]byte("\r\n\r\n"+invite+"\r\n\r\n"+message(ok, "12")), uint8(3), uint16(40))
	f.Fuzz(func(t *testing.T, text []byte, size uint8, hole uint16) {
		cfg := DefaultConfig()
		cfg.MaxBuffered = 4096
		sh := event.NewShard(0)
		sh.Enter()
		defer sh.Leave()
		fd := New(cfg, func(*event.Shard) bool { return true }, func(_ *event.Shard, m *Message) {
			if !begins(m.Raw) {
				t.Fatalf("found %q", m.Raw)
			}
		})
		c := connTo(1, 5060)
		step := int(size) + 1
		for at := 0; at < len(text); at += step {
			if hole != 0 && at >= int(hole) && at < int(hole)+step {
				continue
			}
			fd.Bytes(sh, c, flowev.SideClient, uint64(at), text[at:min(at+step, len(text))])
			if st := fd.Stats(); st.Buffered < 0 || st.Buffered > cfg.MaxBuffered {
				t.Fatalf("%+v", st)
			}
		}
		fd.Datagram(sh, c.client.at, c.server.at, text, false)
		fd.Ended(sh, c)
		if st := fd.Stats(); st.Buffered != 0 || st.Streams != 0 {
			t.Fatalf("left: %+v", st)
		}
	})
}

// TestOtherTrafficCostsNothing passes what is no SIP, and SIP, without an allocation.
func TestOtherTrafficCostsNothing(t *testing.T) {
	sh := event.NewShard(0)
	sh.Enter()
	defer sh.Leave()
	n := 0
	f := New(DefaultConfig(), func(*event.Shard) bool { return true }, func(*event.Shard, *Message) { n++ })
	from, to := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:7777")
	c := connTo(1, 443)
	rtp, sip := []byte("\x80\x08\x00\x01 media"), []byte(message(invite, "v=0"))
	chat := []byte(strings.Replace(asked, "SIP", "chat", 1))
	if a := testing.AllocsPerRun(100, func() {
		f.Datagram(sh, from, to, rtp, false)
		f.Datagram(sh, from, to, sip, false)
		f.Bytes(sh, flowev.Conn(&c), flowev.SideClient, 0, rtp)
		f.Bytes(sh, flowev.Conn(&c), flowev.SideClient, 0, chat)
	}); a != 0 || n != 101 {
		t.Errorf("%v allocations, %d messages", a, n)
	}
}
