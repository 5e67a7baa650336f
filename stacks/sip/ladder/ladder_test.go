package ladder

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookd/hookd/engine/event/sipev"
)

var update = flag.Bool("update", false, "write golden files")

// Ends of the calls below; the last are too long for a column of their own.
var ends = map[string]netip.AddrPort{
	"alice": netip.MustParseAddrPort("192.0.2.1:5060"), "proxy": netip.MustParseAddrPort("192.0.2.100:5060"), "bob": netip.MustParseAddrPort("192.0.2.2:5080"),
	"six": netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:5060"),
}

// second0 is when calls begin.
const second0 = 1_700_000_000 * 1_000_000_000

// text makes a message of few words: "INVITE", "200 OK INVITE", and further lines.
func text(words, callID string, lines ...string) []byte {
	start, method := words+" sip:bob@example.com SIP/2.0", words
	if f := strings.Fields(words); len(f) > 1 {
		start, method = "SIP/2.0 "+strings.Join(f[:len(f)-1], " "), f[len(f)-1]
	}
	head := []string{
		start, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "Max-Forwards: 70", "From: Alice <sip:alice@example.com>;tag=a", "To: <sip:bob@example.com>",
		"Call-ID: " + callID, "CSeq: 7 " + method,
	}
	return []byte(strings.Join(append(head, lines...), "\r\n") + "\r\n\r\n")
}

// script adds the steps of a call, one a line: time in ms, from, to, message, further lines
// behind bars.
func script(b *Book, callID, steps string) {
	for line := range strings.Lines(strings.TrimSpace(steps)) {
		var ms int64
		var from, to string
		parts := strings.Split(strings.TrimSpace(line), "|")
		if _, err := fmt.Sscan(parts[0], &ms, &from, &to); err != nil {
			panic(line)
		}
		words := strings.Join(strings.Fields(parts[0])[3:], " ")
		b.Add(second0+ms*1_000_000, ends[from], ends[to], sipev.TransportUDP, text(words, callID, parts[1:]...))
	}
}

const answered = `
0 alice proxy INVITE|Content-Type: application/sdp;x=y|Content-Length: 5||v=0|
1 proxy alice 100 Trying INVITE
2 proxy bob INVITE|Content-Type: Application/SDP|Content-Length: 5||v=0|
502 proxy bob INVITE|Content-Type: Application/SDP|Content-Length: 5||v=0|
510 bob proxy 180 Ringing INVITE
511 proxy alice 180 Ringing INVITE
2000 bob proxy 200 OK INVITE
2001 proxy alice 200 OK INVITE
2050 alice proxy ACK
2051 proxy bob ACK
61000 bob proxy BYE
61001 proxy alice BYE
61003 alice proxy 200 OK BYE
61004 proxy bob 200 OK BYE
`

const odd = `
0 alice alice MESSAGE|Content-Type: text/plain|Content-Length: 2||hi
10 alice six REFER
20 six alice 603 This is declined, and a long sentence says why that is so and not another way REFER
30 alice six INFO|Content-Type: application/vnd.example+xml|Content-Length: 2||hi
3600000 six proxy OPTIONS
`

func TestDraw(t *testing.T) {
	t.Parallel()
	b := NewBook(nil)
	script(b, "answered", answered)
	script(b, "odd", odd)
	b.Calls[1].Lost = 3
	for name, draw := range map[string]struct {
		call  *Call
		style Style
	}{
		"answered": {b.Calls[0], Style{}}, "ascii": {b.Calls[0], Style{ASCII: true, Width: 80}}, "narrow": {b.Calls[0], Style{Width: 57}},
		"list": {b.Calls[0], Style{Width: 50}}, "odd": {b.Calls[1], Style{}}, "odd_list": {b.Calls[1], Style{Width: 1}},
	} {
		var out strings.Builder
		if err := draw.call.Draw(&out, draw.style); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for line := range strings.Lines(out.String()) {
			if w := draw.style.Width; w > 60 && strings.HasPrefix(line, " ") && utf8.RuneCountInString(line) > w+1 {
				t.Errorf("%s: %d columns are asked for, and a line has %d", name, w, utf8.RuneCountInString(line))
			}
			if strings.HasSuffix(line, " \n") {
				t.Errorf("%s: a line ends in blanks", name)
			}
		}
	}
}

// TestManyColumns: columns have letters beyond Z.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	for i, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 51: "AZ", 52: "BA", 701: "ZZ", 702: "AAA"} {
		if got := letter(i); got != want {
			t.Errorf("column %d is %s, want %s", i, got, want)
		}
	}
	b := NewBook(nil)
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 5060)
	}
	for i := range 27 {
		b.Add(second0, at(i), at(i+1), sipev.TransportTCP, text("OPTIONS", "many"))
	}
	var out strings.Builder
	if err := b.Calls[0].Draw(&out, Style{}); err != nil {
		t.Fatal(err)
	}
	if want := "\n  Z  10.0.0.25:5060\n  AA  10.0.0.26:5060\n"; !strings.Contains(out.String(), want) {
		t.Errorf("the head is\n%s", &out)
	}
}

// failing is a writer that fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestDrawNothing(t *testing.T) {
	t.Parallel()
	b := NewBook(nil)
	script(b, "one", "0 alice bob OPTIONS")
	if err := b.Calls[0].Draw(failing{}, Style{}); err == nil {
		t.Error("what could not be written is not told of")
	}
	if err := (&Call{ID: "empty"}).Draw(failing{}, Style{}); err != nil {
		t.Error(err)
	}
}

// TestAdd: what is noted of a message.
func TestAdd(t *testing.T) {
	t.Parallel()
	step := func(change func(*Step)) Step {
		s := Step{
			TS: second0, CallID: "c", From: ends["alice"], To: ends["bob"], Proto: "udp", Method: "INVITE", CSeq: 7, FromUser: "alice", ToUser: "bob",
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	replace := func(old, with string) []byte {
		return []byte(strings.Replace(string(text("INVITE", "c")), old, with, 1))
	}
	for _, row := range []struct {
		name string
		raw  []byte
		want Step
	}{
		{"a request", text("INVITE", "c"), step(nil)},
		{"a reply", text("486 Busy Here INVITE", "c"), step(func(s *Step) { s.Code, s.Reason = 486, "Busy Here" })},
		{"no user", replace("sip:bob@example.com>", "sip:example.com>"), step(func(s *Step) { s.ToUser = "example.com" })},
		{"no SIP", replace("<sip:bob@example.com>", "<mailto:bob@example.com>"), step(func(s *Step) { s.ToUser = "mailto:bob@example.com" })},
		{"a telephone", replace("<sip:bob@example.com>", "<tel:+4930>"), step(func(s *Step) { s.ToUser = "+4930" })},
		{"a body of no type", text("INVITE", "c", "Content-Length: 1", "", "x"), step(nil)},
		{"blanks are no body", text("INVITE", "c", "Content-Type: text/plain", "Content-Length: 2", ""), step(nil)},
		{"another method in CSeq", replace("CSeq: 7 INVITE", "CSeq: 7 BYE"), step(func(s *Step) { s.Fault = "CSeq Names Another Method" })},
		{"the header does not end", []byte(strings.TrimSuffix(string(text("INVITE", "c")), "\r\n\r\n")), step(func(s *Step) { s.Fault = "Header Without End" })},
	} {
		b := NewBook(nil)
		b.Add(second0, ends["alice"], ends["bob"], sipev.TransportUDP, row.raw)
		if len(b.Calls) != 1 || len(b.Calls[0].Steps) != 1 {
			t.Errorf("%s: %+v", row.name, b)
			continue
		}
		if diff := cmp.Diff(row.want, b.Calls[0].Steps[0], cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

// TestCopies: the same message on the same way is a copy; on another way, or of other words,
// it is none.
func TestCopies(t *testing.T) {
	t.Parallel()
	b := NewBook(nil)
	script(b, "c", `
0 alice proxy INVITE
500 alice proxy INVITE
501 proxy bob INVITE
502 alice proxy INVITE|Subject: x
503 proxy alice INVITE
504 alice proxy INVITE
`)
	var got []bool
	for _, s := range b.Calls[0].Steps {
		got = append(got, s.Copy)
	}
	if diff := cmp.Diff([]bool{false, true, false, false, false, true}, got); diff != "" {
		t.Error(diff)
	}
}

// TestBook: calls stand in the order of their first messages, within the limits, and only
// those that are wanted.
func TestBook(t *testing.T) {
	t.Parallel()
	b := NewBook(func(id string) bool { return id != "unwanted" })
	add := func(raw []byte) { b.Add(0, ends["alice"], ends["bob"], sipev.TransportUDP, raw) }
	for _, id := range []string{"b", "unwanted", "a", "b"} {
		add(text("OPTIONS", id))
	}
	for _, bad := range []string{"", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", strings.Replace(string(text("OPTIONS", "c")), "Call-ID: c\r\n", "", 1)} {
		add([]byte(bad))
	}
	if len(b.Calls) != 2 || b.Calls[0].ID != "b" || len(b.Calls[0].Steps) != 2 || b.Calls[1].ID != "a" || b.Bad != 4 || b.Skipped != 0 {
		t.Errorf("%+v", b)
	}
	for range MaxSteps {
		add(text("OPTIONS", "a"))
	}
	if c := b.Calls[1]; len(c.Steps) != MaxSteps || c.Lost != 1 {
		t.Errorf("%d steps are kept, %d lost", len(c.Steps), c.Lost)
	}
	for i := range MaxCalls {
		add(text("OPTIONS", fmt.Sprint("n", i)))
	}
	if len(b.Calls) != MaxCalls || b.Skipped != 2 {
		t.Errorf("%d calls are kept, %d messages skipped", len(b.Calls), b.Skipped)
	}
	if out, err := json.Marshal(b.Calls[0]); err != nil || !strings.HasPrefix(string(out), `{"call_id":"b","steps":[{"ts":0,"call_id":"b","from":"192.0.2.1:5060"`) {
		t.Errorf("%s, %v", out, err)
	}
}

// TestClean: what peers say gives a terminal no orders.
func TestClean(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ in, want string }{
		{"plain Grüße ☎", "plain Grüße ☎"},
		{"a\x1b[31mb\x07\r\n\t", "a?[31mb????"},
		{"\x7f\u0085\u009b", "???"},
		{"left\u202eright\u200b", "left?right?"},
		{"\xff\xfe", "??"},
	} {
		if got := clean(row.in); got != row.want {
			t.Errorf("%q is shown as %q, want %q", row.in, got, row.want)
		}
	}
	b := NewBook(nil)
	b.Add(0, ends["alice"], ends["bob"], sipev.TransportUDP, text("200 \x1b]0;x\x07 OPTIONS", "c\x1b[2J"))
	var out strings.Builder
	for _, c := range b.Calls {
		if err := c.Draw(&out, Style{}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("%q", &out)
	}
}

// FuzzDraw: whatever is collected is drawn, at any width.
func FuzzDraw(f *testing.F) {
	f.Add(text("INVITE", "c"), text("200 OK INVITE", "c"), 60)
	f.Add(text("INVITE", "c", "Content-Type: x", "Content-Length: 1", "", "y"), []byte("SIP/2.0 200"), 0)
	f.Fuzz(func(t *testing.T, one, two []byte, width int) {
		b := NewBook(nil)
		b.Add(0, ends["alice"], ends["proxy"], sipev.TransportUDP, one)
		b.Add(1, ends["proxy"], ends["six"], sipev.TransportTLS, two)
		b.Add(2, ends["six"], ends["six"], sipev.TransportWS, one)
		for _, c := range b.Calls {
			var out strings.Builder
			if err := c.Draw(&out, Style{Width: width % 200, ASCII: width%2 == 0}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(out.String(), "\n"); got < 1+len(c.Steps) || !utf8.ValidString(out.String()) {
				t.Fatalf("%d lines for %d steps:\n%q", got, len(c.Steps), &out)
			}
		}
	})
}
