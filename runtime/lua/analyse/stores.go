package analyse

import "github.com/yuin/gopher-lua/ast"

// StoreMethods returns the methods that a store of a kind has, by the word of its
// declaration; nil for a word that is none.
func StoreMethods(kind string) []string {
	all := []string{"clear", "each", "has", "remove", "size"}
	switch kind {
	case "set":
		return append(all, "add")
	case "map":
		return append(all, "delete", "get", "put")
	case "counter":
		return append(all, "get", "incr", "reset")
	}
	return nil
}

// storeType is what store "name" { kind = "set" } gives: a store whose methods
// are known.
func (c *checker) storeType(x *ast.FuncCallExpr, e *env) typ {
	word, name, t := declaration(x)
	if _, shadowed := e.find("store"); t == nil || word != "store" || shadowed || c.assigned["store"] {
		return typ{}
	}
	for _, f := range t.Fields {
		key, named := f.Key.(*ast.StringExpr)
		kind, written := f.Value.(*ast.StringExpr)
		if named && key.Value == "kind" && written {
			if methods := StoreMethods(kind.Value); methods != nil {
				return typ{tree: &tree{name: "store " + name + ", a " + kind.Value + ",", store: true, members: methods}}
			}
		}
	}
	return typ{}
}
