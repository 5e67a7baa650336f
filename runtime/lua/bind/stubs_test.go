package bind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/parse"

	"github.com/hookd/hookd/engine/event/catalogue"
)

// The editor stubs are Lua.
func TestStubsParse(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join("..", "..", "..", "scripts", "types", "hookd.lua"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk, err := parse.Parse(f, "hookd.lua")
	if err != nil || len(chunk) < 50 {
		t.Errorf("%d statements, %v", len(chunk), err)
	}
}

// So is every example of the catalogue.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	n := 0
	check := func(name, source string) {
		n++
		if _, err := parse.Parse(strings.NewReader(source), name); err != nil {
			t.Errorf("example of %s: %v", name, err)
		}
	}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			check(e.Name, e.Example)
		}
		for _, fn := range f.Functions {
			check(fn.Name, fn.Example)
		}
		for _, o := range f.Objects {
			for _, m := range o.Methods {
				check(o.Name+":"+m.Name, m.Example)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d examples", n)
	}
}
