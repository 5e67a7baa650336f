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
	err := root.Execute()
	if err == nil {
		return exitDone
	}
	// What has no code of its own is cobra's complaint about the command line.
	code := exitUsage
	var ee *exitError
	if errors.As(err, &ee) {
		code = ee.code
		if ee.err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "hookd: %s\n", strings.TrimSpace(err.Error()))
	if code == exitUsage {
		fmt.Fprintln(stderr, "See 'hookd help'.")
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "hookd",
		Short: "Lua rules on live connections, calls, sockets and event loops",
		Long: `hookd runs Lua rules on what native stacks see. A rule binds a handler or a
verdict to a hook point; the same rules run on a capture and on live traffic.

Exit codes: 0 done, 1 the work found a failure, 2 usage, 3 scripts do not load,
4 input, output or privilege, 130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return consoleHere(cmd) },
	}
	root.AddCommand(
		newRun(), newConsole(), newStatus(), newReload(), newRollback(),
		newRules(), newConns(), newTrace(), newTop(), newStore(), newBlocks(),
		newReplay(), newDiff(), newExplain(), newCheck(), newTest(), newHooks(), newDoc(), newSIP(), newSock(), newVersion(),
	)
	return root
}
