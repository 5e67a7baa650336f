package model

// Types calls yield for every type that the family's declarations mention, with
// its place.
func (f *Family) Types(yield func(Pos, Type)) {
	fields := func(list []*Field) {
		for _, x := range list {
			yield(x.At, x.Type)
		}
	}
	params := func(list []*Param) {
		for _, p := range list {
			yield(p.At, p.Type)
		}
	}
	for _, v := range f.Verdicts {
		params(v.Args)
	}
	for _, o := range f.Objects {
		fields(o.Fields)
		for _, m := range o.Methods {
			params(m.Args)
			params(m.Results)
		}
	}
	for _, fn := range f.Functions {
		params(fn.Args)
		params(fn.Results)
	}
	for _, e := range f.Events {
		fields(e.Fields)
	}
}

// usesOf returns the other families whose types f mentions, with the first place.
func usesOf(f *Family) map[*Family]Pos {
	uses := map[*Family]Pos{}
	f.Types(func(at Pos, t Type) {
		var owner *Family
		switch {
		case t.Enum != nil:
			owner = t.Enum.Family
		case t.Object != nil:
			owner = t.Object.Family
		}
		if _, known := uses[owner]; owner != nil && owner != f && !known {
			uses[owner] = at
		}
	})
	return uses
}
