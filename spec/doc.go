// Package spec is the contract: the declarations of events, objects and
// functions in events/, from which Go types, Lua glue, reference pages and
// editor stubs are generated, and the tests that keep the house in order.
package spec
