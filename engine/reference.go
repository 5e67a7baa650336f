package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
)

// reference is what a script names in a match that some script is to declare: a
// listener.
type reference struct {
	script *script
	match.Declared
}

// refer notes what a match refers to.
func (r *resolver) refer(n *match.Node, info *event.Info) {
	for _, d := range match.DeclaredNames(n, info, r.st.engine.cfg.Catalogue) {
		d.Line = cmp.Or(d.Line, n.Line)
		if ref := (reference{r.script, d}); !slices.Contains(r.named, ref) {
			r.named = append(r.named, ref)
		}
	}
}

// undeclared warns of references to what no script declares: they are no errors,
// since a script may be checked without the others.
func (r *resolver) undeclared() {
	if len(r.named) == 0 {
		return
	}
	names := map[string][]string{} // by the function that declares them
	for _, sc := range r.gen.order {
		for _, f := range sc.plan.Fixtures {
			by := f.Family + "." + f.Word
			names[by] = append(names[by], f.Name)
		}
	}
	for _, ref := range r.named {
		if slices.Contains(names[ref.By], ref.Name) {
			continue
		}
		var hint string
		if near := diag.Nearest(ref.Name, names[ref.By]); near != "" {
			hint = "did you mean " + near + "?"
		}
		r.script = ref.script
		r.errorAt(ref.Line, ref.Name, hint, fmt.Sprintf("match: no %s declares %q", ref.By, ref.Name))
		r.diags[len(r.diags)-1].Severity = diag.Warning
	}
}
