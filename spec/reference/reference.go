// Package reference holds the generated pages about events, objects and
// functions, and the schemas of their records, so that the command line can
// show them. It owns nothing that changes.
package reference

import "embed"

// Pages are the reference in Markdown, one file a family.
//
//go:embed *.md
var Pages embed.FS

// Schemas are the JSON Schemas of the records, one file a family.
//
//go:embed schema/*.json
var Schemas embed.FS
