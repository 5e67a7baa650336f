package filter

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// kernelFilter runs programs in Linux: it filters what one end of a pair of
// sockets sends to the other.
type kernelFilter struct{ from, to int }

func newKernelFilter(t *testing.T) *kernelFilter {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	return &kernelFilter{fds[0], fds[1]}
}

func (k *kernelFilter) attach(code []bpf.RawInstruction) error {
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}
	return unix.SetsockoptSockFprog(k.to, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}

// match sends a packet. A datagram between local sockets has arrived when the
// call returns, or never will.
func (k *kernelFilter) match(t *testing.T, data []byte) bool {
	t.Helper()
	if _, err := unix.Write(k.from, data); err != nil {
		t.Fatal(err)
	}
	var buf [4096]byte
	n, err := unix.Read(k.to, buf[:])
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	if err != nil || n != len(data) {
		t.Fatalf("read %d bytes of %d: %v", n, len(data), err)
	}
	return true
}

// TestKernel has Linux take every program, and decide as the matcher does.
func TestKernel(t *testing.T) {
	t.Parallel()
	k := newKernelFilter(t)
	samples := ethernetSamples().cut(recordedCuts...)
	for i := range samples {
		samples[i].wireLen = len(samples[i].data) // a socket knows no other length
	}
	exprs := append(lines(t, filtersFile), manyHosts(400), manyHosts6(40), "geneve or tcp", "vxlan and vlan 7 and udp or vxlan", "geneve and geneve and tcp")
	w := newWriter(5)
	w.chains = true
	for range 50 {
		exprs = append(exprs, w.expression(3))
	}
	compared := 0
	for _, expr := range few(exprs) {
		e, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Matcher(packet.LinkEthernet)
		if err != nil {
			continue // made up, and impossible
		}
		code, err := e.BPF(packet.LinkEthernet, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.attach(code); err != nil {
			t.Errorf("%.200q: Linux refuses the program: %v", expr, err)
			continue
		}
		for i := range samples {
			s := &samples[i]
			compared++
			if got, want := k.match(t, s.data), m.Match(s.data, s.wireLen); got != want {
				t.Errorf("%.200q: Linux says %v of %s, %d bytes", expr, got, s.name, len(s.data))
			}
		}
	}
	t.Logf("%d decisions by Linux", compared)
}
