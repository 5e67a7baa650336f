package diag

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErrorIsOneLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    Diagnostic
		want string
	}{
		{Diagnostic{File: "a.lua", Line: 3, Col: 7, Msg: "no"}, "a.lua:3:7: no"},
		{Diagnostic{File: "a.lua", Line: 3, Msg: "no"}, "a.lua:3: no"},
		{Diagnostic{File: "a.lua", Col: 7, Msg: "no"}, "a.lua: no"},
		{Diagnostic{Line: 3, Col: 7, Msg: "no"}, "3:7: no"},
		{Diagnostic{Msg: "no"}, "no"},
	} {
		if got := tt.d.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 400) + "!" + strings.Repeat("y", 400)
	for _, tt := range []struct {
		name string
		d    Diagnostic
		want string
	}{
		{
			"caret, width and hint",
			Diagnostic{File: "a.lua", Line: 2, Col: 5, Msg: "unknown field 'dprt'", Source: "if c.dprt then", Width: 6, Hint: "did you mean 'dport'?"},
			"a.lua:2:5: error: unknown field 'dprt'\n  if c.dprt then\n      ^~~~~~\n  hint: did you mean 'dport'?\n",
		},
		{
			"tabs are repeated under the line",
			Diagnostic{File: "a.lua", Line: 1, Col: 3, Msg: "m", Source: "\t\tx = 1"},
			"a.lua:1:3: error: m\n  \t\tx = 1\n  \t\t^\n",
		},
		{
			"wide and combining characters keep the caret in place",
			Diagnostic{File: "a.lua", Line: 1, Col: 1 + len("\"世e\u0301\" "), Msg: "m", Source: "\"世e\u0301\" +"},
			"a.lua:1:10: error: m\n  \"世e\u0301\" +\n   \u3000   ^\n",
		},
		{
			"a caret past the end of the line",
			Diagnostic{Severity: Warning, File: "a.lua", Line: 1, Col: 4, Msg: "m", Source: "f()", Width: 9},
			"a.lua:1:4: warning: m\n  f()\n     ^\n",
		},
		{
			"no column, no caret",
			Diagnostic{File: "a.lua", Line: 1, Msg: "m", Source: "f()"},
			"a.lua:1: error: m\n  f()\n",
		},
		{
			"what drives terminals is replaced",
			Diagnostic{File: "a\x1b.lua", Msg: "m\x07", Source: "x\x1b[2J\xff\u202e"},
			"a\uFFFD.lua: error: m\uFFFD\n  x\uFFFD[2J\uFFFD\uFFFD\n",
		},
		{
			"an endless line is cut around the caret",
			Diagnostic{File: "a.lua", Line: 1, Col: 401, Msg: "m", Source: long},
			"a.lua:1:401: error: m\n  …" + strings.Repeat("x", 60) + "!" + strings.Repeat("y", 59) + "…\n  " + strings.Repeat(" ", 61) + "^\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := tt.d.Render(&b, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("Render (-want +got):\n%s", diff)
			}
			b.Reset()
			if err := tt.d.Render(&b, true); err != nil {
				t.Fatal(err)
			}
			plain := strings.NewReplacer(sgrReset, "", sgrBold, "", sgrError, "", sgrWarning, "", sgrHint, "").Replace(b.String())
			if diff := cmp.Diff(tt.want, plain); diff != "" {
				t.Errorf("coloured Render says something else (-want +got):\n%s", diff)
			}
		})
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestRenderReportsAWriteError(t *testing.T) {
	t.Parallel()
	list := List{{File: "a.lua", Msg: "m"}}
	if err := list.Render(brokenPipe{}, false); !errors.Is(err, errPipe) {
		t.Errorf("Render to a broken pipe = %v, want %v", err, errPipe)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	a := &Diagnostic{File: "a.lua", Line: 2, Msg: "second"}
	b := &Diagnostic{File: "a.lua", Line: 2, Msg: "third", Severity: Warning}
	c := &Diagnostic{File: "a.lua", Line: 1, Msg: "first"}
	d := &Diagnostic{File: "b.lua", Line: 1, Msg: "fourth"}
	list := List{d, b, a, c}
	list.Sort()
	if diff := cmp.Diff(List{c, a, b, d}, list); diff != "" {
		t.Errorf("Sort (-want +got):\n%s", diff)
	}
	if got, want := list.Error(), "a.lua:1: first (and 2 more)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := (List{b}).Error(), "a.lua:2: third"; got != want {
		t.Errorf("Error() of a warning = %q, want %q", got, want)
	}
	if err := (List{b}).Err(); err != nil {
		t.Errorf("Err() of a warning = %v, want nil", err)
	}
	var err error = list.Err()
	var found *Diagnostic
	if !errors.As(err, &found) || found != c {
		t.Errorf("errors.As found %v, want the first entry", found)
	}
	if !errors.Is(err, d) {
		t.Error("errors.Is does not find the last entry")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	list := List{
		{File: "a.lua", Line: 2, Col: 3, Msg: "m", Source: "s", Width: 4, Hint: "h"},
		{Severity: Warning, File: "b.lua", Msg: "n"},
	}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"severity":"error","file":"a.lua","line":2,"col":3,"msg":"m","source":"s","width":4,"hint":"h"},` +
		`{"severity":"warning","file":"b.lua","msg":"n"}]`
	if string(data) != want {
		t.Errorf("Marshal =\n%s\nwant\n%s", data, want)
	}
	var back List
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, back); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`[{"severity":"fatal"}]`), &back); err == nil {
		t.Error("an unknown severity was read")
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	fields := []string{"dport", "sport", "proto", "client", "server", "ip", "id", "ts", "rexmits", "größe"}
	for _, tt := range []struct{ name, want string }{
		{"dprot", "dport"}, // two neighbours swapped
		{"dpotr", "dport"}, // the same at the end
		{"cleint", "client"},
		{"servr", "server"},
		{"rexmit", "rexmits"},
		{"rexmtsi", "rexmits"},
		{"DPORT", "dport"}, // case is free
		{"grose", "größe"}, // runes, not bytes
		{"ipp", "ip"},
		{"xx", ""},   // a distance of the whole name says nothing
		{"x", ""},    // neither does one of one rune
		{"tz", "ts"}, // under four runes one change
		{"payload", ""},
		{"", ""},
		{strings.Repeat("a", 10_000), ""},
	} {
		if got := Nearest(tt.name, fields); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := Nearest("abcd", []string{"abcx", "abxd"}); got != "abcx" {
		t.Errorf("of equally near names %q won, want the first", got)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	src := []byte("local x1 = x -- x\r\n" +
		"print('x', \"\\\"x\", x)\n" +
		"--[[ x\n" +
		"x ]] y = x\n\r" +
		"s = [==[ x ]] ]==] .. x\r" +
		"only = 'here: z'\n" +
		"a == b\n" +
		"last")
	for _, tt := range []struct {
		line  int
		token string
		col   int
		text  string
	}{
		{1, "x", 12, "local x1 = x -- x"},
		{1, "x1", 7, "local x1 = x -- x"},
		{2, "x", 19, `print('x', "\"x", x)`},
		{4, "x", 10, "x ]] y = x"},
		{5, "x", 23, "s = [==[ x ]] ]==] .. x"},
		{6, "z", 15, "only = 'here: z'"}, // better in a string than nowhere
		{6, "missing", 0, "only = 'here: z'"},
		{7, "==", 3, "a == b"},
		{8, "last", 1, "last"},
		{8, "", 0, "last"},
		{9, "last", 0, ""},
		{0, "x", 0, ""},
	} {
		col, text := Locate(src, tt.line, tt.token)
		if col != tt.col || text != tt.text {
			t.Errorf("Locate(%d, %q) = %d, %q, want %d, %q", tt.line, tt.token, col, text, tt.col, tt.text)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add([]byte("x = 1\n--[[ x"), 1, "x")
	f.Add([]byte("'\\"), 1, "'")
	f.Add([]byte("[==[\r\n\n\r]=]"), 3, "]")
	f.Fuzz(func(t *testing.T, src []byte, line int, token string) {
		col, text := Locate(src, line%64, token)
		if col == 0 {
			return
		}
		if !strings.HasPrefix(text[col-1:], token) {
			t.Errorf("column %d of %q does not hold %q", col, text, token)
		}
	})
}
