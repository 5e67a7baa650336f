package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/scripts"
)

// typesFolder is where a folder of scripts has the editor's stubs; hidden, so that
// they are no scripts.
const typesFolder = ".types"

// editorSettings point the Lua language server at the stubs.
const editorSettings = `{
  "runtime.version": "Lua 5.1",
  "workspace.library": ["` + typesFolder + `"]
}
`

func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Make a folder of scripts to begin with",
		Long: `Init makes a folder, ./scripts without DIR, that works at once: rules, their spec,
and what an editor with the Lua language server needs to complete and check names.
Nothing that is there is written over.`,
		Args: atMostOne("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := defaultScripts
			if len(args) > 0 {
				dir = args[0]
			}
			if err := makeFolder(dir); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `%[1]s has main.lua, with two rules, and main_spec.lua, which tests them. Next:
  hookd check %[1]s
  hookd test %[1]s
  hookd replay CAPTURE -s %[1]s
  sudo hookd run %[1]s -i INTERFACE
`, dir)
			return err
		},
	}
}

// makeFolder writes the files of a new folder; none if one of them is there.
func makeFolder(dir string) error {
	files := map[string][]byte{".luarc.json": []byte(editorSettings)}
	for _, from := range []struct {
		tree fs.FS
		glob string
		into string
	}{{scripts.Starter, "starter/*.lua", "."}, {scripts.Types, "types/*.lua", typesFolder}} {
		names, err := fs.Glob(from.tree, from.glob)
		if err != nil {
			return fail(exitIO, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(from.tree, name)
			if err != nil {
				return fail(exitIO, err)
			}
			files[filepath.Join(from.into, filepath.Base(name))] = text
		}
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fail(exitIO, fmt.Errorf("%s is there already; nothing is written", filepath.Join(dir, name)))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fail(exitIO, err)
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fail(exitIO, err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fail(exitIO, err)
		}
	}
	return nil
}
