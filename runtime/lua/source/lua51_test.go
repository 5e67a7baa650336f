package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// judge prints, for every source on its standard input, whether it compiles.
// Each source comes with its length on a line of its own.
const judge = `
while true do
  local n = io.read("*n", "*l")
  if not n then break end
  local f, err = loadstring(n == 0 and "" or io.read(n), "=x")
  io.write(f and "ok" or err, "\n")
end`

// verdicts asks lua5.1 which sources it accepts: "ok" or the error.
func verdicts(t *testing.T, sources []string) []string {
	t.Helper()
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal("lua5.1 is not installed: ", err)
		}
		t.Skip("lua5.1 is not installed; it says which sources are Lua 5.1")
	}
	var in bytes.Buffer
	for _, src := range sources {
		fmt.Fprintf(&in, "%d\n%s", len(src), src)
	}
	cmd := exec.Command(path, "-e", judge)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(sources) {
		t.Fatalf("%d verdicts on %d sources", len(lines), len(sources))
	}
	return lines
}

// TestAgainstLua51 mutates sources token by token and demands that Parse
// accepts exactly what lua5.1 accepts.
func TestAgainstLua51(t *testing.T) {
	t.Parallel()
	seeds := strings.Split(grammar, "\n")
	vocabulary := strings.Fields(strings.ReplaceAll(strings.Join(seeds, " "), "_", " "))
	vocabulary = append(vocabulary, "\n", "\n", "\n", "--[[x]]", "0x1F", "'\\65'", "1e3", ".5")
	r := rand.New(rand.NewPCG(5, 1))
	var sources []string
	for range 8000 {
		words := strings.Fields(seeds[r.IntN(len(seeds))])
		for range r.IntN(4) {
			at := r.IntN(len(words))
			switch w := vocabulary[r.IntN(len(vocabulary))]; r.IntN(4) {
			case 0:
				words = append(words[:at:at], words[at+1:]...)
			case 1:
				words = append(words[:at:at], append([]string{w}, words[at:]...)...)
			case 2:
				words[at] = w
			default:
				other := r.IntN(len(words))
				words[at], words[other] = words[other], words[at]
			}
			if len(words) == 0 {
				words = []string{"x"}
			}
		}
		if words[0] != "#" { // a first line of a file, which loadstring does not know
			sources = append(sources, strings.Join(words, " "))
		}
	}
	accepted := 0
	for i, verdict := range verdicts(t, sources) {
		chunk, list := Parse("x", []byte(sources[i]))
		if chunk != nil {
			accepted++
		}
		if (chunk != nil) != (verdict == "ok") {
			t.Errorf("%q\n lua5.1: %s\n  hookd: %v", sources[i], verdict, list)
		}
	}
	t.Logf("%d of %d sources are accepted by both", accepted, len(sources))
	if accepted < len(sources)/10 || accepted > len(sources)*9/10 {
		t.Error("the mutations say nothing: too few or too many sources are accepted")
	}
}

// grammar has every production of Lua 5.1 at least once. Words are apart, so
// that each can be moved.
const grammar = `x = 1 y = 2
local a , b = f ( 1 , "s" ) , { 1 , k = 2 , [ 3 ] = 4 }
if a then x = 1 elseif b then x = 2 else x = 3 end
while a and not b do x = - x break end
repeat local c = x ^ - 2 until c .. d == 'e' or # t > 3
for i = 1 , 10 , 2 do f ( i ) end
for k , v in pairs ( t ) do t [ k ] = v end
function a . b : c ( ... ) return ... , self end
local function f ( p , q , ... ) local x = ... return ( f ( ... ) ) end
do local x x = function ( ) return nil , true , false end end
f 's' { 1 } : m ( ) . x [ 1 ] = f { }
( f or g ) ( x ) . y , z = z , y
( a ) . b = ( c )
return f ( function ( ) while true do if x then break end end end )
f ( ) g ( ) h : i ( )
x = a + b - c * d / e % g ^ h < i
x = a <= b ~= c >= d == e > f
local x = { f = function ( ... ) return ... end , ... }
return function ( ... ) return function ( ) return 1 end , ... end`
