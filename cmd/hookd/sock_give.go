package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/stacks/sock"
)

// proxyTo connects to a target and copies both ways until both directions ended.
func proxyTo(ctx context.Context, r *sock.Restored, target string) error {
	conn, err := r.Conn()
	if err != nil {
		return err
	}
	defer conn.Close()
	if ctx == nil {
		ctx = context.Background()
	}
	var d net.Dialer
	other, err := d.DialContext(ctx, sock.NetworkOf(target), target)
	if err != nil {
		return err
	}
	defer other.Close()
	// A connection that fails ends both directions; an end of stream is passed on.
	ended := make(chan error, 2)
	pass := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		if w, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
			_ = w.CloseWrite()
		}
		if err != nil {
			_, _ = conn.Close(), other.Close()
		}
		ended <- err
	}
	go pass(other, conn)
	go pass(conn, other)
	first := <-ended
	second := <-ended
	if first == nil {
		first = second
	}
	return first
}

// serveDescriptor hands the socket to the first who connects.
func serveDescriptor(r *sock.Restored, path string) error {
	f := os.NewFile(uintptr(r.FD), "restored connection")
	defer f.Close()
	l, err := control.Listen(path)
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := r.Pass(c.(*net.UnixConn)); err != nil {
		return err
	}
	// Its receiver has it once it answers or hangs up.
	_, err = c.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}
