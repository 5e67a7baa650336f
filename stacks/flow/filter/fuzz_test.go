package filter

import (
	"errors"
	"testing"
)

// FuzzParse feeds any text. What is accepted must print as something that is
// understood the same, and its scope must decide as the tree does.
func FuzzParse(f *testing.F) {
	for _, expr := range expressions(f) {
		f.Add(expr)
	}
	for _, tc := range understood {
		f.Add(tc.expr)
	}
	for _, tc := range wrong {
		f.Add(tc.expr)
	}
	all := append(keys(0), keys(7)...)
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Parse(expr)
		if err != nil {
			checkError(t, expr, err)
			return
		}
		text := e.String()
		again, err := Parse(text)
		if len(text) > MaxExpr {
			return // spelled out it is longer
		}
		if err != nil || again.String() != text {
			t.Fatalf("%q prints as %q, which is %v, %v", expr, text, again, err)
		}
		s, err := e.Scope()
		if err != nil {
			checkError(t, expr, err)
			return
		}
		for i := range all {
			if want := e.root == nil || decides(t, e, e.root, &all[i]); s.Match(&all[i]) != want {
				t.Fatalf("%q of %+v: the tree says %v", expr, all[i], want)
			}
		}
	})
}

func checkError(t *testing.T, expr string, err error) {
	t.Helper()
	if se := new(SyntaxError); !errors.As(err, &se) || se.Column < 1 || se.Column > len(expr)+1 || se.Expr != expr || se.What == "" {
		t.Fatalf("%q: %T %v", expr, err, err)
	}
}

// decides evaluates a tree without compiling what joins its tests.
func decides(t *testing.T, e *Expr, n node, k *Key) bool {
	t.Helper()
	switch n := n.(type) {
	case *negation:
		return !decides(t, e, n.item, k)
	case *chain:
		result := decides(t, e, n.items[0], k)
		for i, op := range n.ops {
			right := decides(t, e, n.items[i+1], k)
			if op == logicAnd {
				result = result && right
			} else {
				result = result || right
			}
		}
		return result
	}
	one := Expr{src: e.src, root: n}
	s, err := one.Scope()
	if err != nil {
		t.Fatal(err)
	}
	return s.Match(k)
}
