package image

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/testbed"
)

// crit runs CRIU's own decoder and encoder of images.
func crit(t *testing.T, args ...string) {
	t.Helper()
	_, err := exec.LookPath("crit")
	testbed.Need(t, "crit (apt install criu)", err)
	if out, err := exec.Command("crit", args...).CombinedOutput(); err != nil {
		t.Fatalf("crit %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestCritReads has CRIU's own decoder read what is exported: each number is what it was,
// and written again by CRIU's encoder it is the same bytes.
func TestCritReads(t *testing.T) {
	t.Parallel()
	dir, m := t.TempDir(), sample()
	if err := m.ExportCRIU(dir, 0x2a91); err != nil {
		t.Fatal(err)
	}
	exported, decoded, again := filepath.Join(dir, "tcp-stream-2a91.img"), filepath.Join(dir, "stream.json"), filepath.Join(dir, "again.img")
	crit(t, "decode", "-i", exported, "-o", decoded)
	text, err := os.ReadFile(decoded)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Magic   string
		Entries []struct {
			Stream
			Extra struct{ Inq, Outq string }
		}
	}
	// CRIU's names are the fields' with underscores.
	dec := json.NewDecoder(bytes.NewReader(bytes.ReplaceAll(text, []byte("_"), nil)))
	if err := dec.Decode(&got); err != nil || got.Magic != "TCPSTREAM" || len(got.Entries) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	e := got.Entries[0]
	e.Has = m.Stream.Has
	if diff := cmp.Diff(m.Stream, e.Stream); diff != "" {
		t.Errorf("numbers (-ours +crit's):\n%s", diff)
	}
	for what, pair := range map[string][2]string{"receive": {string(m.Recv), e.Extra.Inq}, "send": {string(m.Send), e.Extra.Outq}} {
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(pair[1])); err != nil || string(b) != pair[0] {
			t.Errorf("%s queue is %q, %v", what, b, err)
		}
	}
	crit(t, "encode", "-i", decoded, "-o", again)
	ours, _ := os.ReadFile(exported)
	if theirs, err := os.ReadFile(again); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("other bytes: %v\n%x\n%x", err, ours, theirs)
	}
}

// TestCritWrites imports connections from images that CRIU's own encoder wrote: the list
// of files with sockets of all sorts in it, and their streams.
func TestCritWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		crit(t, "encode", "-i", path+".json", "-o", path)
	}
	const rest = `"flags":"0x2","backlog":0,"fown":{"uid":0,"euid":0,"signum":0,"pid_type":0,"pid":0},
		"opts":{"so_sndbuf":1,"so_rcvbuf":1,"so_snd_tmo_sec":0,"so_snd_tmo_usec":0,"so_rcv_tmo_sec":0,"so_rcv_tmo_usec":0}`
	write("files.img", `{"magic":"FILES","entries":[
		{"type":"INETSK","id":1,"isk":{"id":1,"ino":41,"family":"INET","type":"DGRAM","proto":"UDP","state":"CLOSE","src_port":53,"dst_port":0,"src_addr":["0.0.0.0"],"dst_addr":["0.0.0.0"],`+rest+`}},
		{"type":"INETSK","id":2,"isk":{"id":2,"ino":42,"family":"INET","type":"STREAM","proto":"TCP","state":"ESTABLISHED","src_port":80,"dst_port":10000,"src_addr":["10.0.2.1"],"dst_addr":["10.0.2.2"],`+rest+`}},
		{"type":"INETSK","id":3,"isk":{"id":3,"ino":43,"family":"INET6","type":"STREAM","proto":"TCP","state":"CLOSE_WAIT","src_port":443,"dst_port":20000,"src_addr":["2001:db8::1"],"dst_addr":["2001:db8::2"],`+rest+`}}]}`)
	stream := func(in, out string) string {
		e := map[string]any{
			"inq_len": len(in), "inq_seq": 100, "outq_len": len(out), "outq_seq": 200, "opt_mask": 7, "snd_wscale": 7, "mss_clamp": 1460,
			"rcv_wscale": 10, "timestamp": 300, "unsq_len": 0, "snd_wl1": 1, "snd_wnd": 2, "max_window": 3, "rcv_wnd": 4, "rcv_wup": 5,
			"extra": map[string]string{"inq": base64.StdEncoding.EncodeToString([]byte(in)), "outq": base64.StdEncoding.EncodeToString([]byte(out))},
		}
		b, err := json.Marshal(map[string]any{"magic": "TCP_STREAM", "entries": []any{e}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for ino, want := range map[uint32]struct {
		file, local, remote string
		state               uint8
		in, out             string
	}{
		42: {"tcp-stream-2a.img", "10.0.2.1:80", "10.0.2.2:10000", 1, "request", "answer"},
		43: {"tcp-stream-2b.img", "[2001:db8::1]:443", "[2001:db8::2]:20000", 8, "", ""},
	} {
		write(want.file, stream(want.in, want.out))
		m, err := ImportCRIU(dir, ino)
		if err != nil {
			t.Errorf("%d: %v", ino, err)
			continue
		}
		if m.Local.String() != want.local || m.Remote.String() != want.remote || m.State != want.state ||
			string(m.Recv) != want.in || string(m.Send) != want.out || m.Stream.Timestamp != 300 {
			t.Errorf("%d: %v-%v in %d, %q %q", ino, m.Local, m.Remote, m.State, m.Recv, m.Send)
		}
	}
}
