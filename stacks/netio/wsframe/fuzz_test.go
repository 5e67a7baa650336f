package wsframe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// corpus returns the inputs for WebSockets that others fuzzed with.
func corpus(t testing.TB) (inputs [][]byte) {
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora/public"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "ws", "*.jsonl"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var row struct {
				Input string `json:"input_b64"`
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatal(err)
			}
			in, err := base64.StdEncoding.DecodeString(row.Input)
			if err != nil {
				t.Fatal(err)
			}
			inputs = append(inputs, in)
		}
	}
	return inputs
}

// TestCorpus reads what others fuzzed with, as frames of either end.
func TestCorpus(t *testing.T) {
	t.Parallel()
	inputs := corpus(t)
	if len(inputs) == 0 {
		t.Skip("corpora absent: set HOOKD_CORPORA")
	}
	for _, in := range inputs {
		for flags := range byte(8) {
			same(t, in, flags)
		}
	}
}

// same wants what a Reader tells to be the same however the bytes come in.
func same(t *testing.T, in []byte, flags byte) {
	cfg := Config{Server: flags&1 != 0, Fragments: flags&2 != 0, MaxMessage: 1 << 16}
	if flags&4 != 0 {
		cfg.Deflate = &Deflate{}
	}
	whole := readAll(NewReader(cfg), string(in), 1<<20)
	for _, piece := range []int{1, 2, 5, 13} {
		if got := readAll(NewReader(cfg), string(in), piece); got != whole {
			t.Fatalf("flags %d in pieces of %d: %.200s, whole: %.200s", flags, piece, got, whole)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, in := range []string{
		frame(Text, false, "a\xce") + frame(Ping, true, "p") + frame(Continuation, true, "\xba"),
		frame(Close, true, "\x03\xe8bye"),
		"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
		plain(Binary, true, string(make([]byte, 300))),
		"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00x",
	} {
		for flags := range byte(8) {
			f.Add([]byte(in), flags)
		}
	}
	for i, in := range corpus(f) {
		f.Add(in, byte(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, flags byte) {
		if len(in) < 1<<14 {
			same(t, in, flags)
		}
	})
}

// FuzzRoundTrip writes messages, compressed or not, in one frame or several, and
// reads them back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello"), byte(1), uint16(2))
	f.Add(bytes.Repeat([]byte("hello "), 100), byte(6), uint16(0))
	flater := new(Flater) // making a compressor takes longer than all the rest
	f.Fuzz(func(t *testing.T, p []byte, flags byte, cut uint16) {
		cfg := Config{Server: flags&1 != 0, Deflate: Agree(Offer), Flater: flater}
		peer := cfg
		peer.Server = !cfg.Server
		w, r := NewWriter(cfg), NewReader(peer)
		var sent []byte
		if flags&2 != 0 {
			n := min(int(cut), len(p))
			sent = w.frame(nil, Header{Opcode: Binary}, p[:n])
			sent = w.frame(sent, Header{Opcode: Continuation, Fin: true}, p[n:])
		} else {
			sent = w.Append(nil, Binary, p)
		}
		m, n, ok, err := r.Next(sent)
		if !ok || err != nil || n != len(sent) || !bytes.Equal(m.Data, p) || m.Opcode != Binary {
			t.Fatalf("%v %v, %d of %d bytes", ok, err, n, len(sent))
		}
	})
}

// FuzzHandshake never panics, and agrees to nothing that it cannot read back.
func FuzzHandshake(f *testing.F) {
	f.Add(Offer)
	f.Add("permessage-deflate; server_max_window_bits=15; client_max_window_bits, foo")
	f.Fuzz(func(t *testing.T, s string) {
		if d := Agree(s); d != nil {
			if _, err := Agreed(d.String()); err != nil {
				t.Fatalf("%q: %q: %v", s, d.String(), err)
			}
		}
		if _, err := Agreed(s); err != nil && !errors.As(err, new(*Error)) {
			t.Fatal(err)
		}
		_ = ValidKey(s)
	})
}
