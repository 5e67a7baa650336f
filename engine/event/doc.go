// Package event is the seam between the stacks and the engine. A stack raises
// typed events at hook points ([Point]); the engine installs itself as the
// [Dispatcher] of each [Shard] and hands back a [Verdict]. Neither knows the
// other, and neither knows Lua.
//
// The declarations in spec/events become, by the generator, one package per
// stack below this one (flowev, hookdev, ...): event structs, points, the
// interfaces of the objects that handlers receive, and the catalogue rows
// ([Info], [Object], [Function]) that checkers, printers and documentation read.
//
// Goroutines: a Shard and everything raised through it belong to the goroutine
// that entered it ([Shard.Enter]). Catalogue rows are immutable.
package event
