package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hookd/hookd/engine/diag"
)

// atLeastOne is for commands that take names, and need one.
func atLeastOne(what string) cobra.PositionalArgs { return between(1, -1, what) }

// none is for commands that take no arguments.
func none() cobra.PositionalArgs { return between(0, 0, "") }

// exactlyOne is for commands that take one name.
func exactlyOne(what string) cobra.PositionalArgs { return between(1, 1, what) }

// atMostOne is for commands that take a name or none.
func atMostOne(what string) cobra.PositionalArgs { return between(0, 1, what) }

// between wants so many arguments that are what; most may be -1, for any number.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing, as in: %s", what, cmd.UseLine())
		case most >= 0 && len(args) > most:
			return fmt.Errorf("%q is too much; it is: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// captures is for commands that read captures.
func captures(cmd *cobra.Command, args []string) error {
	for _, a := range args {
		if !isScript(a) {
			continue
		}
		if cmd.Flags().Lookup("scripts") != nil {
			return fmt.Errorf("%s is a script, no capture: give it as -s %s", a, a)
		}
		return fmt.Errorf("%s is a script, no capture", a)
	}
	return atLeastOne("a capture")(cmd, args)
}

// noCommand is for commands that have others below them and take no arguments.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := diag.Nearest(args[0], names); near != "" {
		hint = "; did you mean " + near + "?"
	} else if isScript(args[0]) {
		hint = "; 'hookd run' runs scripts, 'hookd replay CAPTURE -s' on a capture, 'hookd check' checks them"
	}
	return fmt.Errorf("unknown command %q%s", args[0], hint)
}

func isScript(path string) bool { return filepath.Ext(path) == ".lua" }

// flagError says in hookd's words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := diag.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
	case errors.As(err, &value):
		if what := expected[value.GetFlag().Value.Type()]; what != "" {
			return fmt.Errorf("--%s %s: %s expected", value.GetFlag().Name, value.GetValue(), what)
		}
	}
	return err
}

// expected says what flags of a type take.
var expected = map[string]string{
	"duration": `duration such as "10s" or "300ms"`,
	"int":      "a whole number",
	"uint":     "a whole number from 0 on",
	"uint64":   "a whole number from 0 on",
}

// seeHelp says where more is told about a command.
func seeHelp(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "See 'hookd help'."
	}
	return "See '" + strings.TrimSpace(cmd.CommandPath()) + " --help'."
}
