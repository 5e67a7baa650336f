// Command gen turns the declarations in spec/events into Go (engine/event/*ev,
// engine/event/catalogue), Lua glue (runtime/lua/bind), reference pages and JSON
// Schemas (spec/reference) and editor stubs (scripts/types).
//
//	go run ./spec/gen          # from the module root: write everything
//	go run ./spec/gen -check   # compare, write nothing, exit 1 when stale
//
// The output depends on the declarations alone: sorted, formatted, no dates.
// Everything runs on one goroutine.
package main

//go:generate go run github.com/hookd/hookd/spec/gen -root ../..
