package flow_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// eachPacket calls fn for the packet of every frame that has IP, once.
type eachPacket func(p flowev.Packet)

func (fn eachPacket) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *flowev.PktIn:
		fn(e.Pkt)
	case *flowev.Orphan:
		fn(e.Pkt)
	}
	return event.Verdict{}
}

// reading returns a stack that calls fn for every packet.
func reading(cfg flow.Config, fn func(p flowev.Packet)) *flow.Stack {
	sh := event.NewShard(0)
	sh.Bind(eachPacket(fn), func(id event.PointID) bool { return id == flowev.OnPktInSnd.ID() || id == flowev.OnOrphan.ID() })
	return flow.New(sh, cfg)
}

// optional writes a field that may be absent.
func optional[T any](v T, has bool) string {
	if !has {
		return "-"
	}
	return fmt.Sprint(v)
}

// headerWords are the fields of a packet by name, as text.
func headerWords(p flowev.Packet) map[string]string {
	sacks := ""
	for _, r := range p.Sacks().([]any) {
		kv := r.([]event.KV)
		sacks += fmt.Sprintf("%.0f-%.0f ", kv[0].Value, kv[1].Value)
	}
	return map[string]string{
		"link": fmt.Sprint(p.Link()), "eth_src": optional(p.EthSrc()), "eth_dst": optional(p.EthDst()), "ether_type": fmt.Sprintf("%#04x", p.EtherType()),
		"vlan": fmt.Sprint(p.Vlans(), p.VLAN(), p.VLANInner(), p.VLANPriority()), "mpls": fmt.Sprint(p.MPLSLabels(), p.MPLSLabel()),
		"tunnel": fmt.Sprint(p.Tunnel(), p.TunnelDepth(), p.TunnelID()), "outer": optional(p.OuterSrc()) + " " + optional(p.OuterDst()),
		"ip": fmt.Sprint(p.IPHeaderLen(), p.IPLen(), p.DSCP(), p.ECN(), p.FlowLabel()), "id": fmt.Sprint(p.IPID(), p.DontFragment(), p.MoreFragments(), p.FragmentOffset()),
		"ip_sum": fmt.Sprintf("%#04x %v", p.IPChecksum(), p.IPChecksumState()), "ip_options": fmt.Sprintf("%x", p.IPOptions()),
		"tcp": fmt.Sprint(p.TCPHeaderLen(), p.Reserved(), p.Urgent()), "sum": fmt.Sprintf("%#04x %v", p.Checksum(), p.ChecksumState()),
		"options": fmt.Sprint(optional(p.MSS()), optional(p.WindowScale()), p.SACKPermitted(), optional(p.TSValue()), optional(p.TSEcho())),
		"sacks":   sacks, "tcp_options": fmt.Sprintf("%x", p.TCPOptions()), "udp_len": fmt.Sprint(p.UDPLen()),
		"icmp": optional(p.ICMPType()) + " " + optional(p.ICMPCode()) + " " + optional(p.ICMPRest()),
	}
}

// TestHeaderFields reads the header fields of packets made by hand: those that differ from a plain
// SYN's, which the first case lists whole.
func TestHeaderFields(t *testing.T) {
	t.Parallel()
	c4, s4 := netip.MustParseAddrPort("10.0.0.1:1000"), netip.MustParseAddrPort("10.0.0.2:80")
	c6, s6 := netip.MustParseAddrPort("[2001:db8::1]:1000"), netip.MustParseAddrPort("[2001:db8::2]:80")
	plain := map[string]string{
		"link": "1", "eth_src": "02:00:00:00:00:01", "eth_dst": "02:00:00:00:00:02", "ether_type": "0x0800", "vlan": "0 0 0 0", "mpls": "0 0",
		"tunnel": "none 0 0", "outer": "- -", "ip": "20 40 0 0 0", "id": "0 false false 0", "ip_options": "", "tcp": "20 0 0",
		"options": "--false--", "sacks": "", "tcp_options": "", "udp_len": "0", "icmp": "- - -",
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  map[string]string
	}{
		{"plain", pt.TCP(c4, s4, 1, 0, packet.SYN, ""), nil},
		{"tags", pt.TCP(c4, s4, 1, 0, packet.SYN, "", pt.VLAN(5, 6), pt.Edit(func(b []byte) { b[14] |= 0x60 })), map[string]string{"vlan": "2 5 6 3"}},
		{"labels", pt.TCP(c4, s4, 1, 0, packet.SYN, "", pt.MPLS(7, 8)), map[string]string{"mpls": "2 7"}},
		{"ip", pt.TCP(c4, s4, 1, 0, packet.SYN, "", pt.ID(9), pt.IPOptions(1, 1, 1, 0), pt.Edit(func(b []byte) { b[15], b[20] = 0xb9, 0 })), map[string]string{
			"ip": "24 44 46 1 0", "id": "9 false false 0", "ip_options": "01010100", "ip_sum": "bad",
		}},
		{"ip6", pt.TCP(c6, s6, 1, 0, packet.SYN, "", pt.Ext(60, 0, 1, 4, 0, 0, 0, 0), pt.Edit(func(b []byte) { b[14], b[15], b[17] = 0x6b, 0x80, 0x21 })), map[string]string{
			"ether_type": "0x86dd", "ip": "48 68 46 0 33", "id": "0 false false 0", "ip_sum": "0x0000 unknown", "ip_options": "0600010400000000",
		}},
		{"options", pt.TCP(c4, s4, 1, 0, packet.SYN, "", pt.MSS(1400), pt.Edit(func(b []byte) { b[46], b[53] = b[46]|0x0a, 7 })), map[string]string{
			"ip": "20 44 0 0 0", "tcp": "24 10 7", "options": "1400-false--", "tcp_options": "02040578", "sum": "bad",
		}},
		{"udp", pt.UDP(c4, s4, "hello"), map[string]string{"ip": "20 33 0 0 0", "tcp": "0 0 0", "udp_len": "13"}},
		{"icmp", pt.Echo(c4.Addr(), s4.Addr(), "hello"), map[string]string{"ip": "20 33 0 0 0", "tcp": "0 0 0", "icmp": "8 0 "}},
		{"fragment", pt.UDP(c4, s4, "hello, you all", pt.Fragment(4, 8, 8)), map[string]string{
			"ip": "20 28 0 0 0", "id": "4 false true 8", "tcp": "0 0 0", "sum": "0x0000 unknown",
		}},
		{"tunnel", pt.VXLAN(netip.MustParseAddrPort("192.0.2.1:5"), netip.MustParseAddrPort("192.0.2.2:4789"), 77, pt.TCP(c4, s4, 1, 0, packet.SYN, "")), map[string]string{
			"tunnel": "vxlan 1 77", "outer": "192.0.2.1 192.0.2.2",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got map[string]string
			s := reading(flow.Config{Decap: packet.AllTunnels}, func(p flowev.Packet) { got = headerWords(p) })
			s.Frame(packet.LinkEthernet, tt.frame, len(tt.frame), 1e9)
			for name, text := range got {
				want, special := tt.want[name]
				if !special {
					want = plain[name]
				}
				switch name {
				case "ip_sum", "sum", "icmp":
					if !strings.Contains(text, want) || !special && strings.Contains(text, "bad") {
						t.Errorf("%s: %s, want %s", name, text, want)
					}
				default:
					if diff := cmp.Diff(want, text); diff != "" {
						t.Errorf("%s: %s", name, diff)
					}
				}
			}
			if len(got) == 0 {
				t.Error("no packet")
			}
		})
	}
}

// sharkFields name what TShark says of a header, by the words of headerFor.
var sharkFields = []string{
	"eth.src", "eth.dst", "ip.hdr_len", "ip.len", "ip.dsfield.dscp", "ip.dsfield.ecn", "ip.id", "ip.flags.df", "ip.flags.mf", "ip.frag_offset", "ip.checksum",
	"ipv6.plen", "ipv6.tclass.dscp", "ipv6.tclass.ecn", "ipv6.flow",
	"tcp.hdr_len", "tcp.urgent_pointer", "tcp.checksum", "tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.timestamp.tsval", "tcp.options.timestamp.tsecr",
	"tcp.options.sack_le", "tcp.options.sack_re", "udp.length", "udp.checksum", "icmp.type", "icmp.code", "icmp.checksum", "icmpv6.type", "icmpv6.code",
	"vlan.id", "vlan.priority", "ip.proto", "ipv6.nxt", "frame.protocols",
}

// headerFor returns the same of a packet; a field that is not there is empty.
func headerFor(p flowev.Packet) map[string]string {
	m := map[string]string{}
	set := func(name, format string, v any, has bool) {
		if has {
			m[name] = fmt.Sprintf(format, v)
		}
	}
	set("fragment", "%v", true, p.Fragment())
	src, ok := p.EthSrc()
	set("eth.src", "%s", src, ok)
	dst, ok := p.EthDst()
	set("eth.dst", "%s", dst, ok)
	v4, v6 := p.IPVersion() == 4, p.IPVersion() == 6
	set("ip.hdr_len", "%d", p.IPHeaderLen(), v4)
	set("ip.len", "%d", p.IPLen(), v4)
	set("ip.dsfield.dscp", "%d", p.DSCP(), v4)
	set("ip.dsfield.ecn", "%d", p.ECN(), v4)
	set("ip.id", "0x%04x", p.IPID(), v4)
	set("ip.frag_offset", "%d", p.FragmentOffset()/8, v4)
	set("ip.checksum", "0x%04x", p.IPChecksum(), v4)
	set("ipv6.plen", "%d", int(p.IPLen())-40, v6)
	set("ipv6.tclass.dscp", "%d", p.DSCP(), v6)
	set("ipv6.tclass.ecn", "%d", p.ECN(), v6)
	set("ipv6.flow", "0x%05x", p.FlowLabel(), v6)
	bit := map[bool]string{false: "0", true: "1"}
	set("ip.flags.df", "%s", bit[p.DontFragment()], v4)
	set("ip.flags.mf", "%s", bit[p.MoreFragments()], v4)
	tcp, udp := p.TCPHeaderLen() > 0, p.UDPLen() > 0
	set("tcp.hdr_len", "%d", p.TCPHeaderLen(), tcp)
	set("tcp.urgent_pointer", "%d", p.Urgent(), tcp)
	set("tcp.checksum", "0x%04x", p.Checksum(), tcp)
	mss, ok := p.MSS()
	set("tcp.options.mss_val", "%d", mss, ok)
	ts, ok := p.TSValue()
	set("tcp.options.timestamp.tsval", "%d", ts, ok)
	echo, ok := p.TSEcho()
	set("tcp.options.timestamp.tsecr", "%d", echo, ok)
	shift, ok := p.WindowScale()
	set("tcp.options.wscale.shift", "%d", shift, ok)
	var left, right []string
	for _, r := range p.Sacks().([]any) {
		kv := r.([]event.KV)
		left, right = append(left, fmt.Sprintf("%.0f", kv[0].Value)), append(right, fmt.Sprintf("%.0f", kv[1].Value))
	}
	set("tcp.options.sack_le", "%s", strings.Join(left, "|"), left != nil)
	set("tcp.options.sack_re", "%s", strings.Join(right, "|"), right != nil)
	set("udp.length", "%d", p.UDPLen(), udp)
	set("udp.checksum", "0x%04x", p.Checksum(), udp)
	kind, ok := p.ICMPType()
	set("icmp.type", "%d", kind, ok && v4)
	set("icmpv6.type", "%d", kind, ok && v6)
	code, ok := p.ICMPCode()
	set("icmp.code", "%d", code, ok && v4)
	set("icmpv6.code", "%d", code, ok && v6)
	set("icmp.checksum", "0x%04x", p.Checksum(), ok && v4 && p.PayloadLen() >= 4)
	set("vlan.id", "%d", p.VLAN(), p.Vlans() == 1)
	set("vlan.priority", "%d", p.VLANPriority(), p.Vlans() == 1)
	return m
}

// TestHeaderFieldsEqualTShark compares the header fields of ordinary packets of the corpora: with one
// IP header, whole, in Ethernet.
func TestHeaderFieldsEqualTShark(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs TShark")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatalf("tshark is missing: %v", err)
		}
		t.Skipf("needs tshark: %v", err)
	}
	path := filepath.Join(t.TempDir(), "all.pcap")
	rows := collect(t, path)
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"}
	for _, pref := range []string{"ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE", "tcp.relative_sequence_numbers:FALSE", "tcp.analyze_sequence_numbers:FALSE"} {
		args = append(args, "-o", pref)
	}
	for _, f := range sharkFields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	compared, fields, differ := 0, 0, 0
	for i, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		want := strings.Split(line, "\t")
		protocols := want[len(want)-1]
		if rows[i] == nil || strings.Count(protocols+":", ":ip:")+strings.Count(protocols, ":ipv6")+strings.Count(protocols, ":icmp")+strings.Count(protocols, ":gre") > 1 || strings.Count(protocols+":", ":udp:")+strings.Count(protocols+":", ":tcp:") > 1 ||
			strings.Contains(protocols, "malformed") || strings.Contains(protocols, ":ipv6.") || strings.Count(protocols, ":eth") > 1 || strings.Contains(protocols, ":ah") {
			continue
		}
		compared++
		for k, name := range sharkFields[:len(sharkFields)-3] {
			got := rows[i][name]
			if rows[i]["fragment"] != "" && !strings.HasPrefix(name, "ip.") { // TShark reads on in the first one
				continue
			}
			if name == "udp.checksum" && want[k] == "0x00000000" {
				want[k] = "0x0000"
			}
			if want[k] == "" && got == "" || name == "tcp.options.wscale.shift" && got == "14" { // RFC 7323 has more read as 14
				continue
			}
			fields++
			if want[k] != got && strings.TrimLeft(strings.TrimPrefix(want[k], "0x"), "0") != strings.TrimLeft(strings.TrimPrefix(got, "0x"), "0") {
				if differ++; differ < 20 {
					t.Errorf("packet %d (%s): %s is %q, TShark says %q", i, protocols, name, got, want[k])
				}
			}
		}
	}
	t.Logf("%d packets, %d fields compared", compared, fields)
	if compared < 5000 || fields < 100_000 {
		t.Error("too few")
	}
}

// collect writes the first packets of the corpora's captures of Ethernet to path, and returns what the
// stack says of each; nil where it is no whole packet.
func collect(t *testing.T, path string) []map[string]string {
	const each = 60
	var frames []capture.Frame
	err := filepath.WalkDir(filepath.Join(corporaDir(t), "pcap"), func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n := 0
		eachFrame(t, name, func(f *capture.Frame) {
			if n++; n <= each && f.Link == capture.LinkTypeEthernet && len(f.Data) == f.WireLen {
				c := *f
				c.Data = bytes.Clone(f.Data)
				frames = append(frames, c)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buf := bufio.NewWriter(file)
	defer buf.Flush()
	w, err := capture.NewWriter(buf, capture.LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]string, len(frames))
	at := 0
	s := reading(flow.Config{}, func(p flowev.Packet) {
		if p.Link() == packet.LinkEthernet {
			rows[at] = headerFor(p)
		}
	})
	for i := range frames {
		f := &frames[i]
		f.TS = int64(i) * 1e9
		if err := w.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
		at = i
		var p packet.Packet
		if p.Decode(uint16(f.Link), f.Data, f.WireLen, 0); p.Err == packet.OK {
			s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		}
	}
	return rows
}

// FuzzPacketFields reads every field of whatever is taken for a packet, and decodes its layers.
func FuzzPacketFields(f *testing.F) {
	c, s := netip.MustParseAddrPort("10.0.0.1:1000"), netip.MustParseAddrPort("10.0.0.2:53")
	f.Add(uint16(1), pt.TCP(c, s, 1, 0, packet.SYN, "x", pt.MSS(1), pt.VLAN(1, 2)))
	f.Add(uint16(1), pt.UDP(c, s, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"))
	f.Add(uint16(1), pt.VXLAN(c, s, 77, pt.TCP(c, s, 1, 0, packet.SYN, "x")))
	f.Add(uint16(101), pt.Echo(c.Addr(), s.Addr(), "hello", pt.Link(packet.LinkRaw)))
	f.Add(uint16(113), pt.UDP(c, s, "hello", pt.Link(packet.LinkSLL), pt.Fragment(1, 8, 8)))
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		st := reading(flow.Config{Decap: packet.AllTunnels}, func(p flowev.Packet) {
			headerWords(p)
			if n := len(p.Layers().([]any)); n > 32 {
				t.Fatalf("%d layers", n)
			}
			if len(p.Frame()) != int(p.Caplen()) {
				t.Fatal(strconv.Itoa(len(p.Frame())))
			}
		})
		st.Frame(link, data, len(data), 1e9)
	})
}
