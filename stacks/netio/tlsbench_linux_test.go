package netio

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkTLSEcho is BenchmarkEcho with TLS, and without for comparison: the
// client of both is made of goroutines.
func BenchmarkTLSEcho(b *testing.B) {
	for _, what := range []string{"plain", "tls"} {
		for _, conns := range []int{64, 256} {
			b.Run(fmt.Sprintf("%s/conns=%d", what, conns), func(b *testing.B) {
				r := newRig(b, false)
				var change []func(*SocketConfig)
				if what == "tls" {
					change = append(change, withTLS(serverTLS()))
				}
				ls := r.listen(&hooks{recv: echo}, Options{}, change...)
				cmd := exec.Command(os.Args[0], "-test.run=^$")
				cmd.Env = append(os.Environ(), "NETIO_CHILD=tlsload "+ls.Addr().String()+" "+strconv.Itoa(conns)+" "+strconv.Itoa(b.N)+" "+what)
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
}

// tlsLoad does n round trips over conns connections.
func tlsLoad(addr string, conns, n int, secure bool) {
	var wg sync.WaitGroup
	var started atomic.Int64
	for range conns {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err == nil && secure {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			msg := make([]byte, 64)
			for err == nil && started.Add(1) <= int64(n) {
				if _, err = c.Write(msg); err == nil {
					_, err = io.ReadFull(c, msg)
				}
			}
			if err != nil {
				panic(err)
			}
			_ = c.Close()
		})
	}
	wg.Wait()
}

// TestTLSIdleMemory measures what a connection costs that had a small request.
func TestTLSIdleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 1000
	s := startChild(t, "tls")
	before := s.ask()
	conns := make([]*tls.Conn, n)
	cfg := &tls.Config{InsecureSkipVerify: true}
	for i := range conns {
		c, err := tls.Dial("tcp", s.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		write(t, c, "x")
		read(t, c, 1)
	}
	after := s.ask()
	for _, c := range conns {
		_ = c.Close()
	}
	heap := (after[heapBytes] - before[heapBytes]) / n
	t.Logf("%d connections: %d bytes of heap, %d resident, %d µs of CPU each", n, heap, (after[rssBytes]-before[rssBytes])/n, (after[cpuMicros]-before[cpuMicros])/n)
	if heap > 16<<10 {
		t.Errorf("an idle connection costs %d bytes of heap", heap)
	}
}

// TestTLSEchoAllocates little for a request once a connection is up.
func TestTLSEchoAllocates(t *testing.T) {
	r := newRig(t, false)
	ls := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS()))
	c := r.tlsPeer(ls, clientTLS())
	request := make([]byte, 64)
	round := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, request); err != nil {
			t.Fatal(err)
		}
	}
	round()
	n := testing.AllocsPerRun(500, round)
	t.Logf("%v allocations a round trip, both ends", n)
	if n > 6 {
		t.Errorf("%v allocations a round trip", n)
	}
}
