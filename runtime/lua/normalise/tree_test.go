package normalise

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/yuin/gopher-lua/ast"
)

// dump writes the tree of a program that was normalised a number of times, with
// the lines of its nodes.
func dump(t testing.TB, src string, times int) string {
	t.Helper()
	chunk, list := source.Parse("program", []byte(src))
	if chunk == nil {
		t.Fatalf("%s\n%v", src, list)
	}
	for range times {
		chunk.Stmts = Chunk(chunk.Stmts, 0)
	}
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(chunk.Stmts), 0)
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil\n")
			return
		}
		if p, ok := v.Interface().(ast.PositionHolder); ok && v.Kind() == reflect.Pointer {
			fmt.Fprintf(b, "%s@%d-%d\n", v.Elem().Type().Name(), p.Line(), p.LastLine())
		}
		dumpValue(b, v.Elem(), depth)
	case reflect.Slice:
		fmt.Fprintf(b, "[%d]\n", v.Len())
		for i := range v.Len() {
			b.WriteString(strings.Repeat(" ", depth))
			dumpValue(b, v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Anonymous {
				continue
			}
			fmt.Fprintf(b, "%s%s ", strings.Repeat(" ", depth), f.Name)
			dumpValue(b, v.Field(i), depth+1)
		}
	default:
		fmt.Fprintf(b, "%v\n", v)
	}
}

// TestTwice holds that normalising what is normalised changes nothing.
func TestTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		src := program(seed)
		if diff := cmp.Diff(dump(t, src, 1), dump(t, src, 2)); diff != "" {
			t.Errorf("program %d (-once +twice):\n%s\n%s", seed, diff, src)
		}
	}
}

// TestEveryNodeHasALine looks for nodes that a rewrite forgot to place.
func TestEveryNodeHasALine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		if tree := dump(t, program(seed), 1); strings.Contains(tree, "@0-") {
			t.Errorf("program %d has a node without a line:\n%s", seed, tree)
		}
	}
}
