//go:build !unix

package testbed

import "os/exec"

// AsNobody does nothing: there is no root here.
func AsNobody(*exec.Cmd) {}
