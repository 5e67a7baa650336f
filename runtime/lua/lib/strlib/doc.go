// Package strlib is the part of Lua 5.1's standard library that works on
// strings and lists, for gopher-lua states: the tables string and table, and
// the functions tostring, tonumber and unpack.
//
// It replaces gopher-lua's own, which differs from 5.1 in dozens of places,
// damages bytes of 0x80 and above, and can neither be stopped nor bounded.
// Here the work done inside a call is told to [Limits.Steps] while it goes on,
// and a result that would be longer than [Limits.MaxString] is refused before
// memory is taken for it.
//
// What a script sees is what PUC Lua 5.1 on Linux shows, error texts included,
// with these differences, all of them meant:
//
//   - NaN is written "nan", never "-nan"; "inf" and "nan" are not read as numbers.
//   - A zero byte is a byte like any other in patterns, in %s and %c of
//     string.format, and in text to be read as a number (where it is refused).
//   - An integer argument beyond the range of an int is taken as the greatest
//     or least one, where C leaves the result open.
//   - An error in an argument counts from the first argument also when the
//     function was called as a method.
//   - foreach, foreachi and setn, long obsolete, are absent from table, and
//     dump is absent from string.
//   - tostring numbers tables, functions, userdata and threads in the order in
//     which they were first shown, so that output does not change between runs.
//
// Goroutines: what [Open] and [OpenTable] install belongs to the goroutine that
// runs the state, like the state itself.
package strlib
