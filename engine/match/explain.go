package match

import (
	"strconv"
	"strings"
)

// maxShown bounds how many values of one test Explain writes out.
const maxShown = 8

// Explain renders n on one line, in the author's order:
//
//	client.ip in blocked and pkt.len > 1400 and (reason = "rst" or reason = "fin")
//
// It needs no catalogue and never fails; what holds of everything is "always".
func Explain(n *Node) string {
	if n == nil {
		return "always"
	}
	t := explain(n, nil, 0)
	if t.text == "" {
		return "always"
	}
	return t.text
}

// term is a rendered condition and the operator that it is joined by, if any.
type term struct {
	text   string
	joined string
}

// in returns t to stand among others that are joined by op.
func (t term) in(op string) string {
	if t.joined != "" && t.joined != op {
		return "(" + t.text + ")"
	}
	return t.text
}

func join(terms []term, op string) term {
	kept := terms[:0]
	for _, t := range terms {
		if t.text != "" {
			kept = append(kept, t)
		}
	}
	if len(kept) == 1 {
		return kept[0]
	}
	words := make([]string, len(kept))
	for i, t := range kept {
		words[i] = t.in(op)
	}
	return term{text: strings.Join(words, " "+op+" "), joined: op}
}

func explain(n *Node, path []string, depth int) term {
	if depth > MaxDepth {
		return term{text: "..."}
	}
	path = append(path[:len(path):len(path)], n.Path...)
	var parts []term
	if n.Op != NoOp {
		parts = append(parts, term{text: explainTest(n, strings.Join(path, "."))})
	}
	for i := range n.All {
		parts = append(parts, explain(&n.All[i], path, depth+1))
	}
	if n.Any != nil {
		parts = append(parts, alternatives(n.Any, path, depth))
	}
	if len(n.None) > 0 {
		parts = append(parts, term{text: "not (" + alternatives(n.None, path, depth).text + ")"})
	}
	return join(parts, "and")
}

// alternatives renders nodes joined by or; one that demands nothing makes all
// of them hold.
func alternatives(nodes []Node, path []string, depth int) term {
	if len(nodes) == 0 {
		return term{text: "never"}
	}
	terms := make([]term, len(nodes))
	for i := range nodes {
		if terms[i] = explain(&nodes[i], path, depth+1); terms[i].text == "" {
			terms[i] = term{text: "always"}
		}
	}
	return join(terms, "or")
}

// sign returns how a test of one value is written, empty where it has no sign.
func (o Op) sign() string {
	switch o {
	case Eq:
		return "="
	case Ne:
		return "!="
	case CIDR:
		return "in"
	case Gt:
		return ">"
	case Ge:
		return ">="
	case Lt:
		return "<"
	case Le:
		return "<="
	case Prefix, Suffix, Contains, Glob, Regex:
		return strings.TrimPrefix(o.String(), "is.")
	}
	return ""
}

func explainTest(n *Node, path string) string {
	v := n.Values
	switch {
	case n.Op == Present && len(v) == 1 && v[0].Kind == BoolValue && !v[0].Bool:
		return path + " absent"
	case n.Op == Present:
		return path + " present"
	case n.Op == Range && len(v) == 2:
		return path + " in " + v[0].bare() + ".." + v[1].bare()
	case len(v) == 1 && n.Op == Eq && v[0].Kind == SetValue:
		return path + " in " + v[0].String()
	case len(v) == 1 && n.Op == Ne && v[0].Kind == SetValue:
		return path + " not in " + v[0].String()
	case len(v) == 1 && n.Op == CIDR:
		return path + " in " + v[0].bare()
	case len(v) == 1 && n.Op.sign() != "":
		return path + " " + n.Op.sign() + " " + v[0].String()
	case n.Op == Eq || n.Op == CIDR:
		return path + " in " + explainValues(v)
	case n.Op == Ne:
		return path + " not in " + explainValues(v)
	case n.Op.sign() != "":
		return path + " " + n.Op.sign() + " " + explainValues(v)
	}
	return path + " " + n.Op.String() + explainValues(v)
}

func explainValues(values []Value) string {
	var words []string
	for i, v := range values {
		if i == maxShown {
			words = append(words, "... "+strconv.Itoa(len(values)-maxShown)+" more")
			break
		}
		words = append(words, v.String())
	}
	return "{" + strings.Join(words, ", ") + "}"
}

// bare renders a text without quotes where nothing in it needs them.
func (v Value) bare() string {
	if v.Kind == TextValue && v.Text != "" && strings.Trim(v.Text, "0123456789abcdefABCDEF.:/") == "" {
		return v.Text
	}
	return v.String()
}
