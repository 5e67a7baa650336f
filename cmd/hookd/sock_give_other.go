//go:build !linux

package main

import (
	"net"
	"os"

	"github.com/hookd/hookd/stacks/sock"
)

func execWith(*sock.Restored, []string) error { return sock.ErrUnsupported }

func sendDescriptor(*net.UnixConn, *os.File) error { return sock.ErrUnsupported }
