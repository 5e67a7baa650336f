package match

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unsafe"

	"github.com/hookd/hookd/engine/event"
)

// Limits on patterns, which bound what one evaluation takes. A regular expression
// takes time linear in the text and in the instructions that it is compiled to:
// at the limit and at its worst some 10 ms for a full packet. Those that people
// write take 0.2 µs where they are anchored, and some 15 ns a byte where not.
const (
	MaxPattern           = 1000 // bytes of a glob or regex
	MaxRegexInstructions = 2000
)

// text compiles tests of text, bytes and lists of texts; of a list, any element
// may pass.
func (f field) text() (leaf, *Error) {
	switch f.node.Op {
	case Eq, Ne, Prefix, Suffix, Contains, Glob, Regex:
	default:
		return leaf{}, f.refuse(Eq, Ne, Prefix, Suffix, Contains, Glob, Regex, Present)
	}
	test, cost, err := f.textTest()
	if err != nil {
		return leaf{}, err
	}
	l := leaf{absent: f.negate(), cost: cost}
	switch f.Type.Kind {
	case event.Bytes:
		get := f.Get.Bytes
		l.test = holder(func(o any) string { return lent(get(o)) }, test, f.negate())
	case event.Strings:
		l.test = holder(f.Get.Strings, func(list []string) bool { return slices.ContainsFunc(list, test) }, f.negate())
	default:
		l.test = f.fixed(test)
	}
	return l, nil
}

// fixed saves the most common tests of text one call.
func (f field) fixed(test func(string) bool) func(any) bool {
	get := f.Get.String
	if v := f.node.Values[0]; len(f.node.Values) == 1 && v.Kind == TextValue {
		want := v.Text
		switch f.node.Op {
		case Eq:
			return func(o any) bool { return get(o) == want }
		case Ne:
			return func(o any) bool { return get(o) != want }
		case Prefix:
			return func(o any) bool { return strings.HasPrefix(get(o), want) }
		}
	}
	return holder(get, test, f.negate())
}

// lent views lent bytes as text for as long as one test takes: no test keeps
// its text.
func lent(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// textTest returns the node's test of one text.
func (f field) textTest() (test func(string) bool, cost int, err *Error) {
	words, sets, err := f.words()
	if err != nil {
		return nil, 0, err
	}
	switch f.node.Op {
	case Prefix:
		return hasPrefix(words), costList, nil
	case Suffix:
		return hasSuffix(words), costList, nil
	case Contains:
		return contains(words), costSearch * len(words), nil
	case Glob:
		return f.globs(words)
	case Regex:
		return f.regexes(words)
	}
	var tests []func(string) bool
	for _, s := range sets {
		tests, cost = append(tests, s.HasString), cost+costStore
	}
	if len(words) > 0 {
		tests, cost = slices.Insert(tests, 0, isOneOf(words)), cost+costList
	}
	return either(tests), cost, nil
}

// words returns the texts that the node's values are, and the stores.
func (f field) words() (words []string, sets []StringSet, err *Error) {
	for _, v := range f.node.Values {
		s, ok := v.Set.(StringSet)
		switch {
		case v.Kind == TextValue:
			words = append(words, v.Text)
		case v.Kind == SetValue && ok && holds(v.Set, event.String) && (f.node.Op == Eq || f.node.Op == Ne):
			sets = append(sets, s)
		case v.Kind == NumberValue || v.Kind == BoolValue:
			return nil, nil, f.never(v, quote(v.String()))
		default:
			return nil, nil, f.never(v, "")
		}
	}
	return words, sets, nil
}

// hasPrefix tests for one of many prefixes. Once those that another one covers
// are gone, the only one that can fit is the last that sorts not after the text.
func hasPrefix(words []string) func(string) bool {
	words = uncovered(words, strings.Compare, strings.HasPrefix)
	if len(words) == 1 {
		word := words[0]
		return func(s string) bool { return strings.HasPrefix(s, word) }
	}
	return func(s string) bool {
		i, exact := slices.BinarySearch(words, s)
		return exact || i > 0 && strings.HasPrefix(s, words[i-1])
	}
}

// hasSuffix is hasPrefix read from the end.
func hasSuffix(words []string) func(string) bool {
	words = uncovered(words, compareReversed, strings.HasSuffix)
	if len(words) == 1 {
		word := words[0]
		return func(s string) bool { return strings.HasSuffix(s, word) }
	}
	return func(s string) bool {
		i, exact := slices.BinarySearchFunc(words, s, compareReversed)
		return exact || i > 0 && strings.HasSuffix(s, words[i-1])
	}
}

// uncovered sorts words and leaves out those that an earlier one covers.
func uncovered(words []string, order func(a, b string) int, covers func(long, short string) bool) []string {
	var out []string
	for _, w := range slices.SortedFunc(slices.Values(words), order) {
		if n := len(out); n == 0 || !covers(w, out[n-1]) {
			out = append(out, w)
		}
	}
	return out
}

// compareReversed orders texts by their bytes from the last to the first.
func compareReversed(a, b string) int {
	for i := 1; i <= len(a) && i <= len(b); i++ {
		if c := cmp.Compare(a[len(a)-i], b[len(b)-i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func contains(words []string) func(string) bool {
	if len(words) == 1 {
		word := words[0]
		return func(s string) bool { return strings.Contains(s, word) }
	}
	return func(s string) bool {
		for _, w := range words {
			if strings.Contains(s, w) {
				return true
			}
		}
		return false
	}
}

func (f field) globs(words []string) (func(string) bool, int, *Error) {
	tests := make([]func(string) bool, len(words))
	for i, w := range words {
		g, err := parseGlob(w)
		if err != nil {
			return nil, 0, f.fail("is.glob %s: %v", quote(w), err).about(Text(w))
		}
		tests[i] = g.match
	}
	return either(tests), costSearch * len(words), nil
}

func (f field) regexes(words []string) (func(string) bool, int, *Error) {
	tests := make([]func(string) bool, len(words))
	for i, w := range words {
		re, reason := compileRegex(w)
		if reason != "" {
			return nil, 0, f.fail("is.regex %s: %s", quote(w), reason).about(Text(w))
		}
		tests[i] = re.MatchString
	}
	return either(tests), costRegex * len(words), nil
}

// compileRegex compiles an expression within the limits; reason says what is
// wrong with it.
func compileRegex(expr string) (re *regexp.Regexp, reason string) {
	if len(expr) > MaxPattern {
		return nil, tooLong(len(expr))
	}
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err.Error()
	}
	if n := len(prog.Inst); n > MaxRegexInstructions {
		return nil, tooLarge(n)
	}
	if re, err = regexp.Compile(expr); err != nil {
		return nil, err.Error()
	}
	return re, ""
}

func tooLong(n int) string {
	return fmt.Sprintf("%d bytes long; at most %d are allowed", n, MaxPattern)
}

func tooLarge(n int) string {
	return fmt.Sprintf("too large when compiled: %d instructions, at most %d are allowed", n, MaxRegexInstructions)
}
