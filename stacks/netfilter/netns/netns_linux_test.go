package netns

import (
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func made(t *testing.T) Handle {
	t.Helper()
	h, err := New()
	if err != nil {
		const why = "needs a network namespace of its own: run as root, or under unshare -Urn"
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatalf("%s: %v", why, err)
		}
		t.Skipf("%s: %v", why, err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestApart wants many namespaces, each with its own loopback, and the process left
// where it was: also its first thread, which /proc/self speaks of.
func TestApart(t *testing.T) {
	own, err := Handle{}.Inode()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{own: true}
	for range 20 {
		h := made(t)
		n, err := h.Inode()
		if err != nil || seen[n] {
			t.Fatal(n, err)
		}
		seen[n] = true
		var at net.Addr
		err = h.Do(func() error {
			l, err := net.Listen("tcp", "127.0.0.1:1")
			if err != nil {
				return err
			}
			at = l.Addr()
			raw, err := l.(*net.TCPListener).SyscallConn()
			if err != nil {
				return err
			}
			return raw.Control(func(fd uintptr) {
				of, err := OfSocket(int(fd))
				if err != nil {
					t.Error(err)
					return
				}
				defer of.Close()
				if got, err := of.Inode(); err != nil || got != n {
					t.Errorf("socket is in %d, not %d: %v", got, n, err)
				}
			})
		})
		if err != nil {
			t.Fatal(at, err)
		}
	}
	var first unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &first); err != nil || first.Ino != own {
		t.Errorf("the first thread is in %d, not %d: %v", first.Ino, own, err)
	}
}

func TestOfPath(t *testing.T) {
	h, err := OfPath(fmt.Sprintf("/proc/%d/ns/net", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	a, _ := h.Inode()
	if b, err := (Handle{}).Inode(); err != nil || a != b || h.Own() || !(Handle{}).Own() {
		t.Errorf("%d, %d, %v", a, b, err)
	}
	if _, err := OfPath("/proc/0/ns/net"); err == nil {
		t.Error("no error for no process")
	}
}
