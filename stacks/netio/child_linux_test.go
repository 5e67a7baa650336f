package netio

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/engine/event"
)

// child is a server in a process of its own: an echo server that says on standard
// output where it listens, and on a line of standard input how it fares.
func child(mode string) {
	if f := strings.Fields(mode); f[0] == "load" {
		conns, _ := strconv.Atoi(f[2])
		n, _ := strconv.Atoi(f[3])
		load(f[1], conns, n)
		os.Exit(0)
	}
	if f := strings.Fields(mode); f[0] == "tlsload" {
		conns, _ := strconv.Atoi(f[2])
		n, _ := strconv.Atoi(f[3])
		tlsLoad(f[1], conns, n, f[4] == "tls")
		os.Exit(0)
	}
	if mode == "exhausted" {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64})
	}
	sh := event.NewShard(0)
	l, err := New(Config{Shard: sh, Budget: NewBudget(100_000), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		panic(err)
	}
	sh.Enter()
	socket := SocketConfig{Network: "tcp", Address: "127.0.0.1:0"}
	if mode == "tls" {
		socket.TLS = serverTLS()
	}
	ls, err := l.Listen(socket, &hooks{recv: echo})
	if err != nil {
		panic(err)
	}
	sh.Leave()
	fmt.Println(ls.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			var ru unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &ru)
			sh.Enter()
			s := l.Stats()
			sh.Leave()
			fmt.Println(m.HeapAlloc+m.StackInuse, rss(), time.Duration(ru.Utime.Nano()+ru.Stime.Nano()).Microseconds(), s.Accepted, s.Closed, s.RefusedDescriptors, s.Muted, s.Turns)
		}
		cancel()
	}()
	if err := l.Run(ctx); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// rss returns the process's resident memory in bytes.
func rss() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // out of descriptors, in the test of that
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}

// served is a child from outside.
type served struct {
	t    *testing.T
	addr string
	ask  func() []int
}

const (
	heapBytes = iota
	rssBytes
	cpuMicros
	nAccepted
	nClosed
	nRefused
	nMuted
	nTurns
)

func startChild(t *testing.T, mode string) *served {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "NETIO_CHILD="+mode)
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child says nothing: %s", stderr)
	}
	s := &served{t: t, addr: lines.Text()}
	s.ask = func() []int {
		t.Helper()
		write(t, in, "\n")
		if !lines.Scan() {
			t.Fatalf("the child is gone: %s", stderr)
		}
		var got []int
		for _, f := range strings.Fields(lines.Text()) {
			n, _ := strconv.Atoi(f)
			got = append(got, n)
		}
		return got
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v: %s", err, stderr)
		}
		if n := strings.Count(stderr.String(), "\n"); n > 10 {
			t.Errorf("%d lines logged", n)
		}
	})
	return s
}

// TestOutOfDescriptors has 200 connect to a server with 64 descriptors: it neither
// spins nor ends, and serves again afterwards.
func TestOutOfDescriptors(t *testing.T) {
	s := startChild(t, "exhausted")
	var conns []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	within(t, time.Minute, func() bool { st := s.ask(); return st[nAccepted]+st[nRefused] == 200 }, "all are decided")
	before := s.ask()
	time.Sleep(400 * time.Millisecond)
	after := s.ask()
	if after[nAccepted] < 30 || after[nAccepted] > 64 || after[nRefused] != 200-after[nAccepted] {
		t.Errorf("%d accepted, %d refused", after[nAccepted], after[nRefused])
	}
	if cpu := after[cpuMicros] - before[cpuMicros]; cpu > 50_000 || after[nTurns]-before[nTurns] > 10 {
		t.Errorf("%d µs and %d turns in 0.4 s", cpu, after[nTurns]-before[nTurns])
	}
	_ = conns[199].SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := conns[199].Read(make([]byte, 1)); err == nil || reasonOf(err).Why == Timeout {
		t.Errorf("one who is refused hears %v", err)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	within(t, time.Minute, func() bool { return s.ask()[nClosed] == after[nAccepted] }, "all closed")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	write(t, c, "again")
	if got := read(t, c, 5); got != "again" {
		t.Error(got)
	}
	t.Logf("%d accepted, %d refused, muted %d times, %d µs of CPU in all", after[nAccepted], after[nRefused], after[nMuted], after[cpuMicros])
}

// TestIdleMemory bounds what an idle connection costs that was served once.
func TestIdleMemory(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	if limit := descriptors() - 200; limit < n {
		n = limit
	}
	s := startChild(t, "idle")
	before := s.ask()
	at := sockaddrOf(mustAddrPort(s.addr), unix.AF_INET)
	fds := make([]int, 0, n)
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, at); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	var b [1]byte
	for _, fd := range fds {
		if _, err := unix.Read(fd, b[:]); err != nil {
			t.Fatal(err)
		}
	}
	after := s.ask()
	heap, resident := (after[heapBytes]-before[heapBytes])/n, (after[rssBytes]-before[rssBytes])/n
	t.Logf("%d connections: %d bytes of heap, %d resident, %d µs of CPU each", n, heap, resident, (after[cpuMicros]-before[cpuMicros])/n)
	if heap > 1500 || resident > 2560 && n == 10_000 {
		t.Errorf("an idle connection costs %d bytes of heap, %d resident", heap, resident)
	}
}

// TestEchoAllocates nothing for a request once a connection is up.
func TestEchoAllocates(t *testing.T) {
	r := newRig(t, false)
	ls := r.listen(&hooks{recv: echo}, Options{})
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Connect(fd, sockaddrOf(ls.Addr(), unix.AF_INET)); err != nil {
		t.Fatal(err)
	}
	request := make([]byte, 64)
	round := func() {
		_, _ = unix.Write(fd, request)
		for n := 0; n < len(request); {
			m, err := unix.Read(fd, request)
			if err != nil || m == 0 {
				t.Fatal(m, err)
			}
			n += m
		}
	}
	round()
	if n := testing.AllocsPerRun(2000, round); n != 0 {
		t.Errorf("%v allocations a request", n)
	}

	s := r.packets(PacketConfig{Network: "udp4", Address: "127.0.0.1:0"}, &silent{})
	ufd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(ufd) }()
	if err := unix.Connect(ufd, sockaddrOf(s.Addr(), unix.AF_INET)); err != nil {
		t.Fatal(err)
	}
	datagram := func() {
		_, _ = unix.Write(ufd, request)
		_, _ = unix.Read(ufd, request)
	}
	datagram()
	if n := testing.AllocsPerRun(2000, datagram); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}

// TestConnectTimeout gives up an address that does not answer, and goes on with the
// next within the time for all.
func TestConnectTimeout(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		// A listener whose backlog is full drops who comes.
		deaf, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(deaf) }()
		r := newRig(t, portable, func(c *Config) {
			c.Lookup = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
			}
		})
		live := r.listen(&hooks{recv: echo}, Options{})
		port := live.Addr().Port()
		at := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2}, Port: int(port)}
		if err := unix.Bind(deaf, at); err != nil {
			t.Skip(err)
		}
		if err := unix.Listen(deaf, 0); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = unix.Close(fd) }()
			_ = unix.Connect(fd, at)
		}
		time.Sleep(10 * time.Millisecond)
		for _, row := range []struct {
			address, want string
			in            time.Duration
		}{
			{fmt.Sprintf("127.0.0.2:%d", port), "connect timeout:connect", 400 * time.Millisecond},
			{fmt.Sprintf("name.test:%d", port), "connect <nil>", 2 * time.Second}, // a half of it for each
		} {
			var log []string
			began := time.Now()
			r.do(func() {
				h := &hooks{log: &log, connect: func(c *Conn, err error) { c.Close() }}
				if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: row.address, Options: Options{Connect: row.in}}, h); err != nil {
					t.Fatal(err)
				}
			})
			if got := r.logged(&log, "close"); got[0] != row.want || time.Since(began) < 190*time.Millisecond {
				t.Errorf("%s after %v: %q", row.address, time.Since(began), got)
			}
		}
	})
}
