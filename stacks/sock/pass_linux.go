package sock

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Pass sends a duplicate of the socket over a Unix connection (SCM_RIGHTS), with a line
// that says "connection".
func (r *Restored) Pass(to *net.UnixConn) error {
	if _, _, err := to.WriteMsgUnix([]byte("connection\n"), unix.UnixRights(r.FD), nil); err != nil {
		return fmt.Errorf("sock: pass socket: %w", err)
	}
	return nil
}
