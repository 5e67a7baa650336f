package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Handle is an open network namespace. The zero handle is the caller's own.
type Handle struct{ file *os.File }

// OfPath opens a network namespace by a path, such as /run/netns/blue.
func OfPath(path string) (Handle, error) {
	f, err := os.Open(path)
	if err != nil {
		return Handle{}, fmt.Errorf("netns: %w", err)
	}
	return Handle{f}, nil
}

// OfSocket opens the network namespace that a socket belongs to (SIOCGSKNS). It
// needs CAP_NET_ADMIN over that namespace.
func OfSocket(fd int) (Handle, error) {
	ns, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
	if err != nil {
		return Handle{}, fmt.Errorf("netns: of socket: %w", err)
	}
	return Handle{os.NewFile(uintptr(ns), "netns")}, nil
}

// New makes a network namespace and brings its loopback up. It lives as long as the
// handle, or a socket in it. It needs CAP_SYS_ADMIN.
func New() (Handle, error) {
	var h Handle
	err := aside(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: unshare: %w", err)
		}
		if err := loopbackUp(); err != nil {
			return err
		}
		var err error
		h, err = OfPath(threadPath())
		return err
	})
	return h, err
}

// Inode returns the number that names the namespace on this machine.
func (h Handle) Inode() (uint64, error) {
	var st unix.Stat_t
	var err error
	if h.file == nil {
		err = unix.Stat("/proc/thread-self/ns/net", &st)
	} else {
		err = unix.Fstat(int(h.file.Fd()), &st)
	}
	if err != nil {
		return 0, fmt.Errorf("netns: inode: %w", err)
	}
	return st.Ino, nil
}

// Own reports whether the handle stands for the caller's own namespace.
func (h Handle) Own() bool { return h.file == nil }

// File returns the open namespace, nil for the caller's own. It stays the handle's.
func (h Handle) File() *os.File { return h.file }

// Close closes the handle.
func (h Handle) Close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}

// Do runs a function in the namespace. With the zero handle it just calls it;
// otherwise it runs on a thread of its own, which ends with it.
func (h Handle) Do(fn func() error) error {
	if h.file == nil {
		return fn()
	}
	return aside(func() error {
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: enter: %w", err)
		}
		return fn()
	})
}

// aside runs a function on a thread that nothing else runs on afterwards: a
// goroutine that ends while it is locked takes its thread with it. The process' first
// thread cannot end, and /proc/self speaks of it; held here, it is not the one that
// the function gets.
func aside(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- aside(fn)
			runtime.UnlockOSThread()
			return
		}
		done <- fn()
	}()
	return <-done
}

func threadPath() string { return fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()) }

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("netns: raise loopback: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("netns: raise loopback: %w", err)
	}
	return nil
}

// Path returns a path by which this process can open the namespace, as long as the
// handle is open; "" for the caller's own.
func (h Handle) Path() string {
	if h.file == nil {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d", h.file.Fd())
}
