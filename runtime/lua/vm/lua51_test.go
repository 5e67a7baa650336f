package vm

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record what lua5.1 prints")

// TestLikeLua51 runs the programs of testdata/lua and compares what they print
// with what PUC Lua 5.1 printed.
func TestLikeLua51(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/lua/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := recorded(t, file)
			var out strings.Builder
			if err := run(t, machine(&out), string(src)); err != nil {
				t.Errorf("failed: %v", err)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(out.String(), "\n")); diff != "" {
				t.Errorf("differs (-5.1 +ours):\n%s", diff)
			}
		})
	}
}

// recorded returns what lua5.1 prints: from the program where it is installed,
// from the file beside the script elsewhere. Both must agree.
func recorded(t *testing.T, file string) string {
	t.Helper()
	golden := strings.TrimSuffix(file, ".lua") + ".out"
	want, readErr := os.ReadFile(golden)
	if lua, err := exec.LookPath("lua5.1"); err == nil {
		cmd := exec.Command(lua, "t.lua")
		dir := t.TempDir()
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "t.lua"), src, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd.Dir = dir
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("lua5.1: %v", err)
		}
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
			return string(got)
		}
		if string(got) != string(want) {
			t.Fatalf("%s is not what lua5.1 prints; run with -update", golden)
		}
	}
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(want)
}
