package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// batch is how many frames a flood hands to the kernel in one call.
const batch = 128

// flood sends small frames of 64 UDP flows on an interface, as fast as a schedule has
// it (sendmmsg(2) on a packet socket, without a queue on the way).
type flood struct {
	fd     int
	frames [batch][]byte
	vecs   [batch]unix.Iovec
	msgs   [batch]struct {
		unix.Msghdr
		sent uint32
		_    [4]byte
	}
}

// newFlood makes one at b0, which is in the other namespace.
func newFlood(t *testing.T, w *wires) *flood {
	t.Helper()
	f := &flood{}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", w.peer), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(unix.Setns(ns, unix.CLONE_NEWNET), unix.Close(ns))
		}
		if err == nil {
			err = f.open("b0")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(f.fd) })
	for i := range f.frames {
		from := netip.AddrPortFrom(netip.MustParseAddr("10.99.0.2"), uint16(20000+i%64))
		f.frames[i] = packettest.UDP(from, netip.MustParseAddrPort("10.99.0.1:9"), "small")
		f.vecs[i] = unix.Iovec{Base: &f.frames[i][0], Len: uint64(len(f.frames[i]))}
		f.msgs[i].Iov, f.msgs[i].Iovlen = &f.vecs[i], 1
	}
	return f
}

// open opens the packet socket.
func (f *flood) open(name string) (err error) {
	if f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(f.fd, unix.SIOCGIFINDEX, ifr)
	}
	if err == nil {
		err = unix.Bind(f.fd, &unix.SockaddrLinklayer{Ifindex: int(ifr.Uint32())})
	}
	if err == nil {
		err = unix.SetsockoptInt(f.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	}
	return err
}

// send sends at a rate of frames a second, 0 for as fast as it goes, from two
// threads, and returns how many were sent.
func (f *flood) send(rate float64, last time.Duration) (n int, err error) {
	var counts [2]int
	var errs [2]error
	var sending sync.WaitGroup
	for i := range counts {
		sending.Go(func() { counts[i], errs[i] = f.sendOne(rate/2, last) })
	}
	sending.Wait()
	return counts[0] + counts[1], errors.Join(errs[:]...)
}

func (f *flood) sendOne(rate float64, last time.Duration) (n int, err error) {
	msgs := f.msgs // the kernel writes to them
	for begun := time.Now(); ; {
		took := time.Since(begun)
		if took >= last {
			return n, nil
		}
		if early := time.Duration(float64(n)/rate*1e9) - took; rate > 0 && early > 0 {
			time.Sleep(early)
		}
		got, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&msgs[0])), batch, 0, 0, 0)
		if errno != 0 && !errors.Is(errno, unix.ENOBUFS) && !errors.Is(errno, unix.EAGAIN) {
			return n, fmt.Errorf("sendmmsg: %w", errno)
		}
		if errno == 0 {
			n += int(got)
		}
	}
}

// capturing is a program that captures from a0 while a flood is sent: it returns how
// many packets the kernel had for it, and how many of those it dropped.
type capturing func(t *testing.T, flood func()) (came, drops uint64)

// capturesHookd is a daemon without a rule.
func capturesHookd(p *process) capturing {
	return func(t *testing.T, flood func()) (came, drops uint64) {
		t.Helper()
		before := p.quiet().Interfaces[0]
		flood()
		st := p.quiet()
		now := st.Interfaces[0]
		if now.Packets != st.Packets+now.Drops {
			t.Errorf("the kernel had %d packets and dropped %d, hookd took %d", now.Packets, now.Drops, st.Packets)
		}
		return now.Packets - before.Packets, now.Drops - before.Drops
	}
}

var tcpdumpSaid = regexp.MustCompile(`(?m)^(\d+) packets? (captured|received by filter|dropped by kernel)`)

// capturesTcpdump is `tcpdump -w /dev/null` with a ring of so many MiB.
func capturesTcpdump(ring int) capturing {
	return func(t *testing.T, flood func()) (came, drops uint64) {
		t.Helper()
		cmd := exec.Command("tcpdump", "-i", "a0", "-n", "-Z", "root", "-B", strconv.Itoa(ring<<10), "-w", "/dev/null")
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		flood()
		time.Sleep(200 * time.Millisecond)
		err := cmd.Process.Signal(syscall.SIGINT)
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
		for _, m := range tcpdumpSaid.FindAllStringSubmatch(said.String(), -1) {
			n, _ := strconv.ParseUint(m[1], 10, 64)
			switch m[2] {
			case "received by filter":
				came = n
			case "dropped by kernel":
				drops = n
			}
		}
		return came, drops
	}
}

// search is a bisection for the highest rate without a drop.
type search struct {
	name      string
	run       capturing
	low, high float64 // without and with drops
}

// free tells whether nothing is dropped at a rate, in one of three tries: on a
// machine that others use too, one that fails may be theirs.
func (s *search) free(t *testing.T, f *flood, rate float64) bool {
	t.Helper()
	for range 3 {
		var sent int
		came, drops := s.run(t, func() {
			var err error
			if sent, err = f.send(rate, time.Second); err != nil {
				t.Fatal(err)
			}
		})
		if came < uint64(sent) {
			t.Errorf("%s: %d packets came of %d", s.name, came, sent)
		}
		if drops == 0 {
			return true
		}
	}
	return false
}

// step halves the range.
func (s *search) step(t *testing.T, f *flood) {
	t.Helper()
	rate := (s.low + s.high) / 2
	if s.free(t, f, rate) {
		s.low = rate
	} else {
		s.high = rate
	}
}

// TestCaptureRate finds the highest rates of small packets at which hookd, without a
// rule, and tcpdump, which writes to /dev/null, lose none, by turns; hookd's is at
// least four fifths of the other. What is lost above is counted by the kernel and
// hookd alike. The rings are 8 MiB, so that they cannot hold what is sent.
func TestCaptureRate(t *testing.T) {
	if !testbed.Proving() {
		t.Skip("it takes minutes: spec/prove/run")
	}
	const ring = 8
	w := newWires(t, "tcpdump")
	dir := sharedDir(t)
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, "script { doc = \"no rule\" }\n")
	f := newFlood(t, w)
	n, err := f.send(0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	most := float64(n)
	t.Logf("sent without anybody who captures: %.0f packets/s", most)
	p := start(t, dir, script, "-i", "a0", "--ring", strconv.Itoa(ring))
	both := []*search{
		{name: "hookd", run: capturesHookd(p), high: most},
		{name: "tcpdump", run: capturesTcpdump(ring), high: most},
	}
	for range 7 {
		for _, s := range both {
			s.step(t, f)
		}
	}
	for _, s := range both {
		came, drops := s.run(t, func() {
			if _, err := f.send(0, 2*time.Second); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%s: no drop at %.0f packets/s; of %d as fast as they go, %.1f %% dropped", s.name, s.low, came, 100*float64(drops)/float64(came))
	}
	if both[0].low < 0.8*both[1].low {
		t.Errorf("hookd's rate is %.2f of tcpdump's", both[0].low/both[1].low)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
}
