package loop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a group that runs on one shard, with a dispatcher that notes what is raised
// and does what the test's functions say.
type rig struct {
	t   testing.TB
	g   *Group
	s   *Stack
	sh  *event.Shard
	log []string // in the shard

	quiet   bool // nothing is noted
	points  map[event.PointID]string
	handle  func(name string, c *Conn, e any) event.Verdict
	pending map[event.Kept]func() // what waits, where await says so
	await   func(name string, c *Conn) bool
	// awaitFor says of an event about what has no connection yet that its handler waits, and
	// waiting is what lets such go on.
	awaitFor func(e any) bool
	waiting  []func()
}

// Dispatch implements [event.Dispatcher].
func (r *rig) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	name := r.points[id]
	c := subjectOf(e)
	if !r.quiet {
		r.log = append(r.log, r.describe(name, c, e))
	}
	if r.handle != nil {
		return r.handle(name, c, e)
	}
	return event.Verdict{}
}

// Await implements [event.Awaiter].
func (r *rig) Await(sh *event.Shard, id event.PointID, e any, who event.Kept, then func(event.Verdict, error)) {
	if who != nil {
		r.awaitOf(who, e, r.Dispatch(sh, id, e), then)
		return
	}
	name, c := r.points[id], subjectOf(e)
	v := r.Dispatch(sh, id, e)
	if r.await == nil || !r.await(name, c) {
		then(v, nil)
		return
	}
	r.pending[c] = func() { then(v, nil) }
}

// awaitOf lets a handler wait on behalf of who.
func (r *rig) awaitOf(who event.Kept, e any, v event.Verdict, then func(event.Verdict, error)) {
	if r.awaitFor == nil || !r.awaitFor(e) {
		then(v, nil)
		return
	}
	r.waiting = append(r.waiting, func() { then(v, nil) })
	r.pending[who] = func() {
		r.log = append(r.log, "canceled "+who.Label())
		then(event.Verdict{}, event.ErrCanceled)
	}
}

// CancelWaits implements [event.Awaiter].
func (r *rig) CancelWaits(_ *event.Shard, k event.Kept) {
	if then := r.pending[k]; then != nil {
		delete(r.pending, k)
		then()
	}
}

func subjectOf(e any) *Conn {
	for _, info := range loopev.Family.Events {
		if f := info.Subject(); f != nil && fmt.Sprintf("%T", info.New()) == fmt.Sprintf("%T", e) {
			c, _ := f.Get.Object(e).(*Conn)
			return c
		}
	}
	return nil
}

// describe is "S recv 5": S for who was accepted, C for who dialled, L for a
// listener, T for a timer.
func (r *rig) describe(name string, c *Conn, e any) string {
	who := "C"
	switch {
	case c.Kind() == loopev.KindListener:
		who = "L"
	case c.Kind() == loopev.KindTimer:
		who = "T"
	case c.Inbound():
		who = "S"
	}
	what := who + " " + strings.TrimPrefix(name, "loop.")
	switch e := e.(type) {
	case *loopev.Connect:
		what += fmt.Sprint(" ", e.Code)
	case *loopev.Recv:
		what += fmt.Sprintf(" %d of %d", e.N, c.Unread())
	case *loopev.Send:
		what += fmt.Sprint(" ", e.N)
	case *loopev.Full:
		what += " " + e.Side.String()
	case *loopev.Limit:
		what += " " + e.Limit.String()
	case *loopev.Error:
		what += " " + e.Fault.String()
	case *loopev.Close:
		what += " " + e.Reason
	}
	return what
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	before := openFiles()
	cfg := Config{}
	for _, f := range change {
		f(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	set := event.NewShards(1, event.Together, 0)
	if err := g.Start(set); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, g: g, s: g.list()[0], sh: set.At(0), points: map[event.PointID]string{}, pending: map[event.Kept]func(){}}
	for _, info := range loopev.Family.Events {
		for _, p := range info.Points {
			r.points[p.ID] = p.Name
		}
	}
	r.want(func(name string) bool { return name != "loop.poll" })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the loop does not end")
		}
		if n := len(r.s.conns); n != 0 || r.s.first != nil {
			t.Errorf("%d connections are left", n)
		}
	})
	t.Cleanup(func() {
		stop()
		within(t, "descriptors go back", func() bool { return openFiles() <= before })
	})
	return r
}

// want says what is bound.
func (r *rig) want(wants func(name string) bool) {
	r.do(func() { r.sh.Bind(r, func(id event.PointID) bool { return r.points[id] != "" && wants(r.points[id]) }) })
	r.g.Wake()
}

// do runs f in the shard.
func (r *rig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

// serve has f called with each event.
func (r *rig) serve(f func(name string, c *Conn, e any) event.Verdict) {
	r.do(func() { r.handle = f })
}

// listen opens a listener and returns where it is.
func (r *rig) listen(name string, options ...event.KV) string {
	r.t.Helper()
	return r.listenAll(Listen{Name: name, Options: options})[name]
}

func (r *rig) listenAll(list ...Listen) map[string]string {
	r.t.Helper()
	ch, errs := r.g.Prepare(list)
	for _, err := range errs {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	ch.Commit()
	at := map[string]string{}
	r.do(func() {
		for c := r.s.first; c != nil; c = c.after {
			if name, ok := c.Listener(); ok && c.Kind() == loopev.KindListener {
				at[name] = c.server.Endpoint().String()
			}
		}
	})
	return at
}

func kv(key string, value any) event.KV { return event.KV{Key: key, Value: value} }

// logged waits until a line that begins with last is in the log, and returns it.
func (r *rig) logged(last string) []string {
	r.t.Helper()
	var got []string
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.do(func() { got = append([]string(nil), r.log...) })
		for _, line := range got {
			if strings.HasPrefix(line, last) {
				return got
			}
		}
		if time.Now().After(end) {
			r.t.Fatalf("never %q: %q", last, got)
		}
	}
}

// peer connects from outside.
func (r *rig) peer(at string) *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// echo is a handler that sends back what it receives.
func echo(name string, c *Conn, _ any) event.Verdict {
	if name == "loop.recv" && c.Inbound() {
		b := c.Bytes()
		if c.Write1(b) == nil {
			c.Skip(len(b))
		}
	}
	return event.Verdict{}
}

func within(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func openFiles() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(d)
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// certify writes cert.pem, of itself, and key.pem for 127.0.0.1.
func certify(t testing.TB, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, from, from, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
