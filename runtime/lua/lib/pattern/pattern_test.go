package pattern

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/cputime"
)

// found returns the whole match, then the captures, or nil.
func found(t *testing.T, pat, s string, init int) []Span {
	t.Helper()
	spans, err := findSpans(Compile(pat), s, init, nil)
	if err != nil {
		t.Fatalf("find %q in %q: %v", pat, s, err)
	}
	return spans
}

func findSpans(p *Pattern, s string, init int, b Budget) ([]Span, error) {
	var c Captures
	ok, err := p.Find(&c, s, init, b)
	if err != nil || !ok {
		return nil, err
	}
	spans := []Span{{Start: c.Start, End: c.End}}
	for i := range c.Len() {
		span, err := c.Capture(i)
		if err != nil {
			return nil, err
		}
		spans = append(spans, span)
	}
	return spans, nil
}

func TestFind(t *testing.T) {
	t.Parallel()
	sp := func(v ...int) []Span {
		var spans []Span
		for i := 0; i < len(v); i += 2 {
			spans = append(spans, Span{Start: v[i], End: v[i+1]})
		}
		return spans
	}
	tests := []struct {
		pat, s string
		init   int
		want   []Span
	}{
		{"", "", 0, sp(0, 0)},
		{"", "abc", 3, sp(3, 3)},
		{"b", "abc", 0, sp(1, 2)},
		{"b", "abc", 2, nil},
		{"^b", "abc", 0, nil},
		{"^b", "abc", 1, sp(1, 2)},
		{"c$", "abc", 0, sp(2, 3)},
		{"$", "abc", 0, sp(3, 3)},
		{"a$b", "xa$b", 0, sp(1, 4)},
		{"a^b", "xa^b", 0, sp(1, 4)},
		{"%a+", "12abc34", 0, sp(2, 5)},
		{"%d*", "abc", 0, sp(0, 0)},
		{".-", "abc", 0, sp(0, 0)},
		{".-c", "abc", 0, sp(0, 3)},
		{"^.*b", "abab", 0, sp(0, 4)},
		{"^.-b", "abab", 0, sp(0, 2)},
		{"a?a?aa", "aa", 0, sp(0, 2)},
		{"colou?r", "my color", 0, sp(3, 8)},
		{"(a*(.)%w(%s*))", "xaab  y", 0, sp(0, 2, 0, 2, 0, 1, 2, 2)},
		{"()ll()", "hello", 0, sp(2, 4, 2, -1, 4, -1)},
		{"(%a)%1", "hello", 0, sp(2, 4, 2, 3)},
		{"(%a-)=%1", "x=x aab=ab", 0, sp(0, 3, 0, 1)},
		{"()%1", "aa", 0, nil},
		{"%b()", "f(a(b)c)d", 0, sp(1, 8)},
		{"%b()", "f((a", 0, nil},
		{"%bxx", "axbxc", 0, sp(1, 4)},
		{"%f[%a]%a+", "12 abc", 0, sp(3, 6)},
		{"%f[%z]", "abc", 0, sp(3, 3)},
		{"%f[%Z]%a", "abc", 0, sp(0, 1)},
		{"THE%f[%W]", "THEE THE", 0, sp(5, 8)},
		{"[]]", "a]", 0, sp(1, 2)},
		{"[^]]", "]a", 0, sp(1, 2)},
		{"[%]]", "a]", 0, sp(1, 2)},
		{"[a-]", "b-", 0, sp(1, 2)},
		{"[-a]+", "b-a-", 0, sp(1, 4)},
		{"[%a-z]+", "1a-z", 0, sp(1, 4)},
		{"[+--]", "a,", 0, sp(1, 2)},
		{"[a-%%]", "x]", 0, sp(1, 2)}, // the range eats the first %, the second escapes the bracket
		{"[\x80-\xff]+", "a\x80\xfe\xff", 0, sp(1, 4)},
		{"[^\x80-\xff]", "\x80b", 0, sp(1, 2)},
		{"%z%Z", "a\x00b", 0, sp(1, 3)},
		{"a\x00b", "xa\x00b", 0, sp(1, 4)},
		{"%y", "xy", 0, sp(1, 2)},
		{"%.%%", "a.%", 0, sp(1, 3)},
		{"%A%D%S%W%P%L%U%X%C", "1a!!aA\x01\x01a", 0, sp(0, 9)},
		{"%u%l%p%c%x%s", "Aa.\nf\t", 0, sp(0, 6)},
		{"-", "a-", 0, sp(1, 2)}, // with nothing before it, an ordinary byte
		{"User%-Agent:%s*(.-)\r\n", "X\r\nUser-Agent:  sipcli/1.8\r\n", 0, sp(3, 28, 16, 26)},
		{"(.)(.)(.)(.)(.)(.)(.)(.)(.)%9", "123456789x9", 0, nil},
		{
			"(.)(.)(.)(.)(.)(.)(.)(.)(.)%9", "1234567899", 0,
			sp(0, 10, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9),
		},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, found(t, tt.pat, tt.s, tt.init)); diff != "" {
			t.Errorf("find %q in %q from %d (-want +got):\n%s", tt.pat, tt.s, tt.init, diff)
		}
	}
}

func TestMalformedPatternRaisesOnlyWhenReached(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pat, reached, missed, msg string
		offset                    int
	}{
		{"a%", "ba", "bb", "malformed pattern (ends with '%')", 1},
		{"a[", "ba", "bb", "malformed pattern (missing ']')", 1},
		{"a[^", "ba", "bb", "malformed pattern (missing ']')", 1},
		{"a[]", "ba", "bb", "malformed pattern (missing ']')", 1},
		{"a[%]", "ba", "bb", "malformed pattern (missing ']')", 1},
		{"a[%", "ba", "bb", "malformed pattern (missing ']')", 1},
		{"a%f", "ba", "bb", "missing '[' after '%f' in pattern", 1},
		{"a%f[", "ba", "bb", "malformed pattern (missing ']')", 3},
		{"a%b", "ba", "bb", "unbalanced pattern", 1},
		{"a%bx", "ba", "bb", "unbalanced pattern", 1},
		{"a%1", "ba", "bb", "invalid capture index", 1},
		{"a%0", "ba", "bb", "invalid capture index", 1},
		{"(a%1", "ba", "bb", "invalid capture index", 2},
		{"a)", "ba", "bb", "invalid pattern capture", 1},
		{"(a))", "ba", "bb", "invalid pattern capture", 3},
		{"a" + strings.Repeat("()", 33), "ba", "bb", "too many captures", 65},
		{"a" + strings.Repeat("x?", 201), "ba", "bb", "pattern too complex", 402},
	}
	for _, tt := range tests {
		p := Compile(tt.pat)
		var syntax *SyntaxError
		if !errors.As(p.Err(), &syntax) || syntax.Msg != tt.msg || syntax.Offset != tt.offset {
			t.Errorf("Compile(%q).Err() = %#v, want %q at %d", tt.pat, p.Err(), tt.msg, tt.offset)
		}
		if _, err := findSpans(p, tt.reached, 0, nil); err == nil || err.Error() != tt.msg {
			t.Errorf("find %q in %q: error %v, want %q", tt.pat, tt.reached, err, tt.msg)
		}
		if got, err := findSpans(p, tt.missed, 0, nil); err != nil || got != nil {
			t.Errorf("find %q in %q = %v, %v; want neither match nor error", tt.pat, tt.missed, got, err)
		}
	}
	if err := Compile("(a)%1[x]").Err(); err != nil {
		t.Errorf("Err of a sound pattern = %v", err)
	}
}

func TestCaptureErrors(t *testing.T) {
	t.Parallel()
	var c Captures
	if ok, err := Compile("(a").Find(&c, "ba", 0, nil); !ok || err != nil {
		t.Fatalf("an unclosed capture is no error until it is asked for: %v, %v", ok, err)
	}
	if _, err := c.Capture(0); !errors.Is(err, ErrUnfinished) {
		t.Errorf("Capture(0) = %v, want %v", err, ErrUnfinished)
	}
	if ok, err := Compile("a").Find(&c, "ba", 0, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if span, err := c.Capture(0); err != nil || span != (Span{Start: 1, End: 2}) {
		t.Errorf("without captures Capture(0) = %v, %v; want the whole match", span, err)
	}
	if _, err := c.Capture(1); !errors.Is(err, ErrCaptureIndex) {
		t.Errorf("Capture(1) = %v, want %v", err, ErrCaptureIndex)
	}
}

func TestNothingFoundOutsideTheSubject(t *testing.T) {
	t.Parallel()
	var c Captures
	if c.Len() != 0 {
		t.Errorf("new Captures hold %d captures", c.Len())
	}
	for _, init := range []int{-1, 4} {
		if ok, err := Compile("").Find(&c, "abc", init, nil); ok || err != nil {
			t.Errorf("from %d in three bytes: %v, %v", init, ok, err)
		}
	}
}

func TestIteratedPatternTakesCaretAsItIs(t *testing.T) {
	t.Parallel()
	got, err := findSpans(CompileIterated("^a"), "a^a", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Span{{Start: 1, End: 3}}, got); diff != "" {
		t.Error(diff)
	}
	if p := CompileIterated("^a"); p.Anchored() {
		t.Error("an iterated pattern is anchored")
	}
	if p := Compile("^a"); !p.Anchored() {
		t.Error("^a is not anchored")
	}
}

// alphabet makes random patterns that are dense in special bytes.
const alphabet = "aab(()).%[]^$-*+?%%wdzfb12()\x80\x00"

func randomText(rng *rand.Rand, from string, max int) string {
	b := make([]byte, rng.IntN(max+1))
	for i := range b {
		b[i] = from[rng.IntN(len(from))]
	}
	return string(b)
}

func TestAgreesWithReference(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 1))
	matches := 0
	for range 200_000 {
		pat := randomText(rng, alphabet, 12)
		s := randomText(rng, "aaabb12(.)[\x80\x00\xff", 14)
		if checkAgainstReference(t, pat, s, rng.IntN(len(s)+1)) {
			matches++
		}
	}
	if matches < 20_000 {
		t.Errorf("only %d of the random patterns match: the test has lost its teeth", matches)
	}
}

// checkAgainstReference reports whether there was a match.
func checkAgainstReference(t *testing.T, pat, s string, init int) bool {
	t.Helper()
	want, msg, ok := refFind(pat, s, init, 1<<20)
	if !ok {
		return false
	}
	if strings.Count(pat, "?")+strings.Count(pat, "*")+strings.Count(pat, "+")+strings.Count(pat, "-") > MaxRepeats {
		return false
	}
	got, err := findSpans(Compile(pat), s, init, nil)
	gotMsg := ""
	if err != nil {
		gotMsg = err.Error()
	}
	if diff := cmp.Diff(want, got); diff != "" || msg != gotMsg {
		t.Fatalf("find %q in %q from %d: error %q, want %q (-want +got):\n%s", pat, s, init, gotMsg, msg, diff)
	}
	return got != nil
}

func TestBudgetStopsMatching(t *testing.T) {
	t.Parallel()
	bombs := []struct{ pat, s string }{
		{".-b", strings.Repeat("a", 20_000)},
		{".-.-.-.-b", strings.Repeat("a", 200)},
		{".-.-.-.-b$", strings.Repeat("a", 200) + "bc"},
		{"a*a*a*a*a*[bc]", strings.Repeat("a", 1000)},
		{"(.-)(.-)(.-)%1%2[yz]", strings.Repeat("ab", 400) + "x"},
		{"%b()%b()", strings.Repeat("(", 100_000)},
		{".-[bc]", strings.Repeat("a", 1<<20)},
		{"[a]-[a]-[a]-[^a]", strings.Repeat("a", 100_000)},
		{strings.Repeat("a?", 100) + strings.Repeat("a", 100) + "$", strings.Repeat("a", 99)},
	}
	for _, bomb := range bombs {
		budget := Countdown(200_000)
		var got []Span
		var err error
		took := cputime.Of(func() { got, err = findSpans(Compile(bomb.pat), bomb.s, 0, &budget) })
		if took > 250*time.Millisecond {
			t.Errorf("find %q in %d bytes took %v under a budget of 200,000 steps", bomb.pat, len(bomb.s), took)
		}
		if err != nil && !errors.Is(err, ErrBudget) || got != nil {
			t.Errorf("find %q = %v, %v", bomb.pat, got, err)
		}
	}
	budget := Countdown(10)
	if _, err := findSpans(Compile("[ab]-c"), strings.Repeat("ab", 100), 0, &budget); !errors.Is(err, ErrBudget) {
		t.Errorf("a match of hundreds of steps with a budget of 10: %v", err)
	}
}

func TestStepsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	spent := func(c *Captures) int {
		budget := Countdown(1 << 30)
		if _, err := Compile("%w+@(%w+)%.com").Find(c, strings.Repeat("user host ", 50)+"a@b.com", 0, &budget); err != nil {
			t.Fatal(err)
		}
		return 1<<30 - int(budget)
	}
	var reused Captures
	first := spent(&reused)
	if first < 100 {
		t.Errorf("a search over 500 bytes was charged %d steps", first)
	}
	if again, fresh := spent(&reused), spent(&Captures{}); again != first || fresh != first {
		t.Errorf("steps %d, %d with the same memory, %d with new", first, again, fresh)
	}
}

func TestLongSubjectNeedsNoStack(t *testing.T) {
	t.Parallel()
	s := strings.Repeat("a", 1<<20)
	for _, pat := range []string{".*", "^.*$", "^a*.?$", "^a-.?$", "^(a*)$", ".-$"} {
		got := found(t, pat, s, 0)
		if len(got) == 0 || got[0] != (Span{Start: 0, End: 1 << 20}) {
			t.Errorf("%q in 1 MiB = %v", pat, got)
		}
	}
}

func TestFindBytesEqualsFind(t *testing.T) {
	t.Parallel()
	p := Compile("(%d+)()")
	var a, b Captures
	okA, errA := p.Find(&a, "ab12c", 0, nil)
	okB, errB := p.FindBytes(&b, []byte("ab12c"), 0, nil)
	if !okA || !okB || errA != nil || errB != nil || a.Start != b.Start || a.End != b.End || a.slots != b.slots {
		t.Errorf("Find %v %v, FindBytes %v %v", okA, a.slots[:2], okB, b.slots[:2])
	}
	if ok, err := Compile("").FindBytes(&b, nil, 0, nil); !ok || err != nil {
		t.Errorf("the empty pattern in no bytes: %v, %v", ok, err)
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	s := request
	patterns := []*Pattern{
		Compile("User%-Agent:%s*(.-)\r\n"), Compile("%d+ INVITE"), Compile("^(%u+) (%S+) SIP/2%.0\r\n"),
		Compile("%b<>"), Compile("%f[%w]%w+@"), Compile("(%w)%1"), Compile(".-.-.-zzz"),
	}
	var c Captures
	budget := Countdown(1 << 40)
	allocs := testing.AllocsPerRun(100, func() {
		for _, p := range patterns {
			if _, err := p.Find(&c, s, 0, &budget); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
