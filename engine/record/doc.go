// Package record owns native plain data that outlives a VM: a script's `state`,
// the `data` of a connection or a transaction, and read-only records made from
// files.
//
// A Root is one such tree. Its tables look like Lua tables: an array part 1..n
// and a hash part, here in insertion order. Scripts hold *Table handles, so
// nested tables are read by reference, while assigning a table always copies
// it: a tree never has cycles and every table has one place. The size and depth
// of a tree are bounded, what was refused is counted.
//
// A staged view of a root (Root.Stage) hands out the same *Table handles. What
// is written through them stays in an overlay until Publish.
//
// Goroutines: everything here may be used from any goroutine. One mutex per
// root guards all its tables; it is held for one operation at a time, never
// while a caller's function runs, and never together with another root's.
package record
