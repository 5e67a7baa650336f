package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// mostElsewhere is how many names are told of those that end with a word.
const mostElsewhere = 12

// docElsewhere explains what a word could mean that has no page of its own: the one
// name that ends with it, a key of declarations, or else it says what is like it.
func docElsewhere(w io.Writer, cat *catalogue.Catalogue, name string) error {
	if keys, err := declaredKeys(name); err != nil || len(keys) > 0 {
		for _, line := range keys {
			fmt.Fprintln(w, line)
		}
		return err
	}
	if strings.ContainsAny(name, "*?[") {
		return fail(exitFinding, fmt.Errorf("doc takes a name; 'hookd hooks %q' lists hook points", name))
	}
	all := docNames(cat)
	end := name[strings.LastIndexByte(name, '.')+1:] // c.data: what an example calls its object says nothing
	var found []string
	for _, full := range all {
		if strings.HasSuffix(full, "."+end) && !slices.Contains(found, full) {
			found = append(found, full)
		}
	}
	near := diag.Nearest(name, slices.DeleteFunc(all, func(other string) bool {
		return strings.Contains(name, ".") && !strings.Contains(other, ".")
	}))
	switch {
	case len(found) == 1 && near == "":
		return doc(w, found[0])
	case near != "" && (len(found) == 0 || strings.Contains(name, ".")):
		return fail(exitFinding, fmt.Errorf("nothing is called %s; did you mean %s?", name, near))
	case len(found) == 0:
		return fail(exitFinding, fmt.Errorf("nothing is called %s; 'hookd hooks' lists the hook points", name))
	}
	more := ""
	if n := len(found) - mostElsewhere; n > 0 {
		found, more = found[:mostElsewhere], fmt.Sprintf(" and %d more", n)
	}
	return fail(exitFinding, fmt.Errorf("nothing is called %s alone; there is %s%s", name, strings.Join(found, ", "), more))
}

// declaredKeys explains a key of what scripts declare, such as threshold, from the
// editor stubs: a line for each word that has it.
func declaredKeys(key string) ([]string, error) {
	list, err := shippedStubs()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, s := range list {
		owner := ""
		for _, note := range s.notes {
			if class, ok := strings.CutPrefix(note, "@class hookd."); ok {
				owner, _, _ = strings.Cut(class, ".decl")
				continue
			}
			field, ok := strings.CutPrefix(note, "@field ")
			name, doc, _ := strings.Cut(field, " ")
			if ok && strings.TrimSuffix(name, "?") == key && s.title(owner) != "" {
				lines = append(lines, fmt.Sprintf("%-18s %s: %s", s.title(owner), key, doc))
			}
		}
	}
	return lines, nil
}
