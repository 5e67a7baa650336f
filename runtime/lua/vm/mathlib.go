package vm

import (
	"math"
	"math/rand/v2"

	glua "github.com/yuin/gopher-lua"
)

// random is the state of math.random: a generator of its own for each machine,
// so that what a script sees depends on its seed alone.
type random struct {
	src  rand.PCG
	from uint64 // its latest seed
}

// seedStream separates math.random's numbers from other uses of a seed.
const seedStream = 0x686f6f6b64

func (r *random) seed(n uint64) {
	r.from = n
	r.src.Seed(n, seedStream)
}

// Seed returns what the machine's own random numbers were seeded with last.
func (v *VM) Seed() uint64 { return v.rand.from }

// numbers returns what the running call takes random numbers from.
func (v *VM) numbers() *rand.PCG {
	if v.cfg.Random != nil {
		if p := v.cfg.Random(); p != nil {
			return p
		}
	}
	return &v.rand.src
}

// openMath installs math as 5.1 has it, with math.mod.
func (v *VM) openMath() {
	mod := v.root.CreateTable(0, 32)
	for _, f := range []struct {
		name string
		f    func(float64) float64
	}{
		{"abs", math.Abs},
		{"acos", math.Acos},
		{"asin", math.Asin},
		{"atan", math.Atan},
		{"ceil", math.Ceil},
		{"cos", math.Cos},
		{"cosh", math.Cosh},
		{"deg", func(x float64) float64 { return x / (math.Pi / 180) }},
		{"exp", math.Exp},
		{"floor", math.Floor},
		{"log", math.Log},
		{"log10", math.Log10},
		{"rad", func(x float64) float64 { return x * (math.Pi / 180) }},
		{"sin", math.Sin},
		{"sinh", math.Sinh},
		{"sqrt", math.Sqrt},
		{"tan", math.Tan},
		{"tanh", math.Tanh},
	} {
		mod.RawSetString(f.name, v.unary(f.name, f.f))
	}
	for _, f := range []struct {
		name string
		f    func(x, y float64) float64
	}{
		{"atan2", math.Atan2},
		{"fmod", math.Mod},
		{"mod", math.Mod},
		{"pow", math.Pow},
		{"ldexp", func(x, n float64) float64 { return math.Ldexp(x, int(max(min(n, 1<<20), -1<<20))) }},
	} {
		mod.RawSetString(f.name, v.binary(f.name, f.f))
	}
	mod.RawSetString("max", v.fold("max", func(x, y float64) bool { return y > x }))
	mod.RawSetString("min", v.fold("min", func(x, y float64) bool { return y < x }))
	for _, f := range []function{{"frexp", frexp}, {"modf", modf}, {"random", v.random}, {"randomseed", v.randomseed}} {
		mod.RawSetString(f.name, v.root.NewFunction(f.body))
	}
	mod.RawSetString("pi", glua.LNumber(math.Pi))
	mod.RawSetString("huge", glua.LNumber(math.Inf(1)))
	v.Globals().RawSetString("math", mod)
}

func (v *VM) unary(name string, f func(float64) float64) *glua.LFunction {
	return v.root.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LNumber(f(checkNumber(L, 1, name))))
		return 1
	})
}

func (v *VM) binary(name string, f func(x, y float64) float64) *glua.LFunction {
	return v.root.NewFunction(func(L *glua.LState) int {
		y := checkNumber(L, 2, name) // PUC Lua as compiled looks at it first
		L.Push(glua.LNumber(f(checkNumber(L, 1, name), y)))
		return 1
	})
}

// fold returns the argument that better prefers to all before it.
func (v *VM) fold(name string, better func(x, y float64) bool) *glua.LFunction {
	return v.root.NewFunction(func(L *glua.LState) int {
		best := checkNumber(L, 1, name)
		for i := 2; i <= L.GetTop(); i++ {
			if x := checkNumber(L, i, name); better(best, x) {
				best = x
			}
		}
		L.Push(glua.LNumber(best))
		return 1
	})
}

func frexp(L *glua.LState) int {
	frac, exp := math.Frexp(checkNumber(L, 1, "frexp"))
	L.Push(glua.LNumber(frac))
	L.Push(glua.LNumber(exp))
	return 2
}

func modf(L *glua.LState) int {
	x := checkNumber(L, 1, "modf")
	whole, frac := math.Modf(x)
	if math.IsInf(x, 0) {
		whole, frac = x, math.Copysign(0, x)
	}
	L.Push(glua.LNumber(whole))
	L.Push(glua.LNumber(frac))
	return 2
}

func (v *VM) random(L *glua.LState) int {
	r := float64(v.numbers().Uint64()<<11>>11) / (1 << 53)
	switch n := L.GetTop(); n {
	case 0:
		L.Push(glua.LNumber(r))
	case 1, 2:
		low, high := 1.0, checkNumber(L, n, "random")
		if n == 2 {
			low = checkNumber(L, 1, "random")
		}
		low, high = math.Trunc(low), math.Trunc(high)
		if low > high {
			argError(L, n, "random", "interval is empty")
		}
		L.Push(glua.LNumber(math.Floor(r*(high-low+1)) + low))
	default:
		L.RaiseError("wrong number of arguments")
	}
	return 1
}

func (v *VM) randomseed(L *glua.LState) int {
	n := math.Float64bits(checkNumber(L, 1, "randomseed"))
	if p := v.numbers(); p != &v.rand.src {
		p.Seed(n, seedStream)
	} else {
		v.rand.seed(n)
	}
	return 0
}
