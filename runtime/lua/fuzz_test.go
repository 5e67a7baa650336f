package lua

import (
	"os"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// FuzzScript loads and runs whatever it is given, under small limits: a script
// may fail in any way but take the process down or hang.
func FuzzScript(f *testing.F) {
	for _, file := range []string{"testdata/load_errors.txt", "testdata/run_errors.txt", "testdata/behaviour.txt"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split(string(data), "#### ")[1:] {
			head, _, _ := strings.Cut(c, "----\n")
			_, src, _ := strings.Cut(head, "\n")
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		h := newHouse(t, engine.Limits{LoadInstructions: 20_000, HandlerInstructions: 5_000})
		h.Use(New(Config{
			Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits(),
			VM:    vm.Limits{CallDepth: 100, Stack: 2048, MaxString: 4096, Coroutines: 50, Nesting: 20},
			Check: func(*source.Chunk) diag.List { return nil },
		}))
		if diags := h.load(src); diags.HasErrors() {
			if rendered(diags) == "" {
				t.Error("refused without a word")
			}
			return
		}
		h.Start(1000e9)
		c := newConn(17)
		h.start(c)
		c.ended = true
		h.start(c)
		h.advance(1e9)
	})
}
