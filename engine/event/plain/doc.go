// Package plain turns plain values, as scripts, tests and settings write them
// (nil, bool, float64, string, lists of those), into the Go values that
// declarations name: integers of a width, addresses, durations, sizes, words of
// an enum. The conversions refuse what does not fit exactly and say what was
// expected.
//
// Everything here is pure and may be called from any goroutine.
package plain
