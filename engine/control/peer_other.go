//go:build !linux

package control

import "net"

// allowed leaves the decision to the socket's mode.
func allowed(net.Conn) error { return nil }
