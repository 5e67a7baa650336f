package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/runtime/lua"
)

// settings are what holds for an engine, and why.
type settings struct {
	observe bool
	limits  engine.Limits
	why     map[string]string // by name; a default has none
}

// readSettings puts together what the settings file at the root of the scripts
// and the flags say; a flag overrides. Diagnostics go to w.
func readSettings(w io.Writer, paths []string, o *houseOptions) (*settings, error) {
	s := &settings{why: map[string]string{}}
	src, err := watch.Settings(paths...)
	if err != nil {
		return nil, fail(exitIO, err)
	}
	if src != nil {
		if err := s.readFile(w, *src); err != nil {
			return nil, err
		}
	}
	if o.observe {
		s.observe, s.why["observe"] = true, "--observe"
	}
	for _, word := range o.limit {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, usagef("--limit %s: NAME=VALUE expected", word)
		}
		var v any = value
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			v = n
		}
		if err := s.limits.Set(name, v); err != nil {
			return nil, usagef("--limit %s: %w", word, err)
		}
		s.why["limits."+name] = "--limit"
	}
	return s, nil
}

func (s *settings) readFile(w io.Writer, src engine.Source) error {
	cat := catalogue.New(catalogue.All()...)
	rt := lua.New(lua.Config{Catalogue: cat, Limits: engine.New(engine.Config{Catalogue: cat}).Limits()})
	list, diags := rt.Settings(src)
	if err := report(w, diags); err != nil {
		return fail(exitIO, err)
	}
	if diags.HasErrors() {
		return fail(exitScripts, errors.New("settings do not load"))
	}
	for _, x := range list {
		s.why[x.Name] = fmt.Sprintf("%s:%d", x.File, x.Line)
		name, isLimit := strings.CutPrefix(x.Name, "limits.")
		if !isLimit {
			s.observe, _ = x.Value.(bool)
			continue
		}
		if err := s.limits.Set(name, x.Value); err != nil {
			return fail(exitScripts, fmt.Errorf("%s:%d: %s: %w", x.File, x.Line, name, err))
		}
	}
	return nil
}

// write lists what holds and why.
func (s *settings) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		why := s.why[name]
		if why == "" {
			why = "default"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", name, value, why)
	}
	row("observe", strconv.FormatBool(s.observe))
	for _, l := range s.limits.Doc() {
		row("limits."+l.Name, l.Default)
	}
	return tw.Flush()
}
