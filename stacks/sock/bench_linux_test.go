package sock

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// queued is a connection with bytes in its queues that moves and keeps them.
func queued(b *testing.B, in, out int) (*ends, *bed) {
	b.Helper()
	ns := namespace(b)
	e := connect(b, ns, families()[0])
	for _, fd := range []int{e.a, e.b} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20)
	}
	_ = unix.SetsockoptInt(e.a, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	if n := len(put(b, e.b, make([]byte, in))); n < in {
		say(b, e.b, make([]byte, in-n))
	}
	unreadIs(b, e.a, in)
	_ = unix.SetsockoptInt(e.b, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
	put(b, e.a, make([]byte, out))
	return e, &bed{ns: ns}
}

// report adds the median.
func median(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, name)
}

var queueSizes = []struct{ in, out int }{{0, 0}, {4 << 20, 0}, {0, 4 << 20}, {4 << 20, 4 << 20}}

// BenchmarkStaged is a dump and a restore without blocking anything.
func BenchmarkStaged(b *testing.B) {
	for _, q := range queueSizes {
		b.Run(fmt.Sprintf("%d+%dMiB", q.in>>20, q.out>>20), func(b *testing.B) {
			e, _ := queued(b, q.in, q.out)
			var m Mover
			ns, _ := namespaceOf(e.a)
			defer ns.Close()
			var dumps, restores, totals []time.Duration
			fd := e.a
			sizes := ""
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				h, err := m.Pause(fd)
				must(b, err)
				var src [DataSize]byte
				_, err = h.Data(src[:])
				must(b, err)
				in, _ := h.QueueBytes(RecvQueue, true)
				out, _ := h.QueueBytes(SendQueue, true)
				d := h.data
				must(b, h.Close())
				dumped := time.Now()
				fd = fresh2(b, ns)
				begun := time.Now()
				h, err = m.Pause(fd)
				must(b, err)
				must(b, h.SetUnbound(src[:]))
				bindTo(b, fd, e.f, e.local)
				connectTo(b, fd, e.f, e.remote)
				must(b, h.SetNoQ(src[:]))
				must(b, h.SetQueueBytes(src[:], RecvQueue, in))
				must(b, h.SetQueueBytes(src[:], SendQueue, out))
				must(b, h.SetData(src[:]))
				h.saved.keepBufs = true
				must(b, h.Resume())
				end := time.Now()
				dumps, restores = append(dumps, dumped.Sub(start)), append(restores, end.Sub(begun))
				totals = append(totals, end.Sub(begun)+dumped.Sub(start))
				m.pool.put(in)
				m.pool.put(out)
				sizes = fmt.Sprintf("in %d out %d unsent %d", d.InqLen, d.OutqLen, d.UnsqLen)
			}
			b.Log(sizes)
			median(b, "dump-us", dumps)
			median(b, "restore-us", restores)
			median(b, "total-us", totals)
			must(b, unix.Close(fd))
		})
	}
}

func fresh2(b *testing.B, ns interface{ Do(func() error) error }) (fd int) {
	must(b, ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	return fd
}

// BenchmarkBlackout is a whole move, blocking and releasing included.
func BenchmarkBlackout(b *testing.B) {
	for _, q := range queueSizes {
		b.Run(fmt.Sprintf("%d+%dMiB", q.in>>20, q.out>>20), func(b *testing.B) {
			e, bd := queued(b, q.in, q.out)
			m := mover(b)
			var took []time.Duration
			fd := e.a
			opt := RestoreOptions{Namespace: nsPath(b, bd.ns)}
			b.ReportAllocs()
			for b.Loop() {
				taken, err := m.Checkpoint(fd, CheckpointOptions{})
				must(b, err)
				r, err := m.Restore(taken.Image, opt)
				must(b, err)
				taken.Free()
				fd, took = r.FD, append(took, r.Blackout)
			}
			median(b, "blackout-us", took)
			must(b, unix.Close(fd))
		})
	}
}

// BenchmarkHandOff is a move between two movers over a Unix socket.
func BenchmarkHandOff(b *testing.B) {
	for _, q := range []struct{ in, out int }{{0, 0}, {4 << 20, 4 << 20}} {
		b.Run(fmt.Sprintf("%d+%dMiB", q.in>>20, q.out>>20), func(b *testing.B) {
			e, bd := queued(b, q.in, q.out)
			from, to := mover(b), mover(b)
			l, err := net.Listen("unix", b.TempDir()+"/s")
			must(b, err)
			defer l.Close()
			x, err := net.Dial("unix", l.Addr().String())
			must(b, err)
			y, err := l.Accept()
			must(b, err)
			defer func() { _, _ = x.Close(), y.Close() }()
			var took []time.Duration
			fd := e.a
			got := make(chan *Restored, 1)
			for b.Loop() {
				go func() {
					r, err := to.Receive(y, RestoreOptions{Namespace: nsPath(b, bd.ns)}, nil)
					if err != nil {
						b.Error(err)
					}
					got <- r
				}()
				var locked, up time.Time
				_, err := from.HandOff(x, fd, CheckpointOptions{Observe: func(p *Progress) error {
					if p.Step == StepLocked {
						locked = time.Now().Add(-p.Blackout)
					}
					return nil
				}})
				must(b, err)
				up = time.Now()
				fd, took = (<-got).FD, append(took, up.Sub(locked))
			}
			median(b, "blackout-us", took)
			must(b, unix.Close(fd))
		})
	}
}

// BenchmarkRequest is a request that comes in a blackout: from the resume until it is
// read.
func BenchmarkRequest(b *testing.B) {
	ns := namespace(b)
	for _, drop := range []bool{false, true} {
		name := "hold"
		if drop {
			name = "drop"
		}
		b.Run(name, func(b *testing.B) {
			m := mover(b)
			e := connect(b, ns, families()[0])
			opt := RestoreOptions{Namespace: nsPath(b, ns), Drop: drop}
			var took []time.Duration
			fd := e.a
			for b.Loop() {
				taken, err := m.Checkpoint(fd, CheckpointOptions{Drop: drop})
				must(b, err)
				_, err = unix.SendmsgN(e.b, []byte("x"), nil, nil, unix.MSG_DONTWAIT)
				must(b, err)
				time.Sleep(time.Millisecond)
				r, err := m.Restore(taken.Image, opt)
				must(b, err)
				up := time.Now()
				fd = r.FD
				must(b, unix.SetNonblock(fd, false))
				patience(b, fd)
				want(b, fd, []byte("x"))
				took = append(took, time.Since(up))
			}
			median(b, "after-resume-us", took)
			must(b, unix.Close(fd))
		})
	}
}

// BenchmarkMany moves 1,000 connections in one go, some bytes in each queue.
func BenchmarkMany(b *testing.B) {
	const many = 1000
	for _, workers := range []int{1, 2, 8, 32} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			ns := namespace(b)
			m := mover(b)
			fds := make([]int, many)
			for i := range fds {
				e := connect(b, ns, families()[0])
				put(b, e.b, []byte("unread"))
				unreadIs(b, e.a, 6)
				fds[i] = e.a
			}
			opt := RestoreOptions{Namespace: nsPath(b, ns)}
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				moveAll(b, m, fds, opt, workers)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "all-ms")
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		})
	}
}

func moveAll(b *testing.B, m *Mover, fds []int, opt RestoreOptions, workers int) {
	var next atomic.Int64
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(fds); i = next.Add(1) - 1 {
				taken, err := m.Checkpoint(fds[i], CheckpointOptions{})
				if err != nil {
					b.Error(err)
					return
				}
				r, err := m.Restore(taken.Image, opt)
				if err != nil {
					b.Error(err)
					return
				}
				fds[i] = r.FD
			}
		})
	}
	work.Wait()
}
