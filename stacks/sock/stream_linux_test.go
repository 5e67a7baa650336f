package sock

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// streamSize is how much goes each way, and how often the connection moves meanwhile.
func streamSize() (n, moves int) {
	if os.Getenv("HOOKD_PROVE") != "" {
		return 128 << 20, 8
	}
	return 4 << 20, 8
}

// side is one end of a stream: it sends bytes of its own and sums what comes.
type side struct {
	fd         int
	left       int // to send
	got, total int
	random     *rand.ChaCha8
	out        []byte // made and not taken by the kernel yet
	sent, came hash.Hash
	buf        []byte
}

func newSide(fd, n int, seed byte) *side {
	return &side{
		fd: fd, left: n, total: n, random: rand.NewChaCha8([32]byte{seed}), sent: sha256.New(), came: sha256.New(), buf: make([]byte, 256<<10),
	}
}

// turn sends and receives what goes without waiting; done says that all went.
func (s *side) turn() (done bool, err error) {
	busy := false
	if len(s.out) == 0 && s.left > 0 {
		s.out = make([]byte, min(s.left, 256<<10))
		_, _ = s.random.Read(s.out)
		s.sent.Write(s.out)
		s.left -= len(s.out)
	}
	if len(s.out) > 0 {
		n, err := unix.SendmsgN(s.fd, s.out, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("write: %w", err)
		}
		if n > 0 {
			s.out, busy = s.out[n:], true
		}
	}
	n, _, err := unix.Recvfrom(s.fd, s.buf, unix.MSG_DONTWAIT)
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("read: %w", err)
	}
	if n > 0 {
		s.came.Write(s.buf[:n])
		s.got += n
		busy = true
	}
	if !busy {
		time.Sleep(100 * time.Microsecond)
	}
	return s.left == 0 && len(s.out) == 0 && s.got == s.total, nil
}

// stream sends both ways and moves one end again and again by a function that
// returns the new socket.
func stream(t *testing.T, e *ends, move func(i, fd int) int) {
	t.Helper()
	n, moves := streamSize()
	a, b := newSide(e.a, n, 1), newSide(e.b, n, 2)
	peer := make(chan error, 1)
	go func() {
		for {
			if done, err := b.turn(); done || err != nil {
				peer <- err
				return
			}
		}
	}()
	var took []time.Duration
	start := time.Now()
	for i := 0; ; {
		done, err := a.turn()
		must(t, err)
		if i < moves && a.got > (i+1)*n/(moves+1) {
			began := time.Now()
			a.fd = move(i, a.fd)
			took = append(took, time.Since(began))
			i++
		}
		if done && i == moves {
			break
		}
		if time.Since(start) > 5*time.Minute {
			t.Fatalf("%d of %d bytes came", a.got, n)
		}
		select {
		case err := <-peer:
			must(t, err)
			peer <- nil
		default:
		}
	}
	must(t, <-peer)
	if string(a.came.Sum(nil)) != string(b.sent.Sum(nil)) || string(b.came.Sum(nil)) != string(a.sent.Sum(nil)) {
		t.Error("SHA-256 differs")
	}
	must(t, unix.Close(a.fd))
	slices.Sort(took)
	t.Logf("%d MiB each way in %v, %d moves, median %v, longest %v", n>>20, time.Since(start).Round(time.Millisecond), len(took),
		took[len(took)/2].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
}

// TestStreamLoopback moves an end of a busy stream within a namespace.
func TestStreamLoopback(t *testing.T) {
	ns := namespace(t)
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			m := mover(t)
			e := connect(t, ns, f)
			before := resets(t, ns)
			stream(t, e, func(_, fd int) int {
				taken, err := m.Checkpoint(fd, CheckpointOptions{})
				must(t, err)
				r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns)})
				must(t, err)
				taken.Free()
				return r.FD
			})
			if n := resets(t, ns) - before; n != 0 {
				t.Errorf("%d resets", n)
			}
		})
	}
}

// TestStreamHandOff moves it between two movers, as between two processes.
func TestStreamHandOff(t *testing.T) {
	ns := namespace(t)
	movers := [2]*Mover{mover(t), mover(t)}
	e := connect(t, ns, families()[0])
	before := resets(t, ns)
	stream(t, e, func(i, fd int) int {
		r, err, err2 := handOff(t, movers[i%2], movers[1-i%2], fd, RestoreOptions{Namespace: nsPath(t, ns)}, nil)
		must(t, errors.Join(err, err2))
		return r.FD
	})
	if n := resets(t, ns) - before; n != 0 {
		t.Errorf("%d resets", n)
	}
}

// ip runs ip(8) in a namespace.
func ip(t *testing.T, ns netns.Handle, args string) {
	t.Helper()
	must(t, ns.Do(func() error {
		out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
		return nil
	}))
}

// inhabit runs a process in a namespace, by which ip(8) finds it, and returns its number.
func inhabit(t *testing.T, ns netns.Handle) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	must(t, ns.Do(cmd.Start))
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// TestStreamHosts moves it between two hosts, each a namespace on a bridge, and its
// address with it.
func TestStreamHosts(t *testing.T) {
	_, err := exec.LookPath("ip")
	testbed.Need(t, "ip", err)
	for _, f := range []struct {
		name          string
		family        family
		service, peer string
		bits          string
	}{
		{"v4", families()[0], "10.77.0.1", "10.77.0.9", "24"},
		{"v6", families()[1], "fd77::1", "fd77::9", "64"},
	} {
		t.Run(f.name, func(t *testing.T) {
			bridge := namespace(t)
			ip(t, bridge, "link add name br0 type bridge")
			ip(t, bridge, "link set br0 up")
			var hosts [3]netns.Handle // two hosts and the peer
			for i := range hosts {
				hosts[i] = namespace(t)
				ip(t, bridge, fmt.Sprintf("link add name v%d type veth peer name eth0 netns %d", i, inhabit(t, hosts[i])))
				ip(t, bridge, fmt.Sprintf("link set v%d master br0", i))
				ip(t, bridge, fmt.Sprintf("link set v%d up", i))
				ip(t, hosts[i], "link set eth0 up")
			}
			host := func(i int) netns.Handle { return hosts[i%2] }
			give := func(i int) { ip(t, host(i), "addr add "+f.service+"/"+f.bits+" dev eth0 "+nodad(f.name)) }
			give(0)
			ip(t, hosts[2], "addr add "+f.peer+"/"+f.bits+" dev eth0 "+nodad(f.name))
			e := connectHosts(t, f.family, hosts[0], hosts[2], f.service, f.peer)
			movers := [2]*Mover{mover(t), mover(t)}
			stream(t, e, func(i, fd int) int {
				opt := RestoreOptions{Namespace: nsPath(t, host(i+1)), Drop: true, Observe: func(p *Progress) error {
					if p.Step == StepUnbound { // blocked on both hosts by now
						ip(t, host(i), "addr del "+f.service+"/"+f.bits+" dev eth0")
						give(i + 1)
						ip(t, hosts[2], "neigh flush dev eth0")
					}
					return nil
				}}
				r, err, err2 := handOff(t, movers[i%2], movers[1-i%2], fd, opt, nil)
				must(t, errors.Join(err, err2))
				must(t, movers[i%2].Unlock(e.tuple())) // the address is gone from there
				return r.FD
			})
			for i, h := range hosts {
				if n := resets(t, h); n != 0 {
					t.Errorf("host %d sent %d resets", i, n)
				}
			}
		})
	}
}

func nodad(name string) string {
	if name == "v6" {
		return "nodad"
	}
	return ""
}

// connectHosts connects the peer to a host.
func connectHosts(t *testing.T, f family, host, peer netns.Handle, service, from string) *ends {
	t.Helper()
	f.here = mustAddr(t, service)
	l, at := listenOn(t, host, f)
	defer unix.Close(l)
	e := &ends{t: t, f: f}
	must(t, peer.Do(func() (err error) {
		e.b, err = unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	connectTo(t, e.b, f, at)
	var err error
	e.a, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	must(t, err)
	e.local, err = localOf(e.a)
	must(t, err)
	e.remote, err = peerOf(e.a)
	must(t, err)
	if e.remote.Addr() != mustAddr(t, from) {
		t.Fatalf("from %v", e.remote)
	}
	t.Cleanup(func() { _ = unix.Close(e.b) })
	return e
}
