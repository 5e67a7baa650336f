// Package access makes what handlers read of an event cheap. Left alone, every
// field read enters a Go function through a metatable and allocates. Access
// gives each handler whose events are known a second form of itself:
//
//   - fields that hold for the event and are read on every path become arguments,
//   - other fields, methods of the event's objects, and keys of c.data become
//     calls of native functions,
//   - locals that are names for such objects, and local functions that are called
//     with them, are followed, functions one level deep,
//   - objects of which nothing else is left are not made at all, and lent ones
//     that the handler cannot keep are one userdata a machine.
//
// The runtime calls the second form where all that was assumed holds, else the
// first, which is what the author wrote; lines are the same in both. Keys of
// `state` are rewritten wherever they stand. The package also tells which
// functions need nobody to count their instructions.
//
// Functions of the package work on one tree, which they change; two goroutines
// must not share it.
package access
