package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// natTraffic is what the NAT of examples/nat receives.
func natTraffic() [][]byte {
	at := netip.MustParseAddrPort
	alice, bob, web, dns := at("10.0.0.1:40000"), at("10.0.0.2:40000"), at("192.0.2.80:80"), at("192.0.2.53:53")
	router := netip.MustParseAddr("198.51.100.1")
	outer := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), port) }
	tcp := packettest.TCP[string]
	const syn, ack, psh, fin, rst = packet.SYN, packet.ACK, packet.PSH, packet.FIN, packet.RST
	get, ok := "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 204 No Content\r\n\r\n"
	lost := packettest.UDP(outer(1028), at("192.0.2.99:9999"), "anybody?", packettest.TTL(1))
	return [][]byte{
		tcp(alice, web, 100, 0, syn, ""), tcp(bob, web, 500, 0, syn, ""),
		tcp(web, outer(1025), 700, 101, syn|ack, ""), tcp(web, outer(1026), 900, 501, syn|ack, ""),
		tcp(alice, web, 101, 701, ack, ""), tcp(bob, web, 501, 901, ack, ""),
		tcp(alice, web, 101, 701, ack|psh, get), tcp(web, outer(1025), 701, 119, ack|psh, ok),
		tcp(web, outer(1025), 701, 119, ack|psh, ok), // again
		packettest.UDP(alice, dns, "question"), packettest.UDP(dns, outer(1027), "answer"),
		packettest.UDP(bob, at("192.0.2.99:9999"), "anybody?"), packettest.ICMP(router, outer(0).Addr(), 11, 0, 0, lost[14:]),
		packettest.Echo(bob.Addr(), web.Addr(), "ping"), packettest.Echo(alice.Addr(), web.Addr(), "late", packettest.TTL(1)),
		tcp(at("192.0.2.66:6666"), outer(22), 1, 0, syn, ""), tcp(at("192.0.2.66:6666"), outer(1025), 1, 1, ack, "stray"),
		packettest.UDP(at("192.0.2.66:6666"), outer(1030), "let me in"),
		tcp(web, outer(1025), 728, 119, fin|ack, ""), tcp(alice, web, 119, 729, fin|ack, ""), tcp(web, outer(1025), 729, 120, ack, ""),
		tcp(web, outer(1025), 729, 120, ack, "stale"), // the port is nobody's now
		tcp(web, outer(1026), 901, 501, rst|ack, ""),
	}
}

// TestNAT runs examples/nat as it is meant: verdicts applied, what passes compared with
// want_passed.txt.
func TestNAT(t *testing.T) {
	t.Chdir("../../examples/nat")
	made := natCapture(t)
	if *update {
		if err := os.WriteFile("capture.pcap", made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile("capture.pcap"); err != nil || !bytes.Equal(have, made) {
		t.Fatalf("capture.pcap is not what natTraffic makes (-update writes it): %v", err)
	}
	to := filepath.Join(t.TempDir(), "passed.pcapng")
	var out, logs bytes.Buffer
	if code := run([]string{"replay", "capture.pcap", "-s", ".", "--verdicts", "apply", "--write", to}, nil, &out, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	got := listing(t, readFrames(t, to))
	if *update {
		if err := os.WriteFile("want_passed.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("want_passed.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(logs.String(), "verdicts applied: 18 packets forwarded, 5 dropped, 0 RSTs made") {
		t.Error(logs.String())
	}
}

// natCapture is natTraffic as a capture, 10 ms apart.
func natCapture(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(frames(t, natTraffic()...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// listing writes packets as lines, and checks their checksums.
func listing(t *testing.T, list []capture.Frame) string {
	t.Helper()
	var b strings.Builder
	for _, f := range list {
		var p packet.Packet
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		if !p.ChecksumOK() {
			t.Errorf("packet to %v: wrong checksum", p.DstAddrPort())
		}
		fmt.Fprintf(&b, "%v %s > %s", p.Class, p.SrcAddrPort(), p.DstAddrPort())
		if p.Class == packet.TCP {
			fmt.Fprintf(&b, " %v seq %d", p.TCPFlags, p.Seq)
		}
		fmt.Fprintf(&b, " len %d ttl %d [%s]\n", p.PayloadLen, p.TTL, f.Comment)
	}
	return b.String()
}
