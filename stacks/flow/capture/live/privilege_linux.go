package live

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func drop(uid, gid int) error {
	if uid < 0 {
		if err := dropCapabilities(); err != nil {
			return err
		}
		return forbidNew()
	}
	// The order matters: only root may choose groups. The calls are those of
	// package syscall, which make them in every thread.
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("live: drop groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("live: become group %d: %w", gid, err)
	}
	// Who is root no more has no capabilities either (capabilities(7)).
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("live: become user %d: %w", uid, err)
	}
	return forbidNew()
}

func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none)), 0)
	runtime.KeepAlive(&head)
	runtime.KeepAlive(&none)
	switch {
	case errno == syscall.ENOTSUP:
		return fmt.Errorf("live: drop capabilities: %w: built with cgo", ErrNoDrop)
	case errno != 0:
		return fmt.Errorf("live: drop capabilities: %w", errno)
	}
	return nil
}

// forbidNew keeps programs that give rights, such as sudo, from giving any to this
// process. A program built with cgo does without: it has none to lose.
func forbidNew() error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 && errno != syscall.ENOTSUP {
		return fmt.Errorf("live: forbid new rights: %w", errno)
	}
	return nil
}
