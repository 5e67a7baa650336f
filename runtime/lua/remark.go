package lua

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/lib/jsonlib"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// remark is an error in the words of the API: what is wrong, the word of the
// line that is at fault, and what to do about it. While a script runs it is one
// text; when it ends a load, the parts make a diagnostic.
type remark struct {
	msg, hint, word string
	line            int // where it is about another line than the one that runs
}

func (r remark) text() string {
	if r.hint == "" {
		return r.msg
	}
	return r.msg + "; " + r.hint
}

// raise raises r at the running line, or at its own.
func (in *instance) raise(L *glua.LState, r remark) {
	in.said = r
	if r.line > 0 {
		L.Error(glua.LString(fmt.Sprintf("%s:%d: %s", in.prog.path, r.line, r.text())), 0)
	}
	L.RaiseError("%s", r.text())
}

// diagnostic makes one of the error that ended a load.
func (in *instance) diagnostic(err error) *diag.Diagnostic {
	var f *vm.Failure
	if !errors.As(err, &f) {
		return &diag.Diagnostic{File: in.prog.path, Msg: err.Error()}
	}
	r := remark{msg: f.Message}
	if f.Message == in.said.text() {
		r = in.said
	}
	r.line = f.Line
	if m := in.moduleAt(f.Chunk); m != nil {
		return diagnose(m.path, m.text, r)
	}
	return in.prog.diagnose(r)
}

// diagnose makes a diagnostic at a line of the script.
func (p *program) diagnose(r remark) *diag.Diagnostic { return diagnose(p.path, p.text, r) }

// diagnose makes a diagnostic at a line of a file.
func diagnose(path string, text []byte, r remark) *diag.Diagnostic {
	d := &diag.Diagnostic{File: path, Line: r.line, Msg: r.msg, Hint: r.hint}
	if r.line > 0 {
		d.Col, d.Source = diag.Locate(text, r.line, r.word)
	}
	if d.Col > 0 {
		d.Width = len(r.word)
	}
	return d
}

// scriptError makes the engine's error of a failed call. A machine that may be
// damaged is replaced.
func (in *instance) scriptError(err error) error {
	e := &engine.ScriptError{Script: in.prog.path, Message: err.Error()}
	var f *vm.Failure
	if !errors.As(err, &f) {
		return e
	}
	e.Message, e.Line, e.Overrun = f.Message, f.Line, f.Overrun
	if f.Chunk != in.prog.path {
		e.File = f.Chunk
	}
	if len(f.Frames) > 0 {
		e.Traceback = vm.Traceback(f.Frames)
	}
	if f.Broken {
		e.Poisoned = true
		in.rebuild()
	}
	return e
}

const (
	maxSuggested = 500 // globals that a suggestion is looked for among
	stepsPerName = 50
)

// unknownGlobal raises that there is no such global.
func (in *instance) unknownGlobal(L *glua.LState, name string) {
	names := append(in.globalNames(maxSuggested), in.prog.rt.tables...)
	// Looking for a name costs far more than the instruction that asked for it,
	// which a script could repeat.
	if err := in.vm.Spend(len(names) * stepsPerName); err != nil {
		L.RaiseError("%s", err.Error())
	}
	in.raise(L, remark{msg: "unknown name " + name, hint: nearest(name, names), word: name})
}

// nearest asks whether the name was meant that is most like the one given.
func nearest(name string, names []string) string {
	if near := diag.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// meant is nearest, or says what the owner has where nothing is near and there
// is not too much of it.
func meant(name string, names []string, owner string) string {
	const most = 12
	if hint := nearest(name, names); hint != "" || len(names) == 0 || len(names) > most {
		return hint
	}
	names = append([]string(nil), names...)
	sort.Strings(names)
	return owner + " has " + strings.Join(names, ", ")
}

// last returns the part of a dotted name behind the last dot: the word that
// stands in the script.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// describe names a value in an error message.
func describe(v glua.LValue) string {
	ud, ok := v.(*glua.LUserData)
	if !ok {
		if v == glua.LNil {
			return "nil"
		}
		return "a " + v.Type().String()
	}
	switch v := ud.Value.(type) {
	case *object:
		return "a " + v.typ.Info.Name
	case *verdict:
		return "the verdict " + v.String()
	case *point:
		return "the hook point " + v.name
	case *storeValue:
		return "store " + v.st.Name()
	case *recordValue:
		return "a record"
	case *handle:
		return "the " + v.String()
	case unbind:
		return "rule.off"
	case *test:
		return "the test " + v.word
	case jsonlib.Null:
		return "json.null"
	case *family:
		return "the table " + v.name
	}
	return "a userdata"
}
