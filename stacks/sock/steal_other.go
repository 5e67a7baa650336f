//go:build !linux

package sock

// Stolen needs Linux.
type Stolen struct{ FD int }

// Steal needs Linux.
func (m *Mover) Steal(int, int) (*Stolen, error) { return nil, ErrUnsupported }

// stops is nothing where processes cannot be stopped.
type stops struct{}

// Kill needs Linux.
func (s *Stolen) Kill() error { return ErrUnsupported }

// Closed has nothing to note.
func (s *Stolen) Closed() {}

// Close has nothing to close.
func (s *Stolen) Close() error { return nil }
