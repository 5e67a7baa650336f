//go:build !linux

package netio

func newBackend(bool) (backend, error) { return newPortable(), nil }

// descriptors returns how many the process may have, which is not asked here.
func descriptors() int { return 1 << 20 }
