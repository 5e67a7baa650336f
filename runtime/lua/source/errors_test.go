package source

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestErrors compares what is said about broken sources with a golden file.
func TestErrors(t *testing.T) {
	t.Parallel()
	const golden = "testdata/errors.txt"
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(data), "#### ")
	fresh := cases[0]
	for _, c := range cases[1:] {
		head, want, _ := strings.Cut(c, "----\n")
		name, src, _ := strings.Cut(head, "\n")
		got := report(t, name, strings.TrimSuffix(src, "\n"))
		fresh += "#### " + head + "----\n" + got
		if *update {
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(fresh), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func report(t *testing.T, name, src string) string {
	t.Helper()
	chunk, list := Parse(name+".lua", []byte(src))
	if (chunk == nil) != list.HasErrors() {
		t.Errorf("%s: chunk %v with %v", name, chunk != nil, list)
	}
	if len(list) == 0 {
		t.Errorf("%s: nothing is said about it", name)
	}
	var b strings.Builder
	if err := list.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	if Incomplete([]byte(src)) {
		b.WriteString("(incomplete)\n")
	}
	return b.String()
}
