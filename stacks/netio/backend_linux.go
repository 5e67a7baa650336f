package netio

import "golang.org/x/sys/unix"

func newBackend(portable bool) (backend, error) {
	if portable {
		return newPortable(), nil
	}
	return newEpoll()
}

// descriptors returns how many the process may have.
func descriptors() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<30))
}
