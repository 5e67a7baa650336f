package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// pointJSON is a hook point as `hooks --format json` prints it.
type pointJSON struct {
	Name     string      `json:"name"`
	Event    string      `json:"event"`
	Phase    string      `json:"phase,omitempty"`
	Default  bool        `json:"default"`
	Doc      string      `json:"doc"`
	Args     []string    `json:"args"`
	Fields   []fieldJSON `json:"fields"`
	Verdicts []string    `json:"verdicts"`
	Combine  string      `json:"combine"`
	Since    string      `json:"since"`
	Example  string      `json:"example"`
}

type fieldJSON struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Unit     string `json:"unit,omitempty"`
	Valid    string `json:"valid,omitempty"`
	Optional bool   `json:"optional,omitempty"`
	Doc      string `json:"doc"`
}

func jsonPoints(w io.Writer, cat *catalogue.Catalogue, points []*event.PointInfo) error {
	list := make([]pointJSON, 0, len(points))
	for _, p := range points {
		info, _ := cat.Point(p.ID)
		row := pointJSON{
			Name: p.Name, Event: info.Name, Phase: p.Phase, Default: info.Default().ID == p.ID,
			Doc: info.Doc, Args: append([]string{}, info.Args...), Fields: []fieldJSON{}, Verdicts: []string{},
			Combine: info.Combine.String(), Since: info.Since, Example: info.Example,
		}
		for i := range info.Fields {
			row.Fields = append(row.Fields, fieldRow(&info.Fields[i]))
		}
		for _, k := range info.Verdicts {
			row.Verdicts = append(row.Verdicts, info.Family+"."+cat.Family(info.Family).Verdict(k).Name)
		}
		list = append(list, row)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func fieldRow(f *event.Field) fieldJSON {
	return fieldJSON{
		Name: f.Name, Type: typeWord(f.Type), Unit: f.Unit, Valid: f.Valid, Optional: f.Optional, Doc: f.Doc,
	}
}

// typeWord names a type as authors know it.
func typeWord(t event.Type) string {
	switch t.Kind {
	case event.Bool:
		return "boolean"
	case event.Uint, event.Int, event.Float:
		return "number"
	case event.Time, event.Duration:
		return "seconds"
	case event.Size:
		return "bytes"
	case event.IP:
		return "ip"
	case event.Endpoint:
		return "ip:port"
	case event.Enum:
		return strings.Join(t.Names, "|")
	case event.Strings:
		return "list of strings"
	case event.ObjectRef:
		return t.Object
	case event.Plain:
		return "plain data"
	case event.Record:
		return "record"
	case event.Handler:
		return "function or name"
	case event.Any:
		return "any value"
	default:
		return "string"
	}
}

func describeEvent(w io.Writer, cat *catalogue.Catalogue, info *event.Info) error {
	fmt.Fprintf(w, "%s (%s)\n\n%s\n", info.Name, strings.Join(info.Args, ", "), info.Doc)
	for _, p := range info.Points {
		if p.Phase != "" {
			fmt.Fprintf(w, "\n  %s\n      %s", p.Name, p.Doc)
			if p.ID == info.Default().ID {
				fmt.Fprint(w, " The default phase.")
			}
		}
	}
	if len(info.Points) > 1 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nVerdicts: %s", verdictWords(cat, info))
	if len(info.Verdicts) > 0 {
		fmt.Fprintf(w, " (%s)", info.Combine)
	}
	fmt.Fprintln(w)
	if len(info.Fields) > 0 {
		fmt.Fprintln(w, "\nFields (those that are no arguments are read through `this`):")
		writeFields(w, info.Fields)
	}
	return writeExample(w, info.Example)
}

func describeObject(w io.Writer, o *event.Object) error {
	life := "lent: valid until its handler returned"
	if o.Kept {
		life = "kept: valid as long as what it stands for"
	}
	fmt.Fprintf(w, "%s\n\n%s\n%s.\n\nFields:\n", o.Name, o.Doc, life)
	writeFields(w, o.Fields)
	for i := range o.Methods {
		m := &o.Methods[i]
		fmt.Fprintf(w, "\n:%s(%s)\n    %s\n", m.Name, paramWords(m.Args), m.Doc)
		for _, p := range m.Args {
			fmt.Fprintf(w, "    %s (%s): %s\n", p.Name, typeWord(p.Type), p.Doc)
		}
	}
	return nil
}

func describeFunction(w io.Writer, f *event.Function) error {
	fmt.Fprintf(w, "%s(%s)\n\n%s\n", f.Name, paramWords(f.Args), f.Doc)
	for _, p := range f.Args {
		fmt.Fprintf(w, "  %s (%s): %s\n", p.Name+dots(p), typeWord(p.Type), p.Doc)
	}
	writeResults(w, f.Results, f.Effects || f.Waits || f.Fails)
	return writeExample(w, f.Example)
}

func describeVerdict(w io.Writer, family *event.Family, v *event.VerdictInfo) error {
	fmt.Fprintf(w, "%s.%s\n\n%s\n", family.Name, v.Name, v.Doc)
	if len(v.Args) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nArguments:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range v.Args {
		word := typeWord(a.Type)
		if a.Optional {
			word += "?"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", a.Name, word, a.Doc)
	}
	return tw.Flush()
}

func writeFields(w io.Writer, fields []event.Field) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range fields {
		f := &fields[i]
		doc := f.Doc
		if f.Valid != "" {
			doc += " Valid: " + f.Valid + "."
		}
		word := typeWord(f.Type)
		if f.Optional {
			word += " or nil"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Name, word, doc)
	}
	tw.Flush()
}

func paramWords(params []event.Param) string {
	if len(params) > 0 && params[0].Front {
		return "[[" + params[0].Name + ",] " + params[1].Name + "]"
	}
	words := make([]string, len(params))
	for i, p := range params {
		if words[i] = p.Name + dots(p); p.Optional {
			words[i] = "[" + words[i] + "]"
		}
	}
	return strings.Join(words, ", ")
}

func writeExample(w io.Writer, example string) error {
	if example == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n  "))
	return err
}
