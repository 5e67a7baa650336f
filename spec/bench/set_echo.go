package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Servers of the echo set.
const (
	echoHookd   = "hookd, examples/tcp-echo"
	echoHAProxy = "HAProxy with Lua, echo"
)

// echoServer is a program that sends back what it gets.
type echoServer struct {
	at        string
	argv, env []string
}

// echoSet compares what 64 bytes, there and back, cost a server with a handler a
// message.
func echoSet(b *bench) (*set, error) {
	configs := filepath.Join(b.root, "spec/bench/echo")
	hookd := &echoServer{at: "127.0.0.1:17000", argv: []string{
		b.hookd, "run", filepath.Join(b.root, "examples/tcp-echo"), "--control", filepath.Join(b.dir, "echo.sock"),
	}}
	haproxy := &echoServer{
		at: "127.0.0.1:17001", argv: []string{"haproxy", "-db", "-f", filepath.Join(configs, "haproxy.cfg")},
		env: []string{"HOOKD_BENCH_DIR=" + configs},
	}
	s := &set{name: "echo", doc: "64 bytes there and back over TCP, by a handler a message. CPU s are those of the server for a million messages: microseconds a message."}
	s.about = []string{fmt.Sprintf("Load: a goroutine a connection, %v at a time.", b.loadTime())}
	for _, n := range []int{64, 256} {
		s.programs = append(
			s.programs,
			&program{name: at(echoHookd, n), argv: hookd.argv, run: unjudged(func() (sample, error) { return b.echo(hookd, n) })},
			&program{name: at(echoHAProxy, n), argv: haproxy.argv, get: "apt install haproxy", run: unjudged(func() (sample, error) { return b.echo(haproxy, n) })},
		)
		s.aims = append(s.aims, aim{
			what: fmt.Sprintf("CPU a message at %d connections, in those of HAProxy with Lua", n), bound: 1,
			value: ratio(at(echoHookd, n), at(echoHAProxy, n)),
		})
	}
	return s, nil
}

// echo starts a server, warms it up, and returns what a million messages took.
func (b *bench) echo(v *echoServer, connections int) (s sample, err error) {
	server, err := b.serve(v.env, v.argv...)
	if err != nil {
		return s, err
	}
	defer func() { err = server.end(err) }()
	load, err := newEchoLoad(v.at, connections)
	if err != nil {
		return s, err
	}
	defer load.end()
	time.Sleep(time.Second)
	before, err := treeCPU(server.pid())
	if err != nil {
		return s, err
	}
	messages, began := load.messages.Load(), time.Now()
	select {
	case <-b.ctx.Done():
		return s, b.ctx.Err()
	case <-time.After(b.loadTime()):
	}
	n, wall := float64(load.messages.Load()-messages), time.Since(began)
	after, err := treeCPU(server.pid())
	if err != nil {
		return s, err
	}
	if err := load.end(); err != nil {
		return s, fmt.Errorf("%s: %w", v.at, err)
	}
	if n == 0 {
		return s, fmt.Errorf("%s: no message came back", v.at)
	}
	s.cpu = time.Duration(float64(after-before) / n * million)
	s.wall = time.Duration(float64(wall) / n * million)
	return s, nil
}

// echoLoad is connections on each of which a message is always under way.
type echoLoad struct {
	conns    []net.Conn
	messages atomic.Int64
	ended    atomic.Bool
	wait     sync.WaitGroup
	err      atomic.Pointer[error]
}

func newEchoLoad(at string, connections int) (*echoLoad, error) {
	l := &echoLoad{}
	for range connections {
		c, err := dialSoon(at)
		if err != nil {
			return nil, errors.Join(err, l.end())
		}
		l.conns = append(l.conns, c)
		l.wait.Go(func() { l.ask(c) })
	}
	return l, nil
}

// dialSoon connects to a server that may have just begun.
func dialSoon(at string) (net.Conn, error) {
	var err error
	for range 100 {
		var c net.Conn
		if c, err = net.Dial("tcp", at); err == nil {
			return c, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}

func (l *echoLoad) ask(c net.Conn) {
	buf := make([]byte, 64)
	for !l.ended.Load() {
		_, err := c.Write(buf)
		if err == nil {
			_, err = io.ReadFull(c, buf)
		}
		if err != nil {
			if !l.ended.Load() {
				l.err.Store(&err)
			}
			return
		}
		l.messages.Add(1)
	}
}

// end stops and returns what went wrong before.
func (l *echoLoad) end() error {
	l.ended.Store(true)
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.wait.Wait()
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}
