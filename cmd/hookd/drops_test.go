package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var (
	dropClient = netip.MustParseAddrPort("10.0.0.9:40000")
	dropServer = netip.MustParseAddrPort("10.0.0.2:80")
)

// frames writes Ethernet frames, 10 ms apart, as a capture, and returns its path.
func frames(t *testing.T, list ...[]byte) string {
	t.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range list {
		ts := int64(1_700_000_000e9) + int64(i)*10e6
		if err := w.WriteFrame(&capture.Frame{TS: ts, Link: capture.LinkTypeEthernet, Data: f, WireLen: len(f)}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "made.pcap")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// toServer and toClient make segments of one connection.
func toServer(seq, ack uint32, flags packet.Flags, payload string) []byte {
	return packettest.TCP(dropClient, dropServer, seq, ack, flags, payload)
}

func toClient(seq, ack uint32, flags packet.Flags, payload string) []byte {
	return packettest.TCP(dropServer, dropClient, seq, ack, flags, payload)
}

// passed replays a capture through a script, verdicts applied, and returns the records without their
// heads, the packets that passed, and the summary.
func passed(t *testing.T, path, script string, flags ...string) (records []string, out []capture.Frame, summary string) {
	t.Helper()
	dir := t.TempDir()
	rules, to := filepath.Join(dir, "rules.lua"), filepath.Join(dir, "out.pcapng")
	if err := os.WriteFile(rules, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, logs bytes.Buffer
	args := append([]string{"replay", path, "-s", rules, "--verdicts", "apply", "--write", to}, flags...)
	if code := run(args, nil, &stdout, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	name := regexp.MustCompile(`"event":"([^"]*)"(?:,"phase":"([^"]*)")?`)
	for _, line := range strings.Split(strings.TrimSpace(stdout.String()), "\n") {
		if m := name.FindStringSubmatch(line); m != nil {
			records = append(records, strings.TrimSuffix(m[1]+"."+m[2], "."))
		}
	}
	return records, readFrames(t, to), logs.String()
}

// readFrames reads a capture.
func readFrames(t *testing.T, path string) []capture.Frame {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []capture.Frame
	for {
		var f capture.Frame
		err := r.Next(&f)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Data, f.Comment = bytes.Clone(f.Data), bytes.Clone(f.Comment)
		list = append(list, f)
	}
}

// scriptDir is the folder of the script that a comment names.
var scriptDir = regexp.MustCompile(`/[^ ]*/`)

// comments returns the comments of frames.
func comments(list []capture.Frame) []string {
	var out []string
	for _, f := range list {
		out = append(out, scriptDir.ReplaceAllString(string(f.Comment), ""))
	}
	return out
}

// TestCutSYN cuts a connection at its SYN, of which three copies come: none passes.
func TestCutSYN(t *testing.T) {
	t.Parallel()
	syn := toServer(0, 0, packet.SYN, "")
	path := frames(t, syn, syn, syn, toServer(1, 1, packet.ACK, "late"))
	for _, phase := range []string{"snd", "rcv"} {
		records, out, summary := passed(t, path, `rule "no" { on = flow.conn_start.`+phase+`, verdict = flow.cut }`, "--print", "flow.conn_start.*", "--print", "flow.conn_end", "--print", "flow.rexmit.*")
		want := []string{"flow.conn_start.snd", "decision", "flow.conn_end"}
		if phase == "rcv" {
			want = []string{"flow.conn_start.snd", "flow.conn_start.rcv", "decision", "flow.conn_end"}
		}
		if diff := cmp.Diff(want, records); diff != "" {
			t.Errorf("%s: %s", phase, diff)
		}
		if len(out) != 0 {
			t.Errorf("%s: %d packets passed", phase, len(out))
		}
		if want := "verdicts applied: 0 packets forwarded, 4 dropped (3 of connections cut before), 0 RSTs made\n"; !strings.Contains(summary, want) {
			t.Errorf("%s: %s", phase, summary)
		}
	}
}

// TestDropAtNewData drops a segment when its bytes are readable: its retransmission was sent before,
// and is new to its receiver.
func TestDropAtNewData(t *testing.T) {
	t.Parallel()
	data := toServer(1, 1, packet.ACK|packet.PSH, "hello")
	path := frames(t, toServer(0, 0, packet.SYN, ""), toClient(0, 1, packet.SYN|packet.ACK, ""), toServer(1, 1, packet.ACK, ""),
		data, data, toClient(1, 6, packet.ACK, ""))
	script := `
local texts = {}
rule "first" { on = flow.new_data, threshold = { count = 1, within = "1h", fire = "once" }, verdict = flow.drop }
rule "bytes" { on = flow.new_data, run = function(c, d) alert("bytes", { text = d:peek(), at = d.offset }) end }`
	records, out, _ := passed(t, path, script, "--print", "flow.new_data", "--print", "flow.rexmit.*", "--print", "flow.gap")
	want := []string{"flow.new_data", "decision", "alert", "flow.rexmit.snd", "flow.new_data", "alert"}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"connection 1", "connection 1", "connection 1", "connection 1", "connection 1"}, comments(out)); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(out[3].Data, data) || out[3].TS != 1_700_000_000e9+40e6 {
		t.Errorf("the retransmission is not the fourth that passed: %v", out[3])
	}
}

// TestDroppedGap acknowledges what a rule dropped, as a capture shows that was made without the rule:
// the receiver's stream has a gap for that reason.
func TestDroppedGap(t *testing.T) {
	t.Parallel()
	path := frames(t, toServer(0, 0, packet.SYN, ""), toClient(0, 1, packet.SYN|packet.ACK, ""), toServer(1, 1, packet.ACK, ""),
		toServer(1, 1, packet.ACK, "secret"), toClient(1, 7, packet.ACK, ""), toServer(7, 1, packet.ACK, "public"), toClient(1, 13, packet.ACK, ""),
		toClient(1, 13, packet.ACK, ""), toClient(1, 13, packet.ACK, ""), toClient(1, 13, packet.ACK, ""))
	script := `
rule "no" { on = flow.pkt_in.snd, when = function(c, pkt) return pkt.payload_len == 6 and pkt.seq == 1 end, verdict = flow.drop }
rule "gap" { on = flow.gap, run = function(c) alert("gap", { why = this.why, len = this.len }) end }
rule "data" { on = flow.new_data, run = function(c, d) alert(d:peek()) end }`
	records, out, summary := passed(t, path, script)
	if diff := cmp.Diff([]string{"decision", "alert", "alert"}, records); diff != "" {
		t.Error(diff)
	}
	if len(out) != 9 || !strings.Contains(summary, "9 packets forwarded, 1 dropped, 0 RSTs") {
		t.Errorf("%d passed\n%s", len(out), summary)
	}
}

// TestResetIsWritten resets a connection: the packet does not pass, and both ends get a RST.
func TestResetIsWritten(t *testing.T) {
	t.Parallel()
	path := frames(t, toServer(0, 0, packet.SYN, ""), toClient(0, 1, packet.SYN|packet.ACK, ""), toServer(1, 1, packet.ACK, ""),
		toServer(1, 1, packet.ACK|packet.PSH, "attack"), toClient(1, 7, packet.ACK, ""))
	_, out, summary := passed(t, path, `rule "no" { on = flow.new_data, verdict = flow.reset }`)
	why := "connection 1; RST made; flow.reset by rules.lua: no at flow.new_data"
	if diff := cmp.Diff([]string{"connection 1", "connection 1", "connection 1", why, why, why}, comments(out)); diff != "" {
		t.Error(diff)
	}
	for _, f := range out[3:] {
		var p packet.Packet
		p.Decode(uint16(f.Link), f.Data, f.WireLen, f.TS)
		if !p.TCPFlags.Has(packet.RST) || !p.ChecksumOK() {
			t.Errorf("%v, checksums fine: %v", p.TCPFlags, p.ChecksumOK())
		}
	}
	if !strings.Contains(summary, "3 packets forwarded, 2 dropped (1 of connections cut before), 3 RSTs made") {
		t.Error(summary)
	}
}

// TestRecordWritesEverything checks that a capture that is only annotated holds every packet of any
// link type byte for byte, whatever rules decide.
func TestRecordWritesEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules, to := filepath.Join(dir, "rules.lua"), filepath.Join(dir, "out.pcapng")
	script := `rule "a" { on = { flow.conn_start, flow.udp_start }, verdict = flow.cut }  rule "b" { on = flow.orphan, verdict = flow.drop }`
	if err := os.WriteFile(rules, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	in := "../../examples/office/capture.pcap"
	var stdout, logs bytes.Buffer
	if code := run([]string{"replay", in, "-s", rules, "--write", to, "-q"}, nil, &stdout, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	want, got := readFrames(t, in), readFrames(t, to)
	noted := 0
	for i := range got {
		if bytes.Contains(got[i].Comment, []byte("/rules.lua: ")) {
			noted++
		}
		got[i].Comment = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if noted != len(want)-2 { // two are no IP
		t.Errorf("%d of %d packets say what was decided", noted, len(want))
	}
}

// TestOverlapPerRule sends bytes again with other values, and wants of each stream the copies that
// rules ask for in whose scope the connection is.
func TestOverlapPerRule(t *testing.T) {
	t.Parallel()
	path := frames(t, toServer(0, 0, packet.SYN, ""), toClient(0, 1, packet.SYN|packet.ACK, ""), toServer(1, 1, packet.ACK, ""),
		toServer(1, 1, packet.ACK, "first"), toServer(1, 1, packet.ACK, "LATER"), toClient(1, 6, packet.ACK, "once"), toClient(1, 6, packet.ACK, "ONCE"))
	const look = `
rule "look" { on = flow.conn_end, run = function(c) alert("sent", { text = c.client.sent:peek() .. " " .. c.server.sent:peek() }) end }
`
	for _, tc := range []struct {
		name, rules, want, says string
		flags                   []string
	}{
		{name: "default", want: "first once"},
		{name: "setting", want: "LATER once", flags: []string{"--flow", "overlap_client=last"}},
		{name: "both sides", rules: `rule "a" { on = flow.new_data, overlap = "last", run = function() end }`, want: "LATER ONCE"},
		{name: "a side", rules: `rule "a" { on = flow.new_data, overlap = { server = "last" }, run = function() end }`, want: "first ONCE"},
		{
			name: "over the setting", rules: `rule "a" { on = flow.new_data, overlap = { client = "first" }, run = function() end }`,
			want: "first once", flags: []string{"--flow", "overlap_client=last"},
		},
		{name: "in scope", rules: `rule "a" { on = { flow.new_data, flow.rexmit }, scope = "dst port 80", overlap = "last", run = function() end }`, want: "LATER ONCE"},
		{name: "out of scope", rules: `rule "a" { on = flow.new_data, scope = "dst port 81", overlap = "last", run = function() end }`, want: "first once"},
		{name: "not enabled", rules: `rule "a" { on = flow.new_data, enabled = false, overlap = "last", run = function() end }`, want: "first once"},
		{
			name: "order", rules: `rule "a" { on = flow.new_data, scope = "tcp", overlap = { client = "first" }, run = function() end }
rule "b" { on = flow.new_data, priority = 5, overlap = { client = "last" }, run = function() end }`,
			want: "LATER once", says: "1 connections whose rules disagree on overlaps",
		},
		{
			name: "warning", rules: `rule "a" { on = flow.new_data, overlap = "first", run = function() end }
rule "b" { on = flow.new_data, overlap = "last", run = function() end }`,
			want: "first once", says: `warning: overlap: rule "a" of `,
		},
	} {
		var out bytes.Buffer
		rules := filepath.Join(t.TempDir(), "rules.lua")
		if err := os.WriteFile(rules, []byte(tc.rules+look), 0o644); err != nil {
			t.Fatal(err)
		}
		var logs bytes.Buffer
		if code := run(append([]string{"replay", path, "-s", rules}, tc.flags...), nil, &out, &logs); code != exitDone {
			t.Fatalf("%s: exit %d\n%s", tc.name, code, &logs)
		}
		if !strings.Contains(out.String(), `"text":"`+tc.want+`"`) || !strings.Contains(logs.String(), tc.says) {
			t.Errorf("%s: want %s, %s\n%s%s", tc.name, tc.want, tc.says, &out, &logs)
		}
	}
}
