package survey

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

func at(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

func TestList(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Logf("%s: %v", listen, err)
			continue
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		var got Socket
		for range 10_000 {
			if got, err = Find("", at(s.LocalAddr()), at(s.RemoteAddr()), true); err != nil || got.Recv == 5 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err != nil || got.State != 1 || got.Recv != 5 || got.Inode == 0 || got.Local != at(s.LocalAddr()) || got.Remote != at(s.RemoteAddr()) {
			t.Errorf("%+v, %v", got, err)
		}
		if len(got.Owners) != 1 || got.Owners[0].PID != os.Getpid() || got.Owners[0].Name == "" {
			t.Errorf("owners are %+v", got.Owners)
		}
		other := netip.AddrPortFrom(at(s.RemoteAddr()).Addr(), 1)
		if s, err := Find("", at(s.LocalAddr()), other, false); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the listener is taken for a connection: %+v, %v", s, err)
		}
		if s, err := Find("", at(s.LocalAddr()), at(s.RemoteAddr()), false); err != nil || s.Owners != nil {
			t.Errorf("owners that nobody asked for: %+v, %v", s.Owners, err)
		}
		list, err := List("", false, func(s *Socket) bool { return s.State == 10 && s.Local == at(l.Addr()) })
		if err != nil || len(list) != 1 {
			t.Errorf("listening: %+v, %v", list, err)
		}
		_ = errors.Join(c.Close(), s.Close(), l.Close())
	}
	if _, err := Find("", netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such socket: %v", err)
	}
	if _, err := List("/nowhere", false, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such namespace: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, answerLen))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parse(b); ok && !s.Local.Addr().IsValid() {
			t.Error(s)
		}
	})
}
