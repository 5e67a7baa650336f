package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stamp is a time as it is on the wire.
func stamp(t time.Time) uint64 {
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// reply is the answer of a server whose clock is ahead by that.
func reply(question []byte, now time.Time, ahead time.Duration) []byte {
	p := make([]byte, size)
	p[0], p[1] = 4<<3|4, 2
	copy(p[24:32], question[40:48])
	binary.BigEndian.PutUint64(p[32:], stamp(now.Add(ahead)))
	binary.BigEndian.PutUint64(p[40:], stamp(now.Add(ahead+time.Millisecond)))
	return p
}

func TestParse(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	ended := began.Add(21 * time.Millisecond)
	q := make([]byte, size)
	copy(q[40:], "12345678")
	good := reply(q, began.Add(10*time.Millisecond), 3*time.Second)
	change := func(f func(p []byte)) []byte {
		p := append([]byte(nil), good...)
		f(p)
		return p
	}
	for _, c := range []struct {
		name string
		p    []byte
		want error
	}{
		{"good", good, nil},
		{"short", good[:47], errStrange},
		{"a question", change(func(p []byte) { p[0] = 4<<3 | 3 }), errStrange},
		{"another's", change(func(p []byte) { p[24]++ }), errStrange},
		{"kiss", change(func(p []byte) { p[1] = 0; copy(p[12:], "RATE") }), Kiss("RATE")},
		{"alarm", change(func(p []byte) { p[0] |= 3 << 6 }), ErrUnsynchronized},
		{"stratum 16", change(func(p []byte) { p[1] = 16 }), ErrUnsynchronized},
		{"no time", change(func(p []byte) { clear(p[40:]) }), ErrUnsynchronized},
	} {
		a, err := parse(c.p, [8]byte(q[40:]), began, ended)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want == nil && (a.Stratum != 2 || (a.Offset-3*time.Second).Abs() > time.Microsecond || (a.Delay-20*time.Millisecond).Abs() > time.Microsecond) {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
	// The counter of seconds begins anew in 2036.
	later := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := clock(stamp(later), later.Add(time.Hour)); !got.Equal(later) {
		t.Error(got)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	sh := event.NewShard(0)
	l, err := netio.New(netio.Config{Shard: sh})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var live sync.WaitGroup
	live.Go(func() { _ = l.Run(ctx) })
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	live.Go(func() {
		buf := make([]byte, 100)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if n != size || buf[0] != 4<<3|3 {
				t.Errorf("asked %x", buf[:n])
			}
			_, _ = pc.WriteToUDPAddrPort(make([]byte, size), from) // somebody else's
			_, _ = pc.WriteToUDPAddrPort(reply(buf, time.Now(), -time.Minute), from)
		}
	})
	t.Cleanup(func() {
		_ = pc.Close()
		cancel()
		live.Wait()
	})
	ask := func(to netip.AddrPort) (a Answer, err error) {
		done := make(chan struct{})
		sh.Enter()
		_, aerr := Ask(l, to, 200*time.Millisecond, nil, func(got Answer, e error) {
			a, err = got, e
			close(done)
		})
		sh.Leave()
		if aerr != nil {
			t.Fatal(aerr)
		}
		<-done
		return a, err
	}
	at := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	if a, err := ask(at); err != nil || (a.Offset+time.Minute).Abs() > 50*time.Millisecond || a.Stratum != 2 {
		t.Errorf("%+v %v", a, err)
	}
	silent, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(silent.LocalAddr().(*net.UDPAddr).AddrPort()); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	at = silent.LocalAddr().(*net.UDPAddr).AddrPort()
	_ = silent.Close()
	if _, err := ask(at); err == nil || errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	sh.Enter()
	stop, err := Ask(l, at, time.Second, nil, func(Answer, error) { t.Error("canceled, and called") })
	if err == nil {
		stop()
	}
	if l.Len() != 0 {
		t.Errorf("%d sockets left", l.Len())
	}
	sh.Leave()
}

func FuzzParse(f *testing.F) {
	q := make([]byte, size)
	f.Add(reply(q, time.Unix(1e9, 0), 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		now := time.Unix(1_800_000_000, 0)
		if a, err := parse(p, [8]byte{}, now, now); err == nil && (a.Stratum == 0 || a.Stratum > 15 || a.Delay < 0) {
			t.Fatalf("%+v", a)
		}
	})
}
