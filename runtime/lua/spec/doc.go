// Package spec runs *_spec.lua files: describe, it and assert around scripts
// that run on captures, on connections made by hand and on a virtual clock.
//
// Each `it` has an engine of its own with the scripts under test loaded, so
// nothing leaks from one to the next. The stacks are given by the caller as
// [Traffic]: this package knows none.
//
// Goroutines: a Runner works on the goroutine that calls it.
package spec
