package console

import (
	"regexp"
	"slices"
	"strings"
)

// maxCandidates is how many completions are offered.
const maxCandidates = 200

// chainAtEnd is what a name at the cursor hangs on: "c.client.", "flow.".
var chainAtEnd = regexp.MustCompile(`((?:[A-Za-z_][A-Za-z0-9_]*\s*[.:]\s*)*)([A-Za-z_][A-Za-z0-9_]*)?$`)

// Places where something else than a name of Lua stands.
var (
	commandAtEnd = regexp.MustCompile(`^\s*:([a-z]*)$`)
	argumentAt   = regexp.MustCompile(`^\s*:([a-z]+)\s+(\S*)$`)
	storeAt      = regexp.MustCompile(`store\s*\(?\s*["']([^"'\n]*)$`)
	ruleAt       = regexp.MustCompile(`(?:rule|handler)\s*\(?\s*["']([^"'\n]*)$`)
	eventOf      = regexp.MustCompile(`\bon\s*=\s*\{?\s*([a-z]+\.[A-Za-z0-9_.]+)`)
	parameters   = regexp.MustCompile(`\bfunction\s*\(([^)\n]*)\)`)
)

// Completion is what may stand at a cursor.
type Completion struct {
	// From is where the word at the cursor begins, in bytes.
	From int `json:"from"`
	// Words may stand in its place, sorted.
	Words []string `json:"words"`
}

// Complete lists what may stand at the end of text, without running anything.
func (s *Session) Complete(text string) Completion {
	from, words := s.candidates(text)
	part := text[from:]
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, part) || w == "" })
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) > maxCandidates {
		words = words[:maxCandidates]
	}
	return Completion{From: from, Words: words}
}

// candidates finds where the word at the end begins, and what could stand there.
func (s *Session) candidates(text string) (from int, words []string) {
	if m := commandAtEnd.FindStringSubmatchIndex(text); m != nil {
		for _, a := range s.actions() {
			words = append(words, a.name)
		}
		return m[2], words
	}
	if m := argumentAt.FindStringSubmatchIndex(text); m != nil {
		return m[4], s.arguments(text[m[2]:m[3]])
	}
	if m := storeAt.FindStringSubmatchIndex(text); m != nil {
		for _, st := range s.conf.Engine.Stores().Stores() {
			words = append(words, st.Name())
		}
		return m[2], words
	}
	if m := ruleAt.FindStringSubmatchIndex(text); m != nil {
		for _, d := range s.rules() {
			words = append(words, d.name)
		}
		return m[2], words
	}
	if inString(text) {
		return len(text), nil
	}
	m := chainAtEnd.FindStringSubmatchIndex(text)
	from = len(text)
	if m[4] >= 0 {
		from = m[4]
	}
	chain := strings.FieldsFunc(text[m[2]:m[3]], func(r rune) bool { return r == '.' || r == ':' || r == ' ' || r == '\t' || r == '\n' })
	return from, s.lua(text[:from], chain)
}

// lua lists the names that may stand behind a chain at a place of Lua.
func (s *Session) lua(before string, chain []string) (words []string) {
	typeOf := func(name string) string { return s.parameter(before, name) }
	st := s.seatAt(s.at)
	st.enter(func() { words = st.desk.Completions(chain, typeOf) })
	if len(chain) > 0 {
		return words
	}
	point := lastSubmatch(eventOf, before)
	keys, match := s.seats[0].home.Words(point)
	switch inside(before) {
	case "rule", "handler", "event", "timer":
		words = append(words, keys...)
	case "match":
		words = append(words, match...)
	}
	for k := range keywords {
		words = append(words, k)
	}
	for _, p := range strings.Split(lastSubmatch(parameters, before), ",") {
		words = append(words, strings.TrimSpace(p))
	}
	return words
}

// parameter names the type of a handler's parameter by the last declaration's
// event; empty where that is not known.
func (s *Session) parameter(before, name string) string {
	list := strings.Split(lastSubmatch(parameters, before), ",")
	for i, p := range list {
		if strings.TrimSpace(p) == name {
			return s.seats[0].home.Parameter(lastSubmatch(eventOf, before), i)
		}
	}
	return ""
}

// lastSubmatch returns the first group of the last match.
func lastSubmatch(re *regexp.Regexp, text string) string {
	all := re.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// opened is a brace with the word in front of it: `match = {`, `rule "x" {`.
var opened = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)\s*(?:=|\(?\s*["'][^"'\n]*["']\s*\)?)?\s*$`)

// inside returns the word in front of the innermost open brace.
func inside(text string) string {
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case '}':
			depth++
		case '{':
			if depth--; depth < 0 {
				if m := opened.FindStringSubmatch(text[:i]); m != nil {
					return m[1]
				}
				return ""
			}
		}
	}
	return ""
}

// inString reports whether the end of text stands in a short string.
func inString(text string) bool {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	var quote byte
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
	}
	return quote != 0
}

// arguments lists what may stand behind a command.
func (s *Session) arguments(command string) []string {
	switch command {
	case "in":
		return s.conf.Engine.Scripts()
	case "watch":
		return s.points()
	case "drop":
		var names []string
		for _, d := range s.rules() {
			names = append(names, d.name)
		}
		return names
	case "rules":
		var names []string
		for _, r := range s.conf.Engine.Rules() {
			names = append(names, r.Name)
		}
		return names
	case "doc":
		return append(s.points(), s.described()...)
	}
	return nil
}

// described lists what else :doc explains.
func (s *Session) described() []string {
	names := s.rt.Globals()
	for _, f := range s.conf.Engine.Catalogue().Families() {
		for _, o := range f.Objects {
			names = append(names, o.Name)
			for i := range o.Fields {
				names = append(names, o.Name+"."+o.Fields[i].Name)
			}
			for i := range o.Methods {
				names = append(names, o.Name+"."+o.Methods[i].Name)
			}
		}
		for _, fn := range f.Functions {
			names = append(names, fn.Name)
		}
	}
	return names
}
