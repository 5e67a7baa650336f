package main

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
)

// unixPair returns two ends of a Unix connection.
func unixPair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { _ = c.Close() })
	}
	return ends[0], ends[1]
}

// TestParcels sends one of each kind, with its file.
func TestParcels(t *testing.T) {
	t.Parallel()
	a, b := unixPair(t)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("this one"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := func() *os.File {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	list := []*parcel{
		{What: passSocket, Socket: &loop.ListeningSocket{Network: "tcp", Address: "127.0.0.1:80", File: file()}},
		{What: passListen},
		{What: passConn, Conn: &loop.Passenger{
			Listener: "echo", Began: 7, Tags: []string{"a"}, Data: map[string]json.RawMessage{"x.lua": json.RawMessage(`{"v":1}`)},
			Left: &netio.Left{File: file(), Unread: []byte("unread"), Queued: make([]byte, 500_000), Fresh: 2},
		}},
		{What: passDone, Stay: 3},
	}
	sent := make(chan error, 1)
	go func() {
		for _, p := range list {
			if err := p.say(a); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, want := range list {
		got, err := hear(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(&os.File{})); diff != "" {
			t.Errorf("%s (-sent +heard):\n%s", want.What, diff)
		}
		var f *os.File
		switch {
		case got.Socket != nil:
			f = got.Socket.File
		case got.Conn != nil:
			f = got.Conn.File
		default:
			continue
		}
		text := make([]byte, 8)
		if _, err := f.ReadAt(text, 0); err != nil || string(text) != "this one" {
			t.Errorf("%s: file has %q, %v", want.What, text, err)
		}
		_ = f.Close()
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func message(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// FuzzHear reads what somebody else may say: it is refused or read, and never waited for.
func FuzzHear(f *testing.F) {
	for _, seed := range [][]byte{
		message(`{"what":"listen"}`),
		message(`{"what":"conn","conn":{"listener":"x"}}`), // without its file
		message(`{"what":"done","unread":-1}`),
		message(`{"what":"done","queued":1000000000000}`),
		message(`{"what":`),
		{0xff, 0xff, 0xff, 0xff},
		{0, 0},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		from, to := unixPair(t)
		if len(b) > 64<<10 {
			return
		}
		if _, err := from.Write(b); err != nil {
			t.Fatal(err)
		}
		_ = from.Close()
		start := time.Now()
		p, err := hear(to)
		if err == nil && (p.Socket != nil || p.Conn != nil) {
			t.Errorf("heard %+v without a file", p)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
