package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrInUse is returned by Listen where another process answers at the path.
var ErrInUse = errors.New("another hookd answers there")

// MaxPath bounds the length of the socket's path in bytes (sun_path).
const MaxPath = 107

// Listen makes the socket, for its owner alone. One that a process left behind
// is replaced.
func Listen(path string) (net.Listener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("control: listen: a socket's path has at most %d bytes, %s has %d", MaxPath, path, len(path))
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("control: listen: %s is there and no socket", path)
		}
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			return nil, errors.Join(fmt.Errorf("control: listen at %s: %w", path, ErrInUse), conn.Close())
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("control: listen at %s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control: listen: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("control: listen: %w", err)
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("control: listen: %w", err)
	}
	return l, nil
}

// listenPrivate makes the socket in a folder that nobody else enters and moves it
// to its place once it has its mode: there is no moment at which others could
// connect.
func listenPrivate(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".hookd-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{l, path}, nil
}

// listener removes the socket's name when it is closed.
type listener struct {
	*net.UnixListener
	path string
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	if err == nil {
		if e := os.Remove(l.path); !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}
