//go:build !unix

package main

import (
	"errors"
	"net"
	"os"
)

func passFile(*net.UnixConn, []byte, *os.File) error { return errors.ErrUnsupported }

func takeFile(*net.UnixConn, []byte) (*os.File, error) { return nil, errors.ErrUnsupported }
