package msg

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/sip/msg/msgtest"
)

var update = flag.Bool("update", false, "write the pages and golden files anew")

// outcome says what the message layer makes of bytes that came in one datagram.
func outcome(raw []byte) string {
	var m Message
	if err := m.Parse(raw, DefaultLimits()); err != nil {
		return msgtest.Dropped
	}
	f := m.Check()
	if !f.Found() && m.IsRequest() {
		f = m.CheckHop()
	}
	switch {
	case !f.Found():
		return msgtest.Relayed
	case !m.IsRequest():
		return msgtest.Dropped
	default:
		return fmt.Sprintf("%d %s", f.Code, f.Reason)
	}
}

// TestTorture reads each message: what it says, and what a proxy has to find wrong in it. What
// then becomes of it the tests of the command line show, with a whole proxy.
func TestTorture(t *testing.T) {
	t.Parallel()
	for _, row := range msgtest.Tortures {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			raw := row.Raw(t, "../../..")
			if got := outcome(raw); got != row.Want {
				t.Fatalf("got %q, want %q of\n%s", got, row.Want, raw)
			}
			var m Message
			if m.Parse(raw, DefaultLimits()) != nil {
				return
			}
			var e Edits
			e.Reset(&m)
			if !bytes.Equal(e.AppendTo(nil), raw) {
				t.Error("written without edits it is another message")
			}
			m.TrimBody()
			for want := range strings.SplitSeq(row.Reads, "; ") {
				what, _, _ := strings.Cut(want, "=")
				if got := what + "=" + read(&m, what); row.Reads != "" && got != want {
					t.Errorf("read %q, want %q", got, want)
				}
			}
		})
	}
}

// read returns what a message says about one thing: method, user (unescaped), host, port and
// params of its URI, forwards, cseq, vias, fromtag, totag, display (To's, without quotes),
// contacts, body, parts, sdp, reason; empty for what it does not have.
func read(m *Message, what string) string {
	uri, _ := ParseURI(m.RequestURI())
	from, _ := m.Address(From)
	to, _ := m.Address(To)
	switch what {
	case "method":
		return m.Method().String()
	case "user":
		return string(Unescape(nil, uri.User))
	case "host":
		return string(uri.Host)
	case "port":
		return strconv.Itoa(int(uri.Port))
	case "forwards":
		n, ok, err := m.MaxForwards()
		if !ok || err != nil {
			return ""
		}
		return strconv.Itoa(n)
	case "cseq":
		seq, _ := m.CSeq()
		return strconv.FormatUint(uint64(seq.Number), 10)
	case "vias":
		return vias(m)
	case "fromtag":
		return string(from.Tag())
	case "totag":
		return string(to.Tag())
	case "display":
		return string(Unquote(nil, to.Display))
	case "contacts":
		return contacts(m)
	case "body":
		return strconv.Itoa(len(m.Body()))
	case "parts":
		n := 0
		_ = m.Parts(func(Part) bool { n++; return true })
		return strconv.Itoa(n)
	case "sdp":
		return media(m)
	case "reason":
		return string(m.Reason())
	}
	return "nothing of that name is read"
}

// vias lists transport, host and port of each Via.
func vias(m *Message) string {
	var list []string
	for v := m.Values(ViaName); v.Next(); {
		via, err := ParseVia(v.Value())
		if err != nil {
			return err.Error()
		}
		text := fmt.Sprintf("%s/%s", via.Transport, via.Host)
		if via.Port != 0 {
			text += fmt.Sprint(":", via.Port)
		}
		if received, ok := via.Params.Get("received"); ok {
			text += "/" + string(received)
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// contacts lists the URIs of Contact, as written.
func contacts(m *Message) string {
	var list []string
	for v := m.Values(Contact); v.Next(); {
		a, err := ParseAddress(v.Value())
		if err != nil {
			return err.Error()
		}
		list = append(list, string(a.URI))
	}
	return strings.Join(list, " ")
}

// media lists the connection addresses of a session description.
func media(m *Message) string {
	var list []string
	sdp, _ := m.SDP()
	SDPLines(sdp, func(l SDPLine) bool {
		if l.Type == 'c' {
			list = append(list, string(l.Value))
		}
		return true
	})
	return strings.Join(list, ", ")
}

// TestTorturePage keeps the page in step with the table.
func TestTorturePage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# What becomes of the torture messages\n\n" +
		"The messages of RFC 4475 and RFC 5118, as a proxy here treats each: it relays the message byte for byte but for what a\n" +
		"hop has to change, answers it, or drops it; beside that, what a registrar answers, with what is registered then, and what is\n" +
		"read of it. Tests hold every column: `stacks/sip/msg/torture_test.go` reads the messages, `cmd/hookd/sip_torture_test.go` gives\n" +
		"them to a whole proxy. A proxy leaves to the ends of a call what only they need to understand.\n\n" +
		"| RFC, section | message | outcome | at a registrar | read | why |\n|---|---|---|---|---|---|\n")
	for _, r := range msgtest.Tortures {
		code := func(text string) string {
			if text == "" {
				return ""
			}
			return "`" + text + "`"
		}
		fmt.Fprintf(&b, "| %s, %s | `%s` | %s | %s | %s | %s |\n", r.RFC, r.Section, r.Name, r.Want, code(r.Registrar), code(r.Reads), r.Note)
	}
	path := filepath.Join("..", "..", "..", "spec", "sip", "torture.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), b.String()); diff != "" {
		t.Errorf("the page is stale, run with -update:\n%s", diff)
	}
}
