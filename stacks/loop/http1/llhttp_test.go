package http1

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpus opens a file of messages that others collected.
func corpus(t *testing.T, name string, each func(line []byte)) {
	t.Helper()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = "../../../../shared/corpora/public"
	}
	f, err := os.Open(filepath.Join(dir, "http", name))
	if err != nil {
		t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		each(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// llhttpCase is a case of llhttp's own tests: what its callbacks are told.
type llhttpCase struct {
	ID     string
	Name   string
	Kind   string
	Input  []byte `json:"input_b64"`
	Expect []string
	Error  *string
}

var spanLine = regexp.MustCompile(`^off=\d+ len=\d+ span\[([a-z_.]+)\]=(".*")$`)

// messages makes of the callbacks what a reader gives.
func (c *llhttpCase) messages(t *testing.T) []message {
	t.Helper()
	var all []message
	var m message
	spans := map[string]string{}
	for _, line := range c.Expect {
		if s := spanLine.FindStringSubmatch(line); s != nil {
			text, err := strconv.Unquote(s[2])
			if err != nil {
				text = s[2][1 : len(s[2])-1]
			}
			spans[s[1]] += text
			continue
		}
		switch _, what, _ := strings.Cut(line, " "); {
		case strings.HasSuffix(what, "body=lf"):
			spans["body"] += "\n"
		case what == "message begin":
			m, spans = message{}, map[string]string{}
		case what == "header_value complete":
			m.fields += spans["header_field"] + ": " + strings.TrimRight(spans["header_value"], " \t") + "\n"
			delete(spans, "header_field")
			delete(spans, "header_value")
		case strings.HasPrefix(what, "headers complete"):
			m.first = spans["method"] + " " + spans["url"]
			if i := strings.Index(what, "status="); i >= 0 {
				m.first = strings.Fields(what[i+len("status="):])[0] + " " + spans["status"]
			}
		case what == "message complete":
			m.body = spans["body"]
			all = append(all, m)
		}
	}
	return all
}

// stricter are cases that llhttp accepts and this package refuses, and why.
var stricter = map[string]string{
	"request/method.md:374":             "ICE is another protocol",
	"request/method.md:404":             "RTSP is another protocol",
	"request/method.md:432":             "RTSP is another protocol",
	"response/sample.md:42":             "RTSP is another protocol",
	"request/uri.md:167":                "a fragment is never sent; programs disagree whether it belongs to the path",
	"response/transfer-encoding.md:45":  "content whose end is unclear, in a response too",
	"response/transfer-encoding.md:76":  "content whose end is unclear, in a response too",
	"response/transfer-encoding.md:114": "content whose end is unclear, in a response too",
}

// otherwise are cases that both accept, or only this package, with another
// outcome, and why.
var otherwise = map[string]string{
	"request/content-length.md:102":    "not whole: what is wrong with the head is said at its end",
	"request/invalid.md:492":           "not whole: the request line has no end",
	"request/invalid.md:511":           "not whole: the line has no end",
	"request/invalid.md:358":           "any token is a method; that a server does not know it is not the parser's to say",
	"request/content-length.md:446":    "the case resets llhttp in the middle",
	"response/content-length.md:125":   "the case resets llhttp in the middle",
	"response/sample.md:198":           "what the case expects leaves its content out, a line feed",
	"request/transfer-encoding.md:188": "trailers are checked and dropped, not merged with the head",
}

// TestLLHTTP compares with what llhttp's tests say of its strict mode.
func TestLLHTTP(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	corpus(t, "llhttp.jsonl", func(line []byte) {
		var c llhttpCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Kind == "url" || strings.Contains(c.Kind, "lenient") {
			return
		}
		counts[c.compare(t)]++
	})
	t.Logf("cases: %v", counts)
	if counts["same"] < 65 || counts["refused by both"] < 40 {
		t.Errorf("too few agree: %v", counts)
	}
}

func (c *llhttpCase) compare(t *testing.T) string {
	t.Helper()
	r := newReader(strings.HasPrefix(c.Kind, "response"))
	r.feed(c.Input)
	want := c.messages(t)
	refused := c.Error != nil && !strings.HasPrefix(*c.Error, "22") && !strings.HasPrefix(*c.Error, "5 ")
	switch {
	case refused && r.err != nil:
		return "refused by both"
	case stricter[c.ID] != "":
		if r.err == nil {
			t.Errorf("%s %s: no longer refused", c.ID, c.Name)
		}
		return "stricter"
	case otherwise[c.ID] != "":
		return "otherwise"
	case refused:
		t.Errorf("%s %s: accepted, want %s\n%q", c.ID, c.Name, *c.Error, c.Input)
		return "wrong"
	case r.err != nil:
		t.Errorf("%s %s: %v\n%q", c.ID, c.Name, r.err, c.Input)
		return "wrong"
	}
	got := r.got
	for i := range got {
		got[i].minor, got[i].keep = 0, false
	}
	if c.Error != nil && len(got) > len(want) {
		got = got[:len(want)]
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(message{})); d != "" {
		t.Errorf("%s %s: %s\n%q", c.ID, c.Name, d, c.Input)
		return "wrong"
	}
	return "same"
}
