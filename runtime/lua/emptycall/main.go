// Command emptycall makes protected calls of a Lua function that does nothing:
// the unit in which the costs of handlers are told. It prints what one took.
//
// It runs on one goroutine.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "emptycall:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one argument expected, the number of calls; got %d", len(args))
	}
	calls, err := strconv.Atoi(args[0])
	if err != nil || calls < 1 {
		return fmt.Errorf("number of calls %q: a number above 0 expected", args[0])
	}
	l := lua.NewState()
	defer l.Close()
	if err := l.DoString(`function f(c) end`); err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	fn := l.GetGlobal("f")
	begin := time.Now()
	for range calls {
		l.Push(fn)
		l.Push(lua.LTrue)
		if err := l.PCall(1, 0, nil); err != nil {
			return fmt.Errorf("call: %w", err)
		}
	}
	fmt.Printf("%d calls, %.1f ns each\n", calls, float64(time.Since(begin).Nanoseconds())/float64(calls))
	return nil
}
