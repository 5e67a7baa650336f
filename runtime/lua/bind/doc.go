// Package bind is the Lua face of what spec/events declares: for every object
// its fields and methods, for every event its arguments and the fields of this,
// for every function and verdict its call, with arguments checked and results
// converted. The generator writes the *_gen.go files; the conversions and checks
// that they call are written by hand.
//
// The package knows gopher-lua but no engine: what it needs of the VM it runs in
// is a [Host], which the runtime implements.
//
// Goroutines: a call belongs to the shard whose VM makes it. The tables handed
// out by [Objects], [Events] and [Verdicts] are the caller's own.
package bind
