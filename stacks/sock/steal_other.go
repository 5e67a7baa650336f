//go:build !linux

package sock

// Stolen needs Linux.
type Stolen struct{ FD int }

// Steal needs Linux.
func Steal(int, int) (*Stolen, error) { return nil, ErrUnsupported }

// Kill needs Linux.
func (s *Stolen) Kill() error { return ErrUnsupported }

// Closed has nothing to note.
func (s *Stolen) Closed() {}

// Close has nothing to close.
func (s *Stolen) Close() error { return nil }
