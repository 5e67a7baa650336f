package edge

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// TestFlood sends what is no SIP message, and what is a faulty one, as fast as a socket
// takes it: no transaction begins, nothing grows, and a caller beside it is served.
func TestFlood(t *testing.T) {
	last := 300 * time.Millisecond
	if testbed.Proving() {
		last = 10 * time.Second
	}
	callee := listenUDP(t, "127.0.0.1:0")
	r := serve(t, options("udp://127.0.0.1:0")...)
	r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	caller := dial(t, "udp", r.addr)
	good := caller.request("OPTIONS", "sip:b@y", "0", "", "", 1)
	bad := [][]byte{
		[]byte(strings.Repeat("\x00\xff", 600)), []byte("GET / HTTP/1.1\r\n\r\n"), []byte(good[:len(good)/2]),
		[]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\n\r\n"), []byte(strings.Replace(good, "CSeq: 1", "CSeq: x", 1)),
		[]byte(strings.Replace(good, "Call-ID", "X-Call-ID", 1)),
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	flood, err := net.Dial("udp", r.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	var sent atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for end := time.Now().Add(last); time.Now().Before(end); {
			for _, b := range bad {
				if _, err := flood.Write(b); err == nil {
					sent.Add(1)
				}
			}
		}
	}()
	calls := 0
	for waiting := true; waiting; {
		calls++
		callee.patient(caller, "OPTIONS", strings.Replace(good, "z9hG4bK0", fmt.Sprintf("z9hG4bK%d.", calls), 1), fmt.Sprintf("z9hG4bK%d.", calls))
		select {
		case <-done:
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	st := r.Stats()
	if int(st.Began) != calls || st.Malformed == 0 || st.Refused == 0 {
		t.Errorf("%d transactions of %d requests; %+v", st.Began, calls, st)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	t.Logf("%d datagrams in %v, of which %d were read and refused; %d requests beside them were answered", sent.Load(), last, st.Malformed+st.Refused, calls)
}

// patient relays one request whose caller repeats it until it is answered, as phones do:
// a full socket drops. Late answers to those before are no answer.
func (e *end) patient(caller *end, method, text, branch string) {
	e.t.Helper()
	p := make([]byte, 65536)
	caller.send(text)
	for range 100 {
		_ = e.pc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, from, err := e.pc.ReadFrom(p)
		if err == nil && strings.HasPrefix(string(p[:n]), method) {
			e.last = from.(*net.UDPAddr).AddrPort()
			e.reply(parsed(e.t, p[:n]), 200)
		}
		_ = caller.c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err = caller.c.Read(p); err == nil && strings.HasPrefix(string(p[:n]), "SIP/2.0 200") && strings.Contains(string(p[:n]), branch) {
			return
		}
		caller.send(text)
	}
	e.t.Fatal("the caller is not served")
}
