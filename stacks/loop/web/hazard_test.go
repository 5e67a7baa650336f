package web

import (
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// TestSlowClients has a thousand clients send a head byte by byte, which does not
// earn them time: all are answered 408 when the time for a head is over, and who asks
// meanwhile is served.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	slow := 1000
	if testing.Short() {
		slow = 200
	}
	const headerTime = 4 * time.Second
	r := newRig(t, tell, event.KV{Key: "header_time", Value: headerTime.Seconds()})
	conns := make([]net.Conn, slow)
	for i := range conns {
		conns[i] = r.peer().Conn
		if _, err := io.WriteString(conns[i], "GET / HTTP/1.1\r\nX: "); err != nil {
			t.Fatal(err)
		}
	}
	var drip, readers sync.WaitGroup
	stop := make(chan struct{})
	drip.Go(func() {
		for {
			for _, c := range conns {
				_, _ = c.Write([]byte("x"))
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var late atomic.Int32
	for _, c := range conns {
		readers.Go(func() {
			b, _ := io.ReadAll(c) // the last bytes may come after the end
			if strings.HasPrefix(string(b), "HTTP/1.1 408 ") {
				late.Add(1)
			}
		})
	}
	p := r.peer()
	var took []time.Duration
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		begin := time.Now()
		p.send("GET /honest HTTP/1.1\nHost: x\n\n")
		if got := p.answer("GET"); got != `200 GET /honest? ""` {
			t.Fatal(got)
		}
		took = append(took, time.Since(begin))
	}
	all := make(chan struct{})
	go func() {
		readers.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Error("slow clients are still there")
	}
	close(stop)
	drip.Wait()
	slices.Sort(took)
	if p99 := took[len(took)*99/100]; p99 > 3*time.Second { // less than the slow ones may take
		t.Errorf("99 of 100 answers took up to %v", p99)
	}
	if n := int(late.Load()); n < slow*9/10 { // a reset can overtake an answer
		t.Errorf("%d of %d were told that they are late", n, slow)
	}
}
