// Command hookd runs Lua rules on what native stacks see: connections in a
// capture or on an interface, SIP transactions, sockets, event loops.
//
// It wires the house and owns no logic: the engine decides, the stacks emit,
// the runtime runs scripts.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every subcommand.
const (
	exitDone    = 0 // the work is done
	exitFinding = 1 // the work found a failure: a spec failed, a script raised errors
	exitUsage   = 2 // the command line is wrong
	exitScripts = 3 // scripts do not load
	exitIO      = 4 // input, output or privilege
)

// exitError carries the exit code of a failure. A nil err was reported already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, err error) error { return &exitError{code, err} }

func usagef(format string, args ...any) error {
	return fail(exitUsage, fmt.Errorf(format, args...))
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	// What has no code of its own is cobra's complaint about the command line.
	code := exitUsage
	var ee *exitError
	var file *fs.PathError
	switch {
	case errors.As(err, &ee):
		code = ee.code
		if ee.err == nil {
			return code
		}
	case errors.As(err, &file):
		code = exitIO // of what a command only prints
	}
	fmt.Fprintf(stderr, "hookd: %s\n", strings.TrimSpace(err.Error()))
	if code == exitUsage {
		fmt.Fprintln(stderr, seeHelp(cmd))
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hookd",
		Short: "Lua rules on live connections, calls, sockets and event loops",
		Long: `hookd runs Lua rules on what native stacks see. A rule binds a handler or a
verdict to a hook point; the same rules run on a capture and on live traffic.
Without a command there is a console, with the scripts of ./scripts if there are any.

Exit codes: 0 done, 1 the work found a failure, 2 usage, 3 scripts do not load,
4 input, output or privilege, 130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return consoleHere(cmd) },
	}
	root.SetFlagErrorFunc(flagError)
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"write", "Write rules:", []*cobra.Command{newInit(), newCheck(), newTest(), newHooks(), newDoc()}},
		{"try", "Try them on captures:", []*cobra.Command{newReplay(), newDiff(), newExplain()}},
		{"run", "Run them:", []*cobra.Command{newRun(), newReload(), newRollback()}},
		{"ask", "Ask a running daemon:", []*cobra.Command{newConsole(), newStatus(), newRules(), newConns(), newTrace(), newTop(), newStore(), newBlocks()}},
		{"look", "Work with calls and sockets:", []*cobra.Command{newSIP(), newSock()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.AddCommand(newVersion())
	return root
}
