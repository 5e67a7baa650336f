//go:build unix

package image

import (
	"os"
	"syscall"
)

// lockFile locks a file until it is closed, or its holder dies. It does not wait.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
