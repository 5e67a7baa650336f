package netfilter

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// udp is a socket that sends to itself over loopback.
func udp(t testing.TB, ns netns.Handle) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := ns.Do(func() error {
		l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		c = l
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func toItself(t testing.TB, c *net.UDPConn, s string) {
	t.Helper()
	if _, err := c.WriteTo([]byte(s), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
}

// diverted makes a queue for what loopback delivers.
func diverted(t testing.TB, ns netns.Handle, cfg QueueConfig) *Queue {
	t.Helper()
	if !Probe(ns).Way.CanHold() {
		t.Skip("this kernel has no queue for packets")
	}
	cfg.Namespace, cfg.Any = ns, true
	q, err := OpenQueue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Divert(ns, q.Num(), Input)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), q.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	})
	return q
}

// payload is what a UDP packet over IPv4 carries.
func payload(p Packet) string { return string(p.Data[28:]) }

func TestVerdicts(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	q := diverted(t, ns, QueueConfig{Num: 100})
	c := udp(t, ns)
	for _, s := range []string{"one", "two", "six", "ten", "end"} {
		toItself(t, c, s)
	}
	batch := make([]Packet, 16)
	n, err := q.Read(batch, time.Second)
	if err != nil || n != 5 {
		t.Fatal(n, err)
	}
	for i, want := range []string{"one", "two", "six", "ten", "end"} {
		if got := payload(batch[i]); got != want || batch[i].Length != 31 || batch[i].Hook != uint8(Input) || batch[i].In == 0 {
			t.Fatalf("packet %d is %+v", i, batch[i])
		}
	}
	q.Accept(batch[0].ID)
	q.Drop(batch[1].ID)
	for _, k := range []int{3, 2, 4} {
		q.Accept(batch[k].ID)
	}
	if err := q.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	buf := make([]byte, 16)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for range 4 {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(got, err)
		}
		got = append(got, string(buf[:n]))
	}
	if want := "[one ten six end]"; want != sprint(got) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if n, err := q.Read(batch, 0); n != 0 || err != nil {
		t.Fatal("a packet came again", n, err)
	}
}

func sprint(list []string) string {
	s := "["
	for i, x := range list {
		if i > 0 {
			s += " "
		}
		s += x
	}
	return s + "]"
}

func TestQueueRange(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	q := diverted(t, ns, QueueConfig{Num: 100, Range: 40})
	c := udp(t, ns)
	toItself(t, c, string(make([]byte, 1000)))
	batch := make([]Packet, 4)
	n, err := q.Read(batch, time.Second)
	if err != nil || n != 1 || len(batch[0].Data) != 40 || batch[0].Length != 1028 {
		t.Fatalf("%d %v: %d of %d bytes", n, err, len(batch[0].Data), batch[0].Length)
	}
}

func TestQueueTaken(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	q := diverted(t, ns, QueueConfig{Num: 100})
	if _, err := OpenQueue(QueueConfig{Num: q.Num(), Namespace: ns}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second reader: %v", err)
	}
	other, err := OpenQueue(QueueConfig{Num: q.Num(), Any: true, Namespace: ns})
	if err != nil || other.Num() == q.Num() {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := other.Read(make([]Packet, 1), -1)
		done <- err
	}()
	time.Sleep(5 * time.Millisecond)
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("a read that waited: %v", err)
	}
	if err := other.Flush(); err != nil {
		t.Error(err)
	}
}

// TestReadAllocates wants none: it is on the way of every packet.
func TestReadAllocates(t *testing.T) {
	ns := namespace(t)
	q := diverted(t, ns, QueueConfig{Num: 100})
	c := udp(t, ns)
	batch := make([]Packet, 16)
	msg, to := []byte("x"), c.LocalAddr().(*net.UDPAddr).AddrPort()
	if n := testing.AllocsPerRun(200, func() {
		if _, err := c.WriteToUDPAddrPort(msg, to); err != nil {
			t.Fatal(err)
		}
		n, err := q.Read(batch, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range batch[:n] {
			q.Drop(p.ID)
		}
		if err := q.Flush(); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // one for the address that the flush names
		t.Errorf("%v allocations a packet", n)
	}
}

// TestDiverterGoes wants rules that a process leaves behind gone with its socket.
func TestDiverterGoes(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	q := diverted(t, ns, QueueConfig{Num: 100})
	d, err := Divert(ns, q.Num(), Input)
	if err != nil {
		t.Fatal(err)
	}
	if !d.own {
		t.Skip("this kernel's tables have no owner")
	}
	if err := d.conn.Close(); err != nil { // as a kill does
		t.Fatal(err)
	}
	c, err := dial(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var r ruleset
	r.message(unix.NFT_MSG_GETTABLE, request|unix.NLM_F_ACK)
	r.Text(unix.NFTA_TABLE_NAME, d.name)
	r.End()
	if err := c.Execute(&r.Builder); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the table is still there: %v", err)
	}
}

func TestUnprivileged(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("is root")
	}
	if f := Probe(netns.Handle{}); f.Way != WayNone || !errors.Is(f.Err, unix.EPERM) {
		t.Errorf("probe says %v, %v", f.Way, f.Err)
	}
	if _, err := Open(Config{}); !errors.Is(err, unix.EPERM) {
		t.Errorf("open: %v", err)
	}
}
