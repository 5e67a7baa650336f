//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// passFile writes bytes, the first of which carry a copy of a file where there is one.
func passFile(c *net.UnixConn, b []byte, f *os.File) error {
	var rights []byte
	if f != nil {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { rights = syscall.UnixRights(int(fd)) }); err != nil {
			return err
		}
	}
	// The file has to be open until its copy is on its way, which the caller sees to.
	n, _, err := c.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) {
		_, err = c.Write(b[n:])
	}
	return err
}

// takeFile fills a buffer, and returns the file that came with its bytes, nil where none
// did.
func takeFile(c *net.UnixConn, b []byte) (f *os.File, err error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	for got := 0; got < len(b); {
		n, oobn, flags, _, err := c.ReadMsgUnix(b[got:], rights)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err == nil && oobn > 0 {
			var came *os.File
			came, err = fileOf(rights[:oobn])
			switch {
			case err != nil:
			case f == nil:
				f = came
			default:
				err = errors.Join(errors.New("a second file came"), came.Close())
			}
		}
		if err == nil && flags&syscall.MSG_CTRUNC != 0 {
			err = errors.New("more files than expected")
		}
		if err != nil {
			if f != nil {
				_ = f.Close()
			}
			return nil, err
		}
		got += n
	}
	return f, nil
}

// fileOf returns the file that came with control messages. Where that is not one file, all that came are closed.
func fileOf(rights []byte) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	var fds []int
	for i := range messages {
		list, e := syscall.ParseUnixRights(&messages[i])
		fds, err = append(fds, list...), errors.Join(err, e)
	}
	if err != nil || len(fds) != 1 {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		return nil, fmt.Errorf("a file is expected: %d, %w", len(fds), errors.Join(syscall.EBADMSG, err))
	}
	syscall.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "passed"), nil
}
