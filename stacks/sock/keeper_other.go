//go:build !linux

package sock

import "os"

// Keeper needs Linux.
type Keeper struct{}

// StartKeeper needs Linux.
func StartKeeper(string, ...string) (*Keeper, error) { return nil, ErrUnsupported }

// Keep needs Linux.
func Keep(*os.File) error { return ErrUnsupported }

// Close has nothing to close.
func (k *Keeper) Close() error { return nil }
