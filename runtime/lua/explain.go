package lua

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/predicate"
)

// explanation tells how the functions of a declaration run. It shares nothing
// with the machine that runs them.
type explanation struct {
	when, guard  *nativeForm
	deed         *deedForm
	filter, body *functionFacts
}

// functionFacts are what is said of a function that enters Lua.
type functionFacts struct {
	free   bool
	second *access.Handler
}

// explanation is made when the functions have their numbers.
func (f *fields) explanation(when, guard *nativeForm, deed *deedForm, filter, run engine.FuncID) func(*event.Info) []string {
	in := f.d.in
	x := &explanation{when: when, guard: guard, deed: deed, filter: in.factsOf(filter), body: in.factsOf(run)}
	if x.filter == nil && x.body == nil {
		return nil
	}
	return x.lines
}

// factsOf copies what is known of a function.
func (in *instance) factsOf(id engine.FuncID) *functionFacts {
	if id == 0 {
		return nil
	}
	f := &in.funcs[id-1]
	facts := &functionFacts{free: f.free}
	if f.second != nil {
		facts.free, facts.second = f.second.free, f.second.plan
	}
	return facts
}

// lines says how the functions run on the events of info.
func (x *explanation) lines(info *event.Info) []string {
	var lines []string
	if x.filter != nil {
		if why := x.when.refusal(info); why == "" {
			lines = append(lines, "when: native")
		} else {
			lines = append(lines, "when: Lua, no native form: "+why)
			lines = append(lines, x.filter.lines(info)...)
		}
	}
	if x.body == nil {
		return lines
	}
	why := x.deed.refusal(info)
	if why == "" {
		return append(lines, "run: native")
	}
	if x.guard.refusal(info) == "" {
		lines = append(lines, "run: Lua, behind a native guard; no native form: "+why)
	} else {
		lines = append(lines, "run: Lua, no native form: "+why)
	}
	return append(lines, x.body.lines(info)...)
}

// refusal says why there is no native form; empty where there is one.
func (n *nativeForm) refusal(info *event.Info) string {
	if n == nil {
		return "how it was made"
	}
	_, err := n.compile(n.body, info, n.names)
	return reason(err)
}

// refusal is that of whole handlers.
func (d *deedForm) refusal(info *event.Info) string {
	if d == nil {
		return "how it was made"
	}
	_, err := d.compile(info)
	return reason(err)
}

// reason words why something was not compiled.
func reason(err error) string {
	var r *predicate.Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return fmt.Sprintf("%s (line %d)", r.Reason, r.Line)
	}
	return err.Error()
}

// lines tells what becomes of the fields that a function reads.
func (f *functionFacts) lines(info *event.Info) []string {
	var lines []string
	h := f.second
	if h == nil || !slices.Contains(h.Infos, info) {
		lines = append(lines, "  as written: the events of its declaration are not known from the script")
	} else {
		lines = append(lines, pathLine("  arguments: ", h.Hoisted, h.Params)...)
		if sums := h.Computed(); len(sums) > 0 {
			lines = append(lines, "  computed natively: "+strings.Join(sums, ", "))
		}
		lines = append(lines, pathLine("  native reads: ", h.Read, h.Params)...)
		if len(h.Helpers) > 0 {
			lines = append(lines, "  follows: "+strings.Join(h.Helpers, ", "))
		}
		for i, use := range h.Uses {
			if use == access.Escapes {
				lines = append(lines, fmt.Sprintf("  %s escapes at line %d", h.Params[i], h.EscapeLines[i]))
			}
		}
	}
	if f.free {
		return append(lines, "  no instruction is counted")
	}
	return append(lines, "  instructions are counted")
}

func pathLine(title string, paths []access.Path, params []string) []string {
	if len(paths) == 0 {
		return nil
	}
	words := make([]string, len(paths))
	for i, p := range paths {
		words[i] = p.Written(params)
	}
	return []string{title + strings.Join(words, ", ")}
}
