//go:build unix

package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Interruptible returns a reader of f, such as a pipe, that ends with ctx: a read that waits for
// bytes then returns the context's error. The reader must be closed; f stays open.
func Interruptible(ctx context.Context, f *os.File) (io.ReadCloser, error) {
	wake, waker, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("capture: make pipe: %w", err)
	}
	r := &interruptible{ctx: ctx, f: f, wake: wake, waker: waker}
	r.stop = context.AfterFunc(ctx, func() { _, _ = waker.Write([]byte{0}) })
	return r, nil
}

type interruptible struct {
	ctx         context.Context
	f           *os.File
	wake, waker *os.File
	stop        func() bool
}

// Read implements io.Reader.
func (r *interruptible) Read(b []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(r.f.Fd()), Events: unix.POLLIN}, {Fd: int32(r.wake.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("capture: wait for bytes: %w", err)
		case r.ctx.Err() != nil:
			return 0, r.ctx.Err()
		case fds[0].Revents != 0:
			return r.f.Read(b)
		}
	}
}

// Close lets go of the context. It must not be called while a Read is under way.
func (r *interruptible) Close() error {
	r.stop()
	return errors.Join(r.wake.Close(), r.waker.Close())
}
