package lua

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/normalise"
	"github.com/hookd/hookd/runtime/lua/source"
)

// Desk is where somebody evaluates Lua in a machine: in one of its own, whose
// declarations go to a [engine.Guest], or in that of a script, whose top-level
// locals it sees. Names that are assigned and that the script does not have are
// the desk's own and go with it.
//
// A Desk belongs to one goroutine, which has entered the machine's shard in every
// method but Compile.
type Desk struct {
	rt   *Runtime
	in   *instance
	conf DeskConfig
	file *file // of all that was typed
	own  bool  // the machine is

	machine *machine // that names and env are of
	names   *glua.LTable
	given   map[string]bool // names that were assigned, nil as their value too
	env     *glua.LTable
	changes []string
	serial  int
}

// DeskConfig is what a desk is made of.
type DeskConfig struct {
	// Name is what messages call what is typed, as they call a script by its path.
	Name string
	// Print takes the lines that evaluations, and handlers of the desk's own
	// machine, print.
	Print func(line string)
	// Store finds a live store; it may be nil.
	Store func(name string) *store.Store
}

// OpenDesk returns a desk with a machine of its own, which ends by
// [engine.Instance.Close].
func (rt *Runtime) OpenDesk(env *engine.Env, conf DeskConfig) *Desk {
	p := &program{rt: rt, file: file{path: env.Path}}
	rt.compile(&p.file, func(*source.Chunk) {})
	d := &Desk{rt: rt, in: newInstance(p, env), conf: conf, file: &p.file, own: true}
	d.in.desk = d
	d.lay()
	return d
}

// DeskAt returns a desk in the machine of a script.
func (rt *Runtime) DeskAt(script engine.Instance, conf DeskConfig) (*Desk, error) {
	in, ok := script.(*instance)
	if !ok || in.prog.rt != rt {
		return nil, errors.New("lua: a desk in a machine of another runtime")
	}
	d := &Desk{rt: rt, in: in, conf: conf, file: &file{path: conf.Name}}
	d.lay()
	return d, nil
}

// Instance returns the machine that the desk is in.
func (d *Desk) Instance() engine.Instance { return d.in }

// ErrGone is returned where the machine that a desk is in is not there any more.
var ErrGone = errors.New("its script was reloaded")

// ready finds out whether the machine is there. One that had to be made anew
// takes the desk's names with it.
func (d *Desk) ready() error {
	if d.in.machine.closed {
		return ErrGone
	}
	if d.in.machine != d.machine {
		if !d.own {
			return ErrGone
		}
		d.lay()
	}
	return nil
}

// lay makes the environment that what is typed runs in.
func (d *Desk) lay() {
	L := d.in.vm.State()
	d.machine, d.names, d.env, d.given = d.in.machine, L.NewTable(), L.NewTable(), map[string]bool{}
	mt := L.NewTable()
	mt.RawSetString("__index", L.NewFunction(func(L *glua.LState) int {
		name := keyOf(L)
		v, ok := d.lookup(name)
		if !ok {
			v = d.in.absent(L, name)
		}
		L.Push(v)
		return 1
	}))
	mt.RawSetString("__newindex", L.NewFunction(func(L *glua.LState) int {
		d.assign(keyOf(L), L.Get(3))
		return 0
	}))
	mt.RawSetString("__metatable", glua.LFalse)
	d.env.Metatable = mt
	d.in.vm.AddChunk(d.conf.Name)
	if !d.own {
		if d.in.required.files == nil {
			d.in.required.files, d.in.required.values = map[string]*file{}, map[*engine.Module]glua.LValue{}
		}
		d.in.required.files[d.conf.Name] = d.file
	}
}

// lookup finds what a name stands for, without calling anything.
func (d *Desk) lookup(name string) (glua.LValue, bool) {
	if v := d.names.RawGetString(name); v != glua.LNil {
		return v, true
	}
	if up := d.in.locals[name]; up != nil && !d.own {
		return up.Value(), true
	}
	if v := d.in.vm.Globals().RawGetString(name); v != glua.LNil {
		return v, true
	}
	return glua.LNil, d.known(name)
}

// known reports whether the desk was given the name, whatever it stands for.
func (d *Desk) known(name string) bool { return d.given[name] }

// assign gives a name a value: the script's where it has the name, else the
// desk's.
func (d *Desk) assign(name string, v glua.LValue) {
	if d.names.RawGetString(name) == glua.LNil && !d.own {
		if up := d.in.locals[name]; up != nil {
			up.SetValue(v)
			d.noteChange(name)
			return
		}
		if g := d.in.vm.Globals(); g.RawGetString(name) != glua.LNil && !slices.Contains(d.rt.globals, name) {
			g.RawSetString(name, v)
			d.noteChange(name)
			return
		}
	}
	d.given[name] = true
	d.names.RawSetString(name, v)
}

func (d *Desk) noteChange(name string) {
	d.in.changed()
	if !slices.Contains(d.changes, name) {
		d.changes = append(d.changes, name)
	}
}

// Changes returns the names of the script that were assigned since it was asked
// last.
func (d *Desk) Changes() []string {
	list := d.changes
	d.changes = nil
	return list
}

// Names lists what a name may be here: the desk's, the script's locals and
// globals, and what every script has.
func (d *Desk) Names() []string {
	if d.ready() != nil {
		return nil
	}
	names := append(d.Own(), d.rt.tables...)
	names = append(names, d.in.globalNames(maxSuggested)...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Own lists the names of the desk and the locals and globals of its script, and
// nothing that every script has.
func (d *Desk) Own() []string {
	var names []string
	for name := range d.given {
		names = append(names, name)
	}
	if !d.own {
		for name := range d.in.locals {
			names = append(names, name)
		}
		for _, name := range d.in.globalNames(maxSuggested) {
			if !slices.Contains(d.rt.globals, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// maxTyped bounds the text that is kept for messages; what is older is shown
// without its line.
const maxTyped = 64 << 10

// take adds an input to what was typed.
func (d *Desk) take(input *Input) {
	f := d.file
	if len(f.text)+len(input.text) > maxTyped {
		// The lines keep their numbers, up to a point.
		f.text = bytes.Repeat([]byte("\n"), min(d.Line()-1, maxTyped/2))
	}
	f.text = append(append(f.text, input.text...), '\n')
	f.typed, f.names, f.asked = input.typed, nil, sync.Once{}
}

// Line returns the line that the next input begins at.
func (d *Desk) Line() int { return bytes.Count(d.file.text, []byte("\n")) + 1 }

// Text returns all that was typed, which positions refer to.
func (d *Desk) Text() []byte { return bytes.Clone(d.file.text) }

// Input is what was typed, compiled.
type Input struct {
	proto     *glua.FunctionProto
	functions normalise.Functions
	outline   *outline
	text      string
	typed     []byte // at its line
	reads     *engine.Reads
	// changes: it may put a function where the script's own code finds it.
	changes bool
}

// Reads returns what the input may read of events and objects.
func (i *Input) Reads() *engine.Reads { return i.reads }

// Compile compiles an input: expressions, whose values are its results, or
// statements. names are those of [Desk.Names], asked before: no shard is
// entered here.
func (d *Desk) Compile(text string, names []string) (*Input, diag.List) {
	text = strings.TrimRight(text, "\n")
	if len(text) > source.MaxSize-maxTyped {
		return nil, diag.List{{File: d.conf.Name, Msg: fmt.Sprintf("an input of %d bytes is too large: the limit is %d", len(text), source.MaxSize-maxTyped)}}
	}
	pad := bytes.Repeat([]byte("\n"), d.Line()-1)
	chunk, parsed, diags := parseInput(d.conf.Name, pad, text)
	if chunk == nil {
		return nil, diags
	}
	in := &Input{text: text, typed: parsed, outline: outlineOf(chunk), functions: normalise.Functions{}}
	list := checkInput(chunk, d.rt.cfg.Catalogue, append(names, d.rt.globals...))
	if list.HasErrors() {
		return nil, list
	}
	_, in.reads = analyse.Look(chunk, d.rt.cfg.Catalogue, append(names, d.rt.globals...))
	in.changes = mayChange(chunk.Stmts)
	keepLocals(chunk, func(name string) bool {
		return d.own || !slices.Contains(names, name) || slices.Contains(d.rt.globals, name)
	})
	returnResults(chunk)
	compileInput(chunk, in, &list)
	list.Sort()
	if in.proto == nil {
		return nil, list
	}
	return in, nil
}
