package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/runtime/lua"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/services"
	"github.com/hookd/hookd/stacks/sip/sniff"
	"github.com/hookd/hookd/stacks/sock/scripted"
)

// settings are what holds for an engine, and why.
type settings struct {
	observe  bool
	shards   int    // of a daemon; 0: nobody says
	metrics  string // where a daemon serves them; empty: nowhere
	limits   engine.Limits
	flow     flow.Config
	loop     loop.Tuning
	sip      sip.Config
	services services.Config
	sniff    sniff.Config
	sock     scripted.Config
	why      map[string]string // by name; a default has none
}

// readSettings puts together what the settings file at the root of the scripts
// and the flags say; a flag overrides. Diagnostics go to w.
func readSettings(w io.Writer, paths []string, o *houseOptions) (*settings, error) {
	s := &settings{sniff: sniff.DefaultConfig(), why: map[string]string{}}
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
	if o.shards != 0 {
		s.shards, s.why["shards"] = o.shards, "--shards"
	}
	for _, word := range o.limit {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, usagef("--limit %s: NAME=VALUE expected", word)
		}
		if err := s.limits.Set(name, flagValue(value)); err != nil {
			return nil, usagef("--limit %s: %w", word, err)
		}
		s.why["limits."+name] = "--limit"
	}
	for _, word := range o.flow {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			value = "true"
		}
		if err := set(&s.flow, name, flagValue(value)); err != nil {
			return nil, usagef("--flow %s: %w", word, err)
		}
		s.why["flow."+name] = "--flow"
	}
	return s, nil
}

// flagValue reads a value of the command line: a number where it is one.
func flagValue(text string) any {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n
	}
	return text
}

// configurable is a stack's configuration.
type configurable interface {
	Set(name string, value any) error
	Names() []string
}

// set changes a setting of a stack.
func set(c configurable, name string, value any) error {
	err := c.Set(name, value)
	if errors.Is(err, setting.ErrNone) {
		hint := ""
		if near := diag.Nearest(name, c.Names()); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return fmt.Errorf("there is no setting %s%s", name, hint)
	}
	return err
}

// setSIP changes a setting of the SIP stack, or of what works beside it.
func setSIP(stack *sip.Config, beside *services.Config, look *sniff.Config, name string, value any) error {
	if err := beside.Set(name, value); !errors.Is(err, setting.ErrNone) {
		return err
	}
	if err := look.Set(name, value); !errors.Is(err, setting.ErrNone) {
		return err
	}
	return set(stack, name, value)
}

// checks report whether a stack takes a setting, by stack.
func checks() map[string]func(string, any) error {
	return map[string]func(string, any) error{
		"flow": func(name string, value any) error { return set(new(flow.Config), name, value) },
		"loop": func(name string, value any) error { return set(new(loop.Tuning), name, value) },
		"sip": func(name string, value any) error {
			return setSIP(new(sip.Config), new(services.Config), new(sniff.Config), name, value)
		},
		"sock": func(name string, value any) error { return set(new(scripted.Config), name, value) },
	}
}

func (s *settings) readFile(w io.Writer, src engine.Source) error {
	cat := catalogue.New(catalogue.All()...)
	rt := lua.New(lua.Config{
		Catalogue: cat, Limits: engine.New(engine.Config{Catalogue: cat}).Limits(),
		Settings:        checks(),
		SettingsOutside: map[string]string{"never_block": "flow"},
	})
	list, diags := rt.Settings(src)
	if err := report(w, diags); err != nil {
		return fail(exitIO, err)
	}
	if diags.HasErrors() {
		return fail(exitScripts, errors.New("settings do not load"))
	}
	for _, x := range list {
		s.why[x.Name] = fmt.Sprintf("%s:%d", x.File, x.Line)
		var err error
		switch table, name, _ := strings.Cut(x.Name, "."); table {
		case "limits":
			err = s.limits.Set(name, x.Value)
		case "flow":
			err = set(&s.flow, name, x.Value)
		case "loop":
			err = set(&s.loop, name, x.Value)
		case "sip":
			err = setSIP(&s.sip, &s.services, &s.sniff, name, x.Value)
		case "sock":
			err = set(&s.sock, name, x.Value)
		case "shards":
			n, _ := x.Value.(float64)
			s.shards = int(n)
		case "metrics":
			s.metrics, _ = x.Value.(string)
			_, err = metricsAddress(s.metrics)
		default:
			s.observe, _ = x.Value.(bool)
		}
		if err != nil {
			return fail(exitScripts, fmt.Errorf("%s:%d: %s: %w", x.File, x.Line, x.Name, err))
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
	row("shards", strconv.Itoa(max(1, s.shards)))
	row("metrics", cmp.Or(s.metrics, "none"))
	for _, l := range s.limits.Doc() {
		row("limits."+l.Name, l.Default)
	}
	for _, stack := range []struct {
		name string
		list []setting.Doc
	}{{"flow", s.flow.Settings()}, {"loop", s.loop.Settings()}, {"sip", s.sip.Settings()}, {"sip", s.services.Settings()}, {"sip", s.sniff.Settings()}, {"sock", s.sock.Settings()}} {
		for _, f := range stack.list {
			row(stack.name+"."+f.Name, f.Value)
		}
	}
	return tw.Flush()
}
