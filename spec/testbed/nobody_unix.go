//go:build unix

package testbed

import (
	"os/exec"
	"syscall"
)

// nobody is the user and the group without rights, on every system that has them.
const nobody = 65534

// AsNobody has cmd run as a user without rights; only root may.
func AsNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
