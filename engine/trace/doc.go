// Package trace writes what the engine sees and decides as records: one JSON
// object a line, fields in a fixed order, versioned; fields are added, never
// renamed. Log lines go through log/slog, stamped with event time.
//
// A Writer may be used by the goroutines of several shards at the same time.
package trace
