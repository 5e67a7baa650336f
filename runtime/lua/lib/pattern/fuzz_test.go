package pattern

import (
	"errors"
	"testing"
)

// FuzzFind holds the matcher against the reference and its budget.
func FuzzFind(f *testing.F) {
	for _, seed := range []struct{ pat, s string }{
		{"", ""},
		{"(a*(.)%w(%s*))", "xaab  y"},
		{"%b()", "f(a(b)c)d"},
		{"%f[%a]%a+", "12 abc"},
		{"^(%w+)=(%d-)$", "k=12"},
		{"[^%]a-]*", "]]b"},
		{"[a-%%]", "x]"},
		{"()%1(", "aa"},
		{"%", "a"},
		{"(%a)%1", "hello"},
		{"\x00[\x80-\xff]-$", "\x00\xfe"},
		{"a?a?a?aaa", "aaa"},
		{"%f[%z]", "ab"},
	} {
		f.Add(seed.pat, seed.s, 0)
	}
	f.Fuzz(func(t *testing.T, pat, s string, init int) {
		if len(pat) > 64 || len(s) > 256 || init < 0 || init > len(s) {
			return
		}
		checkAgainstReference(t, pat, s, init)

		const limit = 5000
		budget := Countdown(limit)
		_, err := findSpans(Compile(pat), s, init, &budget)
		if overshoot := -int(budget); overshoot > slice+len(s)*4+64 {
			t.Errorf("find %q in %q: %d steps beyond the budget", pat, s, overshoot)
		}
		if (int(budget) < 0) != errors.Is(err, ErrBudget) {
			t.Errorf("find %q in %q: budget at %d, error %v", pat, s, budget, err)
		}
	})
}
