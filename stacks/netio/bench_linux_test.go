package netio

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// silent echoes datagrams and notes nothing.
type silent struct{}

func (*silent) Datagram(s *Packets, p []byte, from, to netip.AddrPort, _ bool) {
	_ = s.SendTo(p, from, to.Addr())
}

func (*silent) Unreachable(*Packets, netip.AddrPort, Reason) {}

// BenchmarkEcho sends 64 bytes to and fro on 64 and 256 connections from another
// process, and reports what this process spends on a request.
func BenchmarkEcho(b *testing.B) {
	for _, conns := range []int{64, 256} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			r := newRig(b, false)
			ls := r.listen(&hooks{recv: echo}, Options{})
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), "NETIO_CHILD=load "+ls.Addr().String()+" "+strconv.Itoa(conns)+" "+strconv.Itoa(b.N))
			cmd.Stderr = os.Stderr
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu returns the process's CPU time.
func cpu() time.Duration {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// load is the client of BenchmarkEcho: an epoll loop by hand, which does n round
// trips over conns connections.
func load(addr string, conns, n int) {
	at := sockaddrOf(mustAddrPort(addr), unix.AF_INET)
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		panic(err)
	}
	msg := make([]byte, 64)
	started := 0
	send := func(fd int) {
		if started < n {
			started++
			_, _ = unix.Write(fd, msg)
		}
	}
	for range conns {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			panic(err)
		}
		if err := unix.Connect(fd, at); err != nil {
			panic(err)
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			panic(err)
		}
		send(fd)
	}
	events := make([]unix.EpollEvent, 256)
	for done := 0; done < n; {
		m, err := unix.EpollWait(ep, events, 10_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || m == 0 {
			panic(fmt.Sprint("no answer: ", err, done))
		}
		for _, e := range events[:m] {
			if k, err := unix.Read(int(e.Fd), msg); k != len(msg) {
				panic(fmt.Sprint(k, err))
			}
			done++
			send(int(e.Fd))
		}
	}
}
