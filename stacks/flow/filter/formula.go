package filter

// formula joins tests of a packet: what one primitive of an expression means,
// before it becomes branches of a graph.
type formula struct {
	kind  formulaKind
	test  test       // of a single test
	parts []*formula // in the order in which they are tried
}

type formulaKind uint8

const (
	single formulaKind = iota
	conjunction
	disjunction
	inversion
	truth
	falsehood
)

func is(t test) *formula { return &formula{kind: single, test: t} }

// allOf is true if all parts are. It does not try those behind a false one, and
// leaves out those that are nil.
func allOf(parts ...*formula) *formula { return combine(conjunction, parts) }

// anyOf is true if one part is, and does not try those behind a true one.
func anyOf(parts ...*formula) *formula { return combine(disjunction, parts) }

func combine(kind formulaKind, parts []*formula) *formula {
	kept := make([]*formula, 0, len(parts))
	for _, f := range parts {
		if f != nil {
			kept = append(kept, f)
		}
	}
	if len(kept) == 1 {
		return kept[0]
	}
	return &formula{kind: kind, parts: kept}
}

func not(f *formula) *formula { return &formula{kind: inversion, parts: []*formula{f}} }

func always(result bool) *formula {
	if result {
		return &formula{kind: truth}
	}
	return &formula{kind: falsehood}
}

// notIf inverts f if odd is set.
func notIf(odd bool, f *formula) *formula {
	if odd {
		return not(f)
	}
	return f
}
