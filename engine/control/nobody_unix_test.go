//go:build unix

package control_test

import (
	"os/exec"
	"syscall"
)

// asNobody has cmd run as a user without rights.
func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
