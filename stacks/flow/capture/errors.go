package capture

import "fmt"

// FormatError says that a capture stream cannot be read further: it is damaged,
// cut short, of an unknown format, or its source failed.
type FormatError struct {
	// Name is the file's name, or what NewReader was told.
	Name string
	// Offset is where the record begins that could not be read, in bytes of the
	// uncompressed stream.
	Offset int64
	// What is wrong, for people.
	What string
	// Err is the cause if there is one: io.ErrUnexpectedEOF for a stream that
	// ends inside a record, or the error of the source.
	Err error
}

// Error returns "NAME: offset N: what".
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: offset %d: %s", e.Name, e.Offset, e.What)
}

// Unwrap returns the cause, nil if the bytes themselves are the problem.
func (e *FormatError) Unwrap() error { return e.Err }
