//go:build !linux

package live

import "fmt"

func drop(int, int) error { return fmt.Errorf("live: drop rights: %w", ErrNoDrop) }
