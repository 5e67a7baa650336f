package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// needTcpdump skips a test where tcpdump is not installed; in CI it fails then.
func needTcpdump(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("tcpdump")
	if err == nil {
		_, err = os.Stat("/etc/services") // libpcap's names of ports
	}
	if err == nil {
		return
	}
	if os.Getenv("HOOKD_CI") == "1" {
		t.Fatalf("tcpdump with names of services is missing: %v", err)
	}
	t.Skipf("needs tcpdump with names of services: %v", err)
}

// firstPacket builds the Ethernet frame that a connection with this key begins
// with: a SYN, a datagram, an INIT, an echo request.
func firstPacket(k *Key) []byte {
	payload := transportHeader(k)
	frame := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	be := binary.BigEndian
	if k.VLAN != 0 {
		frame = be.AppendUint16(frame, 0x8100)
		frame = be.AppendUint16(frame, k.VLAN)
	}
	if k.IPv6 {
		frame = be.AppendUint16(frame, 0x86dd)
		frame = be.AppendUint32(frame, 6<<28)
		frame = be.AppendUint16(frame, uint16(len(payload)))
		frame = append(frame, k.Proto, 64)
	} else {
		frame = be.AppendUint16(frame, 0x0800)
		frame = append(frame, 0x45, 0)
		frame = be.AppendUint16(frame, uint16(20+len(payload)))
		frame = append(frame, 0, 1, 0, 0, 64, k.Proto, 0, 0)
	}
	frame = append(frame, k.SrcIP.AsSlice()...)
	frame = append(frame, k.DstIP.AsSlice()...)
	return append(frame, payload...)
}

func transportHeader(k *Key) []byte {
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, k.SrcPort), k.DstPort)
	switch k.Proto {
	case 6:
		return append(ports, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0)
	case 17:
		return append(ports, 0, 8, 0, 0)
	case 132:
		return append(ports, make([]byte, 28)...)
	}
	return []byte{8, 0, 0, 0, 0, 1, 0, 1}
}

// key parses "proto client server [vlan N]", ports after the last slash.
func key(text string) Key {
	f := strings.Fields(text)
	k := Key{Proto: map[string]uint8{"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmp6": 58, "gre": 47}[f[0]]}
	side := func(s string) (netip.Addr, uint16) {
		addr, port, _ := strings.Cut(s, "/")
		var n uint16
		_, _ = fmt.Sscan(port, &n)
		return netip.MustParseAddr(addr), n
	}
	k.SrcIP, k.SrcPort = side(f[1])
	k.DstIP, k.DstPort = side(f[2])
	k.IPv6 = k.SrcIP.Is6()
	if len(f) == 5 {
		_, _ = fmt.Sscan(f[4], &k.VLAN)
	}
	return k
}

// oracleKeys are the connections that expressions are tried on.
var oracleKeys = []string{
	"tcp 10.1.2.3/40000 216.58.1.1/80",
	"tcp 10.1.2.4/40001 216.58.200.9/443",
	"tcp 216.58.1.1/80 10.1.2.3/81",
	"tcp 10.1.2.3/80 10.1.2.3/80",
	"tcp 192.168.0.1/22 192.168.0.2/50000",
	"tcp 172.16.5.5/1025 172.31.255.255/5060",
	"tcp 0.0.0.10/1 255.255.255.255/65535",
	"udp 10.1.2.3/5353 224.0.0.251/5353",
	"udp 10.1.2.3/40000 8.8.8.8/53",
	"udp 192.168.0.1/5060 192.168.0.2/5060",
	"udp 10.0.0.1/0 10.0.0.2/85",
	"sctp 10.1.2.3/80 10.1.2.4/2905",
	"sctp 10.1.2.3/5060 10.1.2.4/53",
	"icmp 10.1.2.3 8.8.8.8",
	"gre 10.1.2.3 10.1.2.4",
	"tcp 2001:db8::1/40000 2001:db8:1::2/80",
	"tcp 2001:db8:1::2/22 fe80::1/50000",
	"udp 2001:db8::1/40000 2001:4860:4860::8888/53",
	"udp fe80::1/5060 fe80::2/5060",
	"sctp 2001:db8::1/1 2001:db8::2/80",
	"icmp6 fe80::1 ff02::1",
	"tcp ::ffff:10.1.2.3/1234 ::1/80",
}

// keys returns the connections, all of them in the given VLAN.
func keys(vlan uint16) []Key {
	all := make([]Key, len(oracleKeys))
	for i, text := range oracleKeys {
		all[i] = key(text)
		all[i].VLAN = vlan
	}
	return all
}

// captureOf writes one packet a key; its time is its index.
func captureOf(t *testing.T, keys []Key) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		f := capture.Frame{Data: firstPacket(&keys[i]), TS: int64(i) * 1e9, Link: capture.LinkTypeEthernet}
		if err := w.WriteFrame(&f); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// tcpdump returns which packets the expression selects, one 0 or 1 each, or
// libpcap's error. args are more options.
func tcpdump(t *testing.T, file []byte, packets int, expr string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("tcpdump", append(args, "-n", "-r", "-", "-w", "-", "--", expr)...)
	cmd.Stdin = bytes.NewReader(file)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	selected := bytes.Repeat([]byte{'0'}, packets)
	if err := cmd.Run(); err != nil {
		if strings.Contains(msg.String(), "expression rejects all packets") {
			return string(selected), nil
		}
		return "", fmt.Errorf("%w: %s", err, lastLine(msg.String()))
	}
	r, err := capture.NewReader(&out, "tcpdump")
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	for err = r.Next(&f); err == nil; err = r.Next(&f) {
		selected[f.TS/1e9] = '1'
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return string(selected), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// matches returns which of the keys are in the expression's scope.
func matches(t *testing.T, expr string, keys []Key) string {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return ""
	}
	s, err := e.Scope()
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return ""
	}
	selected := make([]byte, len(keys))
	for i := range keys {
		selected[i] = '0'
		if s.Match(&keys[i]) {
			selected[i] = '1'
		}
	}
	return string(selected)
}
