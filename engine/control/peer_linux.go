package control

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// allowed tells whether the process at the other end may use the socket: it is
// root's or belongs to this process's user.
func allowed(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil // a listener of the caller's own
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if optErr != nil {
		return optErr
	}
	if uid := int(cred.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("user %d may not use this socket", uid)
	}
	return nil
}
