package console

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestBounds checks that nothing is shown at a length that hurts.
func TestBounds(t *testing.T) {
	d := sit(t)
	for _, tt := range []struct{ in, has string }{
		{"('x'):rep(100000)", `" … and 99488 bytes`},
		{"t = {} for i = 1, 900 do t[i] = i end return t", "… and 850 more"},
		{"t = {} for i = 1, 5000 do t['k' .. i] = { ('x'):rep(1000) } end return t", "… and at least"},
		{"{ { { { {} } } } }", "{ { { {…} } } }"},
		{"local t = {} for i = 1, 50 do t[i] = {} for k = 1, 50 do t[i][k] = ('y'):rep(400) end end return t", "more"},
		{"('€'):rep(400)", `€" … and 690 bytes`},
	} {
		got := d.do(t, tt.in)
		if len(got) > 3*maxShown || !utf8.ValidString(got) || !strings.Contains(got, tt.has) {
			t.Errorf("%s: %d bytes: %.200s", tt.in, len(got), got)
		}
	}
	wide := d.do(t, "{ alpha = ('a'):rep(40), beta = ('b'):rep(40), gamma = { 1, 2 } }")
	want := "{\n  alpha = \"" + strings.Repeat("a", 40) + "\",\n  beta = \"" + strings.Repeat("b", 40) + "\",\n  gamma = { 1, 2 },\n}"
	if wide != want {
		t.Errorf("%s", wide)
	}
}

// TestMetamethodsAreNotCalled checks that showing and completing run nothing of
// the script's.
func TestMetamethodsAreNotCalled(t *testing.T) {
	d := sit(t)
	d.do(t, `t = setmetatable({ a = 1 }, { __index = function() error "called" end, __tostring = function() error "called" end, __pairs = 1 })`)
	if got := d.do(t, "t"); got != "{ a = 1 }" {
		t.Error(got)
	}
	if c := d.Complete("t.x.y."); len(c.Words) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n    float64
		want string
	}{{0, "0"}, {-3, "-3"}, {1e15, "1000000000000000"}, {1 << 62, "4611686018427387904"}, {1e300, "1e+300"}, {0.1, "0.1"}} {
		if got := number(tt.n); got != tt.want {
			t.Errorf("%g: %s", tt.n, got)
		}
	}
}
