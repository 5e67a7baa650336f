package lua

import (
	"strings"

	"github.com/hookd/hookd/engine/event"
)

// waitingWords lists what in the catalogue waits, each as the words that a source
// has which calls it: of http.get both, of a method its name.
func waitingWords(families []*event.Family) [][]string {
	var list [][]string
	for _, f := range families {
		for _, fn := range f.Functions {
			if fn.Waits {
				list = append(list, strings.Split(fn.Name, "."))
			}
		}
		for _, o := range f.Objects {
			for _, m := range o.Methods {
				if m.Waits {
					list = append(list, []string{m.Name})
				}
			}
		}
	}
	return list
}

// steady reports whether neither the script nor a module that it required can wait,
// since the words are nowhere in their sources, be it in a comment. A handler that
// makes such a name up while it runs cannot wait by it.
func (in *instance) steady() bool {
	words := wordsOf(nil, in.prog.text)
	for _, f := range in.required.files {
		words = wordsOf(words, f.text)
	}
	for _, w := range in.prog.rt.waiting {
		found := 0
		for _, part := range w {
			if words[part] {
				found++
			}
		}
		if found == len(w) {
			return false
		}
	}
	return true
}

// wordsOf adds the words of a source to a set.
func wordsOf(set map[string]bool, text []byte) map[string]bool {
	if set == nil {
		set = map[string]bool{}
	}
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}) {
		set[word] = true
	}
	return set
}
