// Package counted rewrites syntax trees so that no single instruction does an
// amount of work that an instruction budget cannot see, nor means something else
// than in Lua 5.1. Comparing two strings of a mebibyte, hashing one as a key,
// asking for the length of a table whose elements were removed, storing at index
// one million, passing on eight thousand values, making a table: each is one instruction to
// gopher-lua and can take a millisecond. Where an operand may be that large, the
// operator becomes a call of a native function that counts what it does:
//
//	#t                  (#)(t)
//	a == b, a < b       (==)(a, b), (<)(a, b)
//	t[k]                t[(k)(k)]
//	t[k] = v            t[(k=)(k, t)] = v
//	f(...)              f((...)(...))
//	{ x = 1 }           ({})({ x = 1 })
//	for i = a, b do     for i = (for)(a, 1), (for)(b, 2) do
//
// That takes longer than the operator, so it is done only where it matters. A
// variable that holds only numbers, or a literal, is never large; code that runs
// at most once an entry, such as a handler outside of its loops, cannot repeat
// what is dear. The length and the loop's values are called everywhere they are
// not known, for their meaning: gopher-lua asks a table for __len, and does not
// take strings for numbers.
//
// The package keeps no state; a tree must not be used by two goroutines at once.
package counted
