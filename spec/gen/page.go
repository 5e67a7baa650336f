package main

import (
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/spec/model"
)

// referenceDir is where pages and schemas go.
const referenceDir = "spec/reference/"

// page is one Markdown page in the making.
type page struct {
	b      strings.Builder
	family *model.Family
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

// pageFamily writes the reference page of one family.
func pageFamily(o *outputs, f *model.Family) {
	p := &page{family: f}
	p.line("<!-- %s -->\n", header)
	p.line("# %s\n\n%s\n", f.Name, f.Doc)
	p.overview()
	if len(f.Events) != 0 {
		p.line("## Hook points\n")
		for _, e := range f.Events {
			p.event(e)
		}
	}
	p.verdicts()
	if len(f.Objects) != 0 {
		p.line("## Objects\n")
		for _, x := range f.Objects {
			p.object(x)
		}
	}
	if len(f.Functions) != 0 {
		p.line("## Functions\n")
		for _, fn := range f.Functions {
			p.function(fn, fn.Name, "")
		}
	}
	for _, v := range f.Values {
		p.line("#### %s\n\n%s Since %s.\n", v.Name, v.Doc, v.Since)
		p.example(v.Example)
	}
	p.enums()
	o.files[referenceDir+f.Name+".md"] = []byte(strings.TrimRight(p.b.String(), "\n") + "\n")
}

// overview writes the table of all hook points.
func (p *page) overview() {
	if len(p.family.Events) == 0 {
		return
	}
	p.line("| event | phases | handler gets | verdicts | when |\n|---|---|---|---|---|")
	for _, e := range p.family.Events {
		var phases []string
		for _, ph := range e.Phases {
			phases = append(phases, "`."+ph.Name+"`")
		}
		p.line("| [`%s`](#%s) | %s | %s | %s | %s |", e.Full(), anchor(e.Full()), strings.Join(phases, " "),
			code(strings.Join(e.Args, ", ")), strings.Join(e.Verdicts, ", "), cell(e.When))
	}
	p.line("")
}

func (p *page) event(e *model.Event) {
	p.line("### %s\n\n%s\n", e.Full(), e.When)
	for i, ph := range e.Phases {
		note := ""
		if i == 0 {
			note = " (default)"
		}
		p.line("- `.%s`%s: %s", ph.Name, note, ph.Doc)
	}
	if len(e.Phases) != 0 {
		p.line("")
	}
	if len(e.Aliases) != 0 {
		p.line("It is one hook point; `.%s` mean the same.\n", strings.Join(e.Aliases, "`, `."))
	}
	var args []string
	for _, f := range e.ArgFields() {
		args = append(args, f.Name)
	}
	p.line("Handler: `function(%s)`. Since %s.\n", strings.Join(args, ", "), e.Since)
	p.eventFields(e)
	p.decides(e)
	p.record(e)
	p.example(e.Example)
}

func (p *page) eventFields(e *model.Event) {
	if len(e.Fields) == 0 {
		return
	}
	p.fieldHead("field")
	for _, f := range e.Fields {
		name := "this." + f.Name
		if e.IsArg(f.Name) {
			name = f.Name
		}
		p.fieldRow(name, f)
	}
	p.line("")
}

func (p *page) fieldHead(first string) {
	p.line("| %s | type | what | valid | stable | cost |\n|---|---|---|---|---|---|", first)
}

func (p *page) fieldRow(name string, f *model.Field) {
	typ := p.typ(f.Type)
	if f.Unit != "" {
		typ += ", " + cell(f.Unit)
	}
	if f.Optional {
		typ += " or nil"
	}
	if f.Writable {
		typ += ", writable"
	}
	what := cell(f.Doc)
	if f.AfterEnd {
		what += " (†)"
	}
	p.line("| `%s` | %s | %s | %s | %s | %s |", name, typ, what, cell(f.Valid), word(f.Stable, "no"), word(f.Cost, "free"))
}

func word(w, absent string) string {
	if w == "" {
		return absent
	}
	return w
}

func (p *page) decides(e *model.Event) {
	switch {
	case len(e.Verdicts) == 0:
		p.line("Rules decide nothing here.\n")
	case e.Combine == "first":
		p.line("Verdicts: %s. The first rule that decides ends it.\n", p.verdictNames(e))
	default:
		p.line("Verdicts: %s. All rules run, the strictest verdict holds.\n", p.verdictNames(e))
	}
	if e.Waits == "suspend" {
		p.line("Handlers may wait.\n")
	}
	if e.Global {
		p.line("It is the first event of its object: rules hear it, `:on` cannot bind it.\n")
	}
}

func (p *page) verdictNames(e *model.Event) string {
	var names []string
	for _, name := range e.Verdicts {
		names = append(names, code(p.family.Name+"."+name))
	}
	return strings.Join(names, ", ")
}

// record lists the keys of the event's JSON record.
func (p *page) record(e *model.Event) {
	var keys []string
	for _, k := range recordKeys(e) {
		keys = append(keys, code(k.name))
	}
	if len(keys) != 0 {
		p.line("Record: %s.\n", strings.Join(keys, ", "))
	}
}

func (p *page) example(text string) {
	p.line("```lua\n%s\n```\n", strings.TrimSpace(text))
}

func (p *page) verdicts() {
	if len(p.family.Verdicts) == 0 {
		return
	}
	p.line("## Verdicts\n\n| verdict | rank | what |\n|---|---|---|")
	for _, v := range p.family.Verdicts {
		rank := ""
		if v.Rank > 0 {
			rank = fmt.Sprint(v.Rank)
		}
		p.line("| `%s` | %s | %s |", callForm(p.family.Name+"."+v.Name, v.Args, v.Named, len(v.Args) != 0), rank, cell(v.Doc))
	}
	p.line("")
	for _, v := range p.family.Verdicts {
		if len(v.Args) != 0 {
			p.line("Arguments of `%s.%s`:\n", p.family.Name, v.Name)
			p.params(v.Args)
		}
	}
}

func (p *page) object(o *model.Object) {
	life := "It is lent: it means nothing once the handler that got it returned."
	if o.Kept() {
		life = "It is kept: it stays valid as long as what it stands for; afterwards the fields with (†) remain readable."
	}
	p.line("### %s.%s\n\n%s %s Since %s.\n", p.family.Name, o.Name, o.Doc, life, o.Since)
	if len(o.Fields) != 0 {
		p.fieldHead("field")
		for _, f := range o.Fields {
			p.fieldRow(f.Name, f)
		}
		p.line("")
	}
	for _, m := range o.Methods {
		p.function(m, m.Name, o.Name)
	}
}

// function writes a function, or a method of the named object.
func (p *page) function(fn *model.Function, name, object string) {
	title := name
	if object != "" {
		title = object + ":" + name
	}
	p.line("#### %s\n\n`%s`\n", title, callForm(title, fn.Args, fn.Named, true))
	text := fn.Doc
	if fn.Effects {
		text += " Has effects."
	}
	if fn.Waits {
		text += " May wait."
	}
	p.line("%s Returns %s. Since %s.\n", text, p.results(fn), fn.Since)
	if len(fn.Args) != 0 {
		p.params(fn.Args)
	}
	p.example(fn.Example)
}

func (p *page) results(fn *model.Function) string {
	var list []string
	for _, r := range fn.Results {
		text := "`" + r.Name + dots(r) + "` (" + p.typ(r.Type)
		if r.Optional {
			text += " or nil"
		}
		list = append(list, text+"): "+strings.TrimSuffix(r.Doc, "."))
	}
	if len(list) == 0 {
		list = []string{"true"}
	}
	text := strings.Join(list, "; ")
	if fn.MayFail() {
		text += "; nil and a message if it fails"
	}
	return text
}

func (p *page) params(list []*model.Param) {
	p.line("| argument | type | what |\n|---|---|---|")
	for _, a := range list {
		typ := p.typ(a.Type)
		if a.Optional {
			typ += ", optional"
		}
		p.line("| `%s` | %s | %s |", a.Name+dots(a), typ, cell(a.Doc))
	}
	p.line("")
}

// callForm writes a call: sip.reply(code[, reason]), sip.relay{ to, fork }.
func callForm(name string, args []*model.Param, named, called bool) string {
	if !called {
		return name
	}
	if named {
		var names []string
		for _, a := range args {
			names = append(names, a.Name)
		}
		return name + "{ " + strings.Join(names, ", ") + " }"
	}
	text, open := name+"(", 0
	if len(args) > 0 && args[0].Front {
		return text + "[[" + args[0].Name + ",] " + args[1].Name + "])"
	}
	for i, a := range args {
		sep := ""
		if i > 0 {
			sep = ", "
		}
		if a.Optional {
			text += "["
			open++
		}
		text += sep + a.Name + dots(a)
	}
	return text + strings.Repeat("]", open) + ")"
}

// dots stand behind the name of what may come any number of times.
func dots(p *model.Param) string {
	if p.Rest {
		return "..."
	}
	return ""
}

func (p *page) enums() {
	if len(p.family.Enums) == 0 {
		return
	}
	p.line("## Words\n\n| type | words | what |\n|---|---|---|")
	for _, e := range p.family.Enums {
		p.line("| %s | `%s` | %s |", e.Name, strings.Join(e.Names, "` `"), cell(e.Doc))
	}
	p.line("")
}

// typ names a type in a cell, with a link where there is more to read.
func (p *page) typ(t model.Type) string {
	switch t.Kind {
	case event.ObjectRef:
		page := ""
		if t.Object.Family != p.family {
			page = t.Object.Family.Name + ".md"
		}
		return fmt.Sprintf("[%s](%s#%s)", t.Object.Name, page, anchor(t.Object.Family.Name+"."+t.Object.Name))
	case event.Enum:
		page := ""
		if t.Enum.Family != p.family {
			page = t.Enum.Family.Name + ".md"
		}
		return fmt.Sprintf("[%s](%s#words)", t.Enum.Name, page)
	default:
		return typeWords[t.Kind]
	}
}

// typeWords say what Lua has for a kind.
var typeWords = map[event.Kind]string{
	event.Bool: "boolean", event.Uint: "number", event.Int: "number", event.Float: "number", event.String: "string",
	event.Bytes: "string of bytes", event.IP: "address", event.Endpoint: "endpoint", event.Time: "time in seconds",
	event.Duration: "duration in seconds", event.Size: "size in bytes", event.Strings: "list of strings",
	event.Plain: "plain value", event.Record: "record", event.Handler: "function or handler's name", event.Any: "any value",
}

// cell makes text fit a table's cell.
func cell(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// anchor is the fragment that GitHub gives a heading.
func anchor(title string) string { return strings.ReplaceAll(strings.ToLower(title), ".", "") }
