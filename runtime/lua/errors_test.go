package lua

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden runs every case of a file, "#### name", the script, "----", what is
// said, through report and compares.
func golden(t *testing.T, file string, report func(t *testing.T, src string) string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(data), "#### ")
	var fresh strings.Builder
	fresh.WriteString(cases[0])
	for _, c := range cases[1:] {
		head, want, _ := strings.Cut(c, "----\n")
		name, src, _ := strings.Cut(head, "\n")
		got := report(t, src)
		fresh.WriteString("#### " + head + "----\n" + got + "\n")
		if diff := cmp.Diff(strings.TrimSuffix(want, "\n"), got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(fresh.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoadErrors compares what is said about scripts that do not load. Names are
// not checked beforehand, so that the words of the running script are seen.
func TestLoadErrors(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/load_errors.txt", func(t *testing.T, src string) string {
		h := newHouse(t, engine.Limits{LoadInstructions: 500_000})
		h.Use(unchecked(h))
		return rendered(h.load(src))
	})
}

// TestRunErrors compares what scripts report while they run: at hookd.start and
// at one connection.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/run_errors.txt", func(t *testing.T, src string) string {
		h := newHouse(t, engine.Limits{})
		h.Use(unchecked(h))
		if diags := h.load(src); len(diags) > 0 {
			return rendered(diags)
		}
		h.Start(1000e9)
		h.start(newConn(17))
		return h.take()
	})
}
