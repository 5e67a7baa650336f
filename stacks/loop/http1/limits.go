package http1

import (
	"github.com/hookd/hookd/engine/event/setting"
)

// Limits bound what is read. A zero field means its default.
type Limits struct {
	// Line is how long a request or status line may be, 8 KiB by default.
	Line int
	// Head is how long a head may be with its first line, 32 KiB by default.
	Head int
	// Fields is how many fields a head may have, 100 by default.
	Fields int
	// Trailers is how long the trailers of a chunked body may be, 8 KiB by default.
	Trailers int
	// Extension is how long the extensions of one chunk may be, 256 by default; all of
	// a body's at most 64 times that.
	Extension int
}

// WithDefaults returns l with its zero fields filled in.
func (l Limits) WithDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{{&l.Line, 8 << 10}, {&l.Head, 32 << 10}, {&l.Fields, 100}, {&l.Trailers, 8 << 10}, {&l.Extension, 256}} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return l
}

const (
	maxEmptyLines  = 4  // before a message
	maxChunkDigits = 15 // of a chunk's size, leading zeros included
	extensionTotal = 64 // times Limits.Extension, in one body
)

// DocLimits lists the limits with their defaults.
func DocLimits() []setting.Limit {
	l := Limits{}.WithDefaults()
	number := setting.NumberLimit
	return []setting.Limit{
		number("http_line", l.Line, "bytes of a request or status line; more is answered 414"),
		number("http_head", l.Head, "bytes of a head; more is answered 431"),
		number("http_fields", l.Fields, "fields of a head; more is answered 431"),
		number("http_trailers", l.Trailers, "bytes of trailers behind a chunked body; more is answered 431"),
		number("http_chunk_extension", l.Extension, "bytes of a chunk's extensions; 64 times as many in a body; more is answered 400"),
		number("http_empty_lines", maxEmptyLines, "empty lines before a request; more is answered 400"),
	}
}
