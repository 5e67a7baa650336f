// Package model reads the declarations in spec/events: it decodes the YAML
// strictly, checks it, resolves types and paths, and hands out plain structs
// that the generator walks. spec/schema.yaml is the schema, as a commented
// example.
//
// Everything is single-goroutine; a loaded [Spec] is not changed any more.
package model
