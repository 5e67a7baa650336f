package analyse

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

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
	words := map[string]string{}
	for _, f := range t.Fields {
		key, named := f.Key.(*ast.StringExpr)
		word, written := f.Value.(*ast.StringExpr)
		if named && written {
			words[key.Value] = word.Value
		}
	}
	kind := words["kind"]
	methods := StoreMethods(kind)
	if methods == nil {
		return typ{}
	}
	return typ{tree: &tree{name: "store " + name + ", a " + kind + ",", store: true, key: words["key"], members: methods}}
}

// unkeyed are the methods of stores that take no key.
var unkeyed = []string{"clear", "each", "size"}

// storeKey reports an object in the place of a store's key.
func (c *checker) storeKey(owner typ, x *ast.FuncCallExpr, key typ) {
	if owner.tree == nil || !owner.tree.store || key.object == nil || slices.Contains(unkeyed, x.Method) {
		return
	}
	c.report(x.Line(), x.Method, KeyHint(c.cat, key.object, owner.tree.key), "a key is text, a number, true or false, not a %s", key.object.Name)
}

// KeyHint says which fields of an object can be keys of a store whose keys are of a
// type, by the word of its declaration; nothing where that does not tell.
func KeyHint(cat *catalogue.Catalogue, o *event.Object, key string) string {
	kinds := map[string]event.Kind{"ip": event.IP, "cidr": event.IP, "endpoint": event.Endpoint}
	kind, ok := kinds[key]
	if !ok {
		return ""
	}
	paths := fieldsOf(o, kind, "")
	direct := len(paths) > 0
	for i := range o.Fields {
		if f := &o.Fields[i]; !direct && f.Type.Kind == event.ObjectRef {
			paths = append(paths, fieldsOf(cat.Object(f.Type.Object), kind, f.Name+".")...)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return "did you mean its " + strings.Join(paths, " or ") + "?"
}

// fieldsOf returns the paths of an object's fields of a kind.
func fieldsOf(o *event.Object, kind event.Kind, before string) (paths []string) {
	for i := range o.Fields {
		if o.Fields[i].Type.Kind == kind {
			paths = append(paths, before+o.Fields[i].Name)
		}
	}
	return paths
}
