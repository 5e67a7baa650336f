// Package vm is a bounded Lua 5.1 machine on gopher-lua: a state with only the
// library that cannot leave the process, whose calls count instructions, whose
// errors are values with a position and a traceback, and which goes on after any
// of them. It knows nothing of rules, events or stacks.
//
// gopher-lua is used as it is published. What is wrong in it at run time is kept
// away from scripts here:
//
//   - An error that is caught closes the upvalues of every function still
//     running, so that a local and the closure over it part. pcall and xpcall
//     therefore run what they protect in a thread of its own.
//   - A failing call can panic in the middle of its recovery and leave the state
//     useless. Calls run on a thread that is thrown away when they fail; see
//     [VM.Call].
//   - A coroutine made under a context escapes it or costs a goroutine. Ours share
//     the budget and are counted.
//   - The operator .. has no bound. [BoundConcat] turns it into a call that has.
//
// A call that may wait is a [Task]: it is left where it waits and entered again
// there, from wherever it called, while others run.
//
// Goroutines: a VM and all its values belong to one goroutine at a time. Tasks run on
// goroutines of the machine, of which one runs only while its caller is held in
// [Task.Start], [Task.Resume] or [Task.Cancel]; [VM.Close] waits for those that
// are left, and tasks that wait are to be canceled before.
package vm
