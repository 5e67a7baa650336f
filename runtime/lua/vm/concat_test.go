package vm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// concatProgram makes a chunk that prints the values of some concatenations.
func concatProgram(r *rand.Rand) string {
	atoms := []string{`"s"`, `""`, "7", "12", "a", "b", "t.k", "f(a)", "two()", "(two())", "(...)", "#b", "t[1]", `("x"):rep(2)`, "o"}
	var expr func(depth int) string
	expr = func(depth int) string {
		if depth == 0 || r.IntN(4) == 0 {
			return atoms[r.IntN(len(atoms))]
		}
		l, rest := expr(depth-1), expr(depth-1)
		switch r.IntN(8) {
		case 0:
			return "(" + l + " .. " + rest + ")"
		case 1:
			return "f(" + l + " .. " + rest + ")"
		case 2:
			return "t[(" + l + " .. " + rest + ") and 1]"
		case 3:
			return "({ " + l + " .. " + rest + ", k = " + l + " })[1]"
		default:
			return l + " .. " + rest
		}
	}
	var b strings.Builder
	b.WriteString(`local a, b, t = "A", "BB", { "one", k = "K" }
local n = 0
local function f(x) n = n + 1 return x .. n end
local function two() n = n + 1 return "p" .. n, "q" end
local o = setmetatable({}, { __concat = function(x, y) return (type(x) == "table" and "O" or x) .. "+" .. (type(y) == "table" and "O" or y) end })
local function run(...)
`)
	for range 4 {
		e := expr(3)
		switch r.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "print(%s, n)\n", e)
		case 1:
			fmt.Fprintf(&b, "local v = %s print(v)\n", e)
		case 2:
			fmt.Fprintf(&b, "t.v = %s print(t.v)\n", e)
		case 3:
			fmt.Fprintf(&b, "if %s ~= nil then print(select('#', %s)) end\n", e, e)
		}
	}
	b.WriteString("print(f " + `"tail"` + ")\nend\nrun('v', 'w')\n")
	return b.String()
}

// TestBoundConcatMeansTheSame runs programs with the operator as gopher-lua has
// it, and with ours.
func TestBoundConcatMeansTheSame(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		src := concatProgram(r)
		var got [2]string
		for i, bound := range []bool{false, true} {
			var out strings.Builder
			v := machine(&out)
			chunk, err := parse.Parse(strings.NewReader(src), "t.lua")
			if err != nil {
				t.Fatalf("%v in\n%s", err, src)
			}
			if bound {
				BoundConcat(chunk)
			}
			proto, err := glua.Compile(chunk, "t.lua")
			if err != nil {
				t.Fatalf("%v in\n%s", err, src)
			}
			L := v.Begin(100_000, "handler")
			L.Push(v.State().NewFunctionFromProto(proto))
			if err := v.Call(0, 0); err != nil {
				f := err.(*Failure)
				fmt.Fprintf(&out, "failed at line %d\n", f.Line)
			}
			v.End()
			got[i] = out.String()
			v.Close()
		}
		if diff := cmp.Diff(got[0], got[1]); diff != "" {
			t.Fatalf("differs (-operator +bounded) in\n%s\n%s", src, diff)
		}
	}
}
