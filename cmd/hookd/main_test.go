package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets test scripts run this program under its own name.
func TestMain(m *testing.M) {
	// Built to find races, a program stays a second behind its exit, and the tests
	// run some hundreds.
	_ = os.Setenv(raceSettings, os.Getenv(raceSettings)+" atexit_sleep_ms=10")
	programs := sockPrograms()
	programs["hookd"] = func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
	testscript.Main(m, programs)
}

// TestScripts runs the command lines of testdata/script. Each has the examples
// of the tree at $EXAMPLES.
func TestScripts(t *testing.T) {
	p := scriptParams()
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

// raceSettings is the variable that the race detector reads.
const raceSettings = "GORACE"

// scriptParams are what all test scripts have.
func scriptParams() testscript.Params {
	return testscript.Params{
		UpdateScripts:       os.Getenv("HOOKD_UPDATE") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"await": await},
		Condition: func(name string) (bool, error) {
			switch name {
			case "unshare":
				return canUnshare(), nil
			case "criu":
				return canRunCRIU(), nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			wd, err := os.Getwd()
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", wd+"/../../examples")
			env.Setenv("NO_COLOR", "1")
			env.Setenv(raceSettings, os.Getenv(raceSettings))
			env.Setenv("HOOKD_CRIU_PROGRAM", os.Getenv("HOOKD_CRIU_PROGRAM"))
			return nil
		},
	}
}
