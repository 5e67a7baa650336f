package match

import "github.com/hookd/hookd/engine/event"

// Declared is a name that a match compares a field with whose values are names of
// what scripts declare.
type Declared struct {
	By   string // the function that declares it: "loop.listen"
	Name string
	Line int // of the node, 0 where unknown
}

// DeclaredNames returns those that n, which compiles for the events that info
// describes, has.
func DeclaredNames(n *Node, info *event.Info, objs Objects) []Declared {
	return declaredAt(nil, n, place{info: info, objs: objs})
}

// declaredAt adds the names in n, whose path starts at the place at.
func declaredAt(list []Declared, n *Node, at place) []Declared {
	for _, name := range n.Path {
		next, err := at.enter(name)
		if err != nil {
			return list
		}
		at = next
	}
	if at.field != nil && at.field.Declared != "" && (n.Op == Eq || n.Op == Ne) {
		for _, v := range n.Values {
			if v.Kind == TextValue {
				list = append(list, Declared{at.field.Declared, v.Text, n.Line})
			}
		}
	}
	for _, kids := range [][]Node{n.All, n.Any, n.None} {
		for i := range kids {
			list = declaredAt(list, &kids[i], at)
		}
	}
	return list
}
