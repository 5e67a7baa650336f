package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hookd/hookd/spec/model"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is main without the process: it returns what went wrong.
func run(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "directory that holds go.mod")
	check := flags.Bool("check", false, "compare with what is there instead of writing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	spec, err := model.Load(os.DirFS(filepath.Join(*root, "spec", "events")))
	if err != nil {
		return err
	}
	files, err := generate(spec)
	if err != nil {
		return err
	}
	if *check {
		return compare(*root, files)
	}
	n, err := write(*root, files)
	if err == nil && n > 0 {
		fmt.Fprintf(out, "gen: %d of %d files written\n", n, len(files))
	}
	return err
}

// generate makes every output of spec: content by slash path from the module
// root.
func generate(spec *model.Spec) (map[string][]byte, error) {
	if err := checkGoNames(spec); err != nil {
		return nil, err
	}
	o := &outputs{files: map[string][]byte{}}
	read := readEnums(spec)
	for _, f := range spec.Families {
		goFamily(o, f)
		luaFamily(o, f, read)
		pageFamily(o, f)
		schemaFamily(o, f)
	}
	goCatalogue(o, spec)
	luaAll(o, spec)
	predicateMethods(o, spec)
	stubFile(o, spec)
	return o.files, errors.Join(o.errs...)
}
