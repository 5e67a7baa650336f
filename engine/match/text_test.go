package match

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/cputime"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"", []string{""}, []string{"a"}},
		{"*", []string{"", "a", "\x00\xff"}, nil},
		{"**", []string{"", "a"}, nil},
		{"abc", []string{"abc"}, []string{"", "ab", "abcd", "xabc"}},
		{"a*", []string{"a", "ab"}, []string{"", "ba"}},
		{"*a", []string{"a", "ba"}, []string{"", "ab"}},
		{"a*a", []string{"aa", "aba"}, []string{"a", "ab"}},
		{"*a*", []string{"a", "bab"}, []string{"", "b"}},
		{"*ab*ab*", []string{"abab", "xabyabz"}, []string{"ab", "aab", "aba"}},
		{"a*ab", []string{"aab", "abab"}, []string{"ab"}},
		{"?", []string{"a", "\xff"}, []string{"", "ab"}},
		{"a?c*", []string{"abc", "a?cd"}, []string{"ac", "abd"}},
		{"*?b", []string{"ab", "bb", "aab"}, []string{"b", ""}},
		{"*a?c*", []string{"abc", "xaacx", "aaaabcd"}, []string{"ac", "aabdc"}},
		{"[abc]", []string{"a", "c"}, []string{"", "d", "ab"}},
		{"[a-c]*[!0-9]", []string{"ax", "b9x"}, []string{"a", "b9", "dx"}},
		{"[^a]", []string{"b", "^"}, []string{"a"}},
		{"[]a]", []string{"]", "a"}, []string{"b"}},
		{"[!]a]", []string{"b"}, []string{"]", "a"}},
		{"[a-]", []string{"a", "-"}, []string{"b"}},
		{`[\]-]x`, []string{"]x", "-x"}, []string{`\x`}},
		{`\*\?\[`, []string{"*?["}, []string{"ab["}},
		{"/api/*/status", []string{"/api/v1/status", "/api/a/b/status"}, []string{"/api/status"}},
	} {
		g, err := parseGlob(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.yes {
			if !g.match(s) {
				t.Errorf("%q is not like %s", s, tt.pattern)
			}
		}
		for _, s := range tt.no {
			if g.match(s) {
				t.Errorf("%q is like %s", s, tt.pattern)
			}
		}
	}
	for _, bad := range []string{"[", "[]", "[!]", "[a", "[a-", `[a\`, "[b-a]", `\`, `a*\`} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%s is a glob", bad)
		}
	}
}

// TestGlobLongParts has parts of more elements than a machine word has bits.
func TestGlobLongParts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{63, 64, 65, 127, 128, 129, 500} {
		pattern := "*" + strings.Repeat("?", n-1) + "x*"
		g, err := parseGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, n - 2, n - 1, n, 2 * n} {
			s := strings.Repeat("a", at) + "x" + strings.Repeat("b", 7)
			if got, want := g.match(s), at >= n-1; got != want {
				t.Errorf("%d elements, x at %d: %v", n, at, got)
			}
		}
	}
}

// TestGlobIsLinear runs a pattern on which trying again would take for ever.
func TestGlobIsLinear(t *testing.T) {
	t.Parallel()
	g, err := parseGlob(strings.Repeat("*a", 20) + strings.Repeat("*?a", 20) + "*b")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 1<<20) + "c"
	took := cputime.Of(func() {
		if g.match(text + "b" + "c") {
			t.Error("a text that ends with c is like a pattern that ends with b")
		}
		if !g.match(text + "b") {
			t.Error("the text is not like the pattern")
		}
	})
	if took > 5*time.Second {
		t.Errorf("a megabyte took %v", took)
	}
}

// globRegex translates a pattern for comparison.
func globRegex(pattern string) (*regexp.Regexp, bool) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			set, n, err := parseSet(pattern[i+1:])
			if err != nil {
				return nil, false
			}
			b.WriteString("[")
			for c := range 128 {
				if set.has(byte(c)) {
					fmt.Fprintf(&b, `\x%02x`, c)
				}
			}
			b.WriteString(`\x{10ffff}]`)
			i += n
		case '\\':
			if i++; i == len(pattern) {
				return nil, false
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	return re, err == nil
}

// FuzzGlob compares the matcher with a regular expression, on ASCII, where bytes
// are characters.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b?c", "axxbyc"}, {"[a-c]*[!x]", "bq"}, {`\*`, "*"}, {"*?a*b", "xxaab"}, {"*[ab][cd]*", "aacbdd"}, {"*" + strings.Repeat("?", 70) + "*", strings.Repeat("x", 80)}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		g, err := parseGlob(pattern)
		if err != nil {
			return
		}
		got := g.match(text)
		if strings.ContainsFunc(pattern+text, func(r rune) bool { return r >= 128 }) {
			return
		}
		re, ok := globRegex(pattern)
		if !ok {
			t.Fatalf("%q is a glob, but no expression", pattern)
		}
		if want := re.MatchString(text); got != want {
			t.Fatalf("%q like %q is %v, %s says %v", text, pattern, got, re, want)
		}
	})
}

// FuzzRegex makes sure that what passes the limits is what the library takes,
// and runs within a bounded time.
func FuzzRegex(f *testing.F) {
	for _, s := range []string{"a+b", "(a|b)*c", "[a-z]{3,9}", `\d+\.\d+`, "((a{100}){10}){2}", "(?i)ünï", "a**", "(", `\pL{1000}`, "(?:a?){500}a{500}"} {
		f.Add(s, strings.Repeat("a", 300))
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(text) > 2000 {
			text = text[:2000]
		}
		re, reason := compileRegex(expr)
		if (re == nil) == (reason == "") {
			t.Fatalf("%q: %v, %q", expr, re, reason)
		}
		plain, err := regexp.Compile(expr)
		if re == nil {
			if err == nil && len(expr) <= MaxPattern && !strings.HasPrefix(reason, "too large") {
				t.Fatalf("%q is refused: %s", expr, reason)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q is taken, but %v", expr, err)
		}
		same := false
		took := cputime.Of(func() { same = re.MatchString(text) == plain.MatchString(text) })
		if !same {
			t.Fatalf("%q on %q differs", expr, text)
		}
		if took > 3*time.Second {
			t.Fatalf("%q on %d bytes took %v", expr, len(text), took)
		}
	})
}

// TestAffixLists compares the searched lists of prefixes and suffixes with
// trying each.
func TestAffixLists(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	word := func(most int) string {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = "ab\xff"[r.IntN(3)]
		}
		return string(b)
	}
	held := 0
	for range 3000 {
		list := make([]string, 1+r.IntN(12))
		for i := range list {
			list[i] = word(4) + "a"
		}
		given := slices.Clone(list)
		starts, ends := hasPrefix(list), hasSuffix(list)
		if !slices.Equal(given, list) {
			t.Fatal("the author's list was changed")
		}
		for range 20 {
			s := word(7)
			start := slices.ContainsFunc(list, func(w string) bool { return strings.HasPrefix(s, w) })
			end := slices.ContainsFunc(list, func(w string) bool { return strings.HasSuffix(s, w) })
			if starts(s) != start || ends(s) != end {
				t.Fatalf("%q in %q: prefix %v, want %v; suffix %v, want %v", s, list, starts(s), start, ends(s), end)
			}
			if start {
				held++
			}
		}
	}
	if held < 1000 {
		t.Errorf("weak test: only %d texts had a prefix", held)
	}
}
