package wsframe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHandshake has the example of RFC 6455 section 1.3.
func TestHandshake(t *testing.T) {
	t.Parallel()
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
	for key, want := range map[string]bool{
		"dGhlIHNhbXBsZSBub25jZQ==":   true,
		NewKey():                     true,
		"":                           false,
		"dGhlIHNhbXBsZSBub25jZQ":     false,
		"dGhlIHNhbXBsZSBub25jZR==":   false, // bits behind the last byte
		"dGhlIHNhbXBsZSBub25j":       false,
		"dGhlIHNh\nbXBsZSBub25jZQ==": false,
	} {
		if ValidKey(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}

// TestInflateExamples has the examples of RFC 7692 section 7.2.3.
func TestInflateExamples(t *testing.T) {
	t.Parallel()
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for _, c := range []struct{ name, in, want string }{
		{"one frame", "\xc1\x07" + hello, `text "Hello"`},
		{"fragments", "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", `text "Hello"`},
		{"twice, by takeover", "\xc1\x07" + hello + "\xc1\x05\xf2\x00\x11\x00\x00", `text "Hello", text "Hello"`},
		{"stored", "\xc1\x0b\x00\x05\x00\xfa\xffHello\x00", `text "Hello"`},
		{"last block", "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", `text "Hello"`},
		{"two blocks", "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", `text "Hello"`},
		{"empty", "\xc1\x01\x00", `text ""`},
		{"not compressed", "\x81\x05Hello", `text "Hello"`},
		{"bit of a continuation", "\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00", "error 1002"},
		{"bit of a ping", "\xc9\x00", "error 1002"},
		{"junk", "\xc1\x03\xff\xff\xff", "error 1007"},
		{"not UTF-8", "\xc1\x07\x00\x01\x00\xfe\xff\xff\x00", "error 1007"},
	} {
		for _, piece := range []int{1, 3, 100} {
			if got := readAll(NewReader(Config{Deflate: &Deflate{}}), c.in, piece); got != c.want {
				t.Errorf("%s in pieces of %d: %s, want %s", c.name, piece, got, c.want)
			}
		}
	}
	r := NewReader(Config{Deflate: &Deflate{ServerNoTakeover: true}})
	if got := readAll(r, "\xc1\x07"+hello+"\xc1\x05\xf2\x00\x11\x00\x00", 100); got != `text "Hello", error 1007` {
		t.Errorf("reference to a message before, which was excluded: %s", got)
	}
}

// TestDeflateBoth sends messages of many sizes each way, and a window's end of them.
func TestDeflateBoth(t *testing.T) {
	t.Parallel()
	shared := new(Flater)
	d := Agree(Offer)
	client := Config{Deflate: d, Flater: shared, MaxMessage: 1 << 20}
	server := client
	server.Server = true
	for _, pair := range [][2]Config{{client, server}, {server, client}} {
		w, r := NewWriter(pair[0]), NewReader(pair[1])
		w.DeflateMin = 0
		for n := 1; n <= 1<<20; n *= 4 {
			in := strings.Repeat("abcdefghij klmnop ", n/18+1)[:n]
			sent := w.Append(nil, Text, []byte(in))
			if n > 1000 && len(sent) > n/4 {
				t.Errorf("%d bytes became %d", n, len(sent))
			}
			m, used, ok, err := r.Next(sent)
			if !ok || err != nil || used != len(sent) || string(m.Data) != in {
				t.Fatalf("%d bytes: %v %v", n, ok, err)
			}
		}
	}
	if len(shared.in) != 1 || len(shared.out) != 1 {
		t.Errorf("%d and %d compressors for one user at a time", len(shared.in), len(shared.out))
	}
}

// TestWindow keeps the last 32 KiB over messages of all sizes.
func TestWindow(t *testing.T) {
	t.Parallel()
	r := NewReader(Config{Deflate: &Deflate{}})
	all := ""
	for n := 1; n < 70000; n = n*3 + 1 {
		s := strings.Repeat(string(rune('a'+n%26)), n)
		all += s
		r.remember([]byte(s))
		if want := all[max(0, len(all)-window):]; string(r.window) != want {
			t.Fatalf("after %d bytes: %d in the window", len(all), len(r.window))
		}
	}
}

// TestBomb inflates to the bound and no further.
func TestBomb(t *testing.T) {
	w := NewWriter(Config{Server: true, Deflate: &Deflate{}})
	bomb := w.Append(nil, Binary, make([]byte, 64<<20))
	if len(bomb) > 1<<20 {
		t.Fatalf("bomb of %d bytes", len(bomb))
	}
	r := NewReader(Config{Deflate: &Deflate{}, MaxMessage: 1 << 20})
	var err error
	spent := testing.AllocsPerRun(1, func() { _, err = r.inflate(bomb[10:]) })
	if e, ok := err.(*Error); !ok || e.Code != TooBig || spent > 60 {
		t.Errorf("%v, %v allocations", err, spent)
	}
}

func TestAgree(t *testing.T) {
	t.Parallel()
	both := &Deflate{ServerNoTakeover: true, ClientNoTakeover: true}
	for offers, want := range map[string]*Deflate{
		"":                   nil,
		"x-webkit-deflate":   nil,
		"permessage-deflate": both,
		Offer:                both,
		"permessage-deflate; client_max_window_bits":                                       both,
		"permessage-deflate; client_max_window_bits=10":                                    both,
		"foo, Permessage-Deflate ; Server_no_context_takeover":                             both,
		"permessage-deflate; server_max_window_bits=10":                                    nil,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":                both,
		`permessage-deflate; server_max_window_bits="15"`:                                  {true, true, 15, 0},
		"permessage-deflate; server_max_window_bits=7":                                     nil,
		"permessage-deflate; server_max_window_bits=010":                                   nil,
		"permessage-deflate; server_max_window_bits":                                       nil,
		"permessage-deflate; unknown":                                                      nil,
		"permessage-deflate; server_no_context_takeover=1":                                 nil,
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover":       nil,
		"permessage-deflate;":                                                              nil,
		"permessage-deflate; client_max_window_bits=16, permessage-deflate; what, nothing": nil,
	} {
		if d := cmp.Diff(want, Agree(offers)); d != "" {
			t.Errorf("%q: %s", offers, d)
		}
	}
	for answer, ok := range map[string]bool{
		"":                   true,
		"permessage-deflate": true,
		"permessage-deflate; server_max_window_bits=9": true,
		Offer: true,
		"permessage-deflate; client_max_window_bits=9": false,
		"permessage-deflate, permessage-deflate":       false,
		"foo":                                          false,
	} {
		if _, err := Agreed(answer); (err == nil) != ok {
			t.Errorf("%q: %v", answer, err)
		}
	}
	if got := Agree("permessage-deflate; server_max_window_bits=15").String(); got != Offer+"; server_max_window_bits=15" {
		t.Error(got)
	}
}
