package normalise

import (
	"os"
	"strconv"
	"testing"
)

// TestDifferential runs random programs in lua5.1 and here. HOOKD_FUZZ_N says
// how many, HOOKD_FUZZ_SEED from which seed on.
func TestDifferential(t *testing.T) {
	t.Parallel()
	n := fromEnv(t, "HOOKD_FUZZ_N", 1500)
	first := fromEnv(t, "HOOKD_FUZZ_SEED", 1)
	m := newMachine(t)
	skipped, differ := 0, 0
	const batch = 1000
	for done := 0; done < n; done += batch {
		programs := generate(first+done, min(batch, n-done))
		for i, want := range lua51(t, programs) {
			if want == over {
				skipped++
				continue
			}
			got := m.run(programs[i], 0)
			if got == want {
				continue
			}
			if differ++; differ <= 3 {
				t.Errorf("program %d differs:\n%s\nlua5.1: %s\ngopher: %s", first+done+i, programs[i], want, got)
			}
		}
	}
	t.Logf("%d programs, %d differ, %d left out because lua5.1 does not end them in time", n, differ, skipped)
	if differ > 0 || skipped > n/20 {
		t.Errorf("%d of %d programs differ, %d were left out", differ, n, skipped)
	}
}

// TestValidity holds the programs of TestDifferential to account: without the
// rewrites at least one in twenty must differ, and without any single one at
// least one.
func TestValidity(t *testing.T) {
	t.Parallel()
	programs := generate(1, 1500)
	want := lua51(t, programs)
	m := newMachine(t)
	differs := func(i int, skip Rewrites) bool {
		return want[i] != over && m.run(programs[i], skip) != want[i]
	}
	const some = 400
	wrong := 0
	for i := range some {
		if differs(i, All) {
			wrong++
		}
	}
	t.Logf("without rewrites %d of %d programs differ", wrong, some)
	if wrong < some/20 {
		t.Errorf("without rewrites only %d of %d programs differ", wrong, some)
	}
	for w := Rewrites(1); w < end; w <<= 1 {
		if w == GotoClosure {
			continue // lua5.1 has no goto
		}
		i := 0
		for i < len(programs) && !differs(i, w) {
			i++
		}
		if i == len(programs) {
			t.Errorf("no program differs without %v", w)
		}
	}
}

func generate(seed, n int) []string { return generateOf(seed, n, false) }

func generateOf(seed, n int, script bool) []string {
	programs := make([]string, n)
	for i := range programs {
		programs[i] = programOf(uint64(seed+i), script)
	}
	return programs
}

func fromEnv(t *testing.T, name string, value int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return value
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, s, err)
	}
	return n
}
