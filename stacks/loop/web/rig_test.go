package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a loop with the protocol, and a dispatcher that asks handle.
type rig struct {
	t   testing.TB
	p   *Protocol
	g   *loop.Group
	sh  *event.Shard
	url string // of the listener

	handle func(e any) event.Verdict
	// wait says of an event that its handler waits; the test goes on by free.
	wait    func(e any) bool
	pending map[event.Kept]func(event.Verdict, error)
	log     []string
	quiet   bool // about bytes of parts
}

// Dispatch implements [event.Dispatcher].
func (r *rig) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	switch e := e.(type) {
	case *loopev.HTTPError:
		r.log = append(r.log, fmt.Sprintf("error %d %s", e.Status, e.Message))
	case *loopev.HTTPChunk:
		r.log = append(r.log, fmt.Sprintf("chunk %d %q", e.Offset, e.Chunk))
	case *loopev.HTTPPartBegin:
		r.log = append(r.log, fmt.Sprintf("begin %s %s %s", e.Name, e.Filename, e.Type))
	case *loopev.HTTPPartData:
		if !r.quiet {
			r.log = append(r.log, fmt.Sprintf("data %s %d %q", e.Name, e.Offset, e.Chunk))
		}
	case *loopev.HTTPPartEnd:
		r.log = append(r.log, fmt.Sprintf("end %s %d %v", e.Name, e.Size, e.Complete))
	case *loopev.Close:
		r.log = append(r.log, "close "+e.Reason)
	case *loopev.WSOpen:
		r.log = append(r.log, fmt.Sprintf("%s open %q %v", side(e.C), e.Subprotocol, e.Compressed))
	case *loopev.WSMessage:
		r.log = append(r.log, fmt.Sprintf("%s %s %.20q", side(e.C), e.Type, e.Message))
	case *loopev.WSFragment:
		r.log = append(r.log, fmt.Sprintf("%s part %s %.20q %v", side(e.C), e.Type, e.Message, e.Last))
	case *loopev.WSPing:
		r.log = append(r.log, fmt.Sprintf("%s ping %q", side(e.C), e.Payload))
	case *loopev.WSPong:
		r.log = append(r.log, fmt.Sprintf("%s pong %q", side(e.C), e.Payload))
	case *loopev.WSClose:
		r.log = append(r.log, fmt.Sprintf("%s ws_close %d %s", side(e.C), e.Code, e.Text))
	}
	if r.handle == nil {
		return event.Verdict{}
	}
	return r.handle(e)
}

// Await implements [event.Awaiter].
func (r *rig) Await(sh *event.Shard, id event.PointID, e any, _ event.Kept, then func(event.Verdict, error)) {
	v := r.Dispatch(sh, id, e)
	if r.wait == nil || !r.wait(e) {
		then(v, nil)
		return
	}
	r.pending[subject(e)] = then
}

// CancelWaits implements [event.Awaiter].
func (r *rig) CancelWaits(_ *event.Shard, k event.Kept) {
	if then := r.pending[k]; then != nil {
		delete(r.pending, k)
		then(event.Verdict{}, event.ErrCanceled)
	}
}

// side is S for who was connected to, C for who connected.
func side(c loopev.Conn) string {
	if c.Inbound() {
		return "S"
	}
	return "C"
}

func subject(e any) event.Kept {
	switch e := e.(type) {
	case *loopev.WSMessage:
		return e.C
	case *loopev.WSHandshake:
		return e.C
	case *loopev.HTTPRequest:
		return e.C
	case *loopev.HTTPHeaders:
		return e.C
	}
	return nil
}

// free lets what waits go on with a verdict.
func (r *rig) free(v event.Verdict) {
	r.do(func() {
		for k, then := range r.pending {
			delete(r.pending, k)
			then(v, nil)
		}
	})
	r.g.Wake()
}

func newRig(t testing.TB, handle func(e any) event.Verdict, options ...event.KV) *rig {
	t.Helper()
	p := New()
	g, err := loop.New(loop.Config{Protocols: []loop.Protocol{p, p.Sockets()}})
	if err != nil {
		t.Fatal(err)
	}
	set := event.NewShards(1, event.Together, 0)
	if err := g.Start(set); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, p: p, g: g, sh: set.At(0), handle: handle, pending: map[event.Kept]func(event.Verdict, error){}}
	r.bind(loopev.OnHTTPRequest.ID(), loopev.OnHTTPError.ID(), loopev.OnClose.ID())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.Wait()
	}))
	list := []event.KV{{Key: "url", Value: "http://127.0.0.1:0"}}
	if len(options) > 0 {
		list = append(list, event.KV{Key: "http", Value: options})
	}
	ch, errs := g.Prepare([]loop.Listen{{Name: "web", Options: list}})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	ch.Commit()
	r.do(func() {
		conns, _, _ := g.Conns(&event.Caller{Shard: r.sh}, []event.KV{{Key: "kind", Value: "listener"}})
		for _, c := range conns.([]any) {
			r.url = "http://" + c.(loopev.Conn).Server().Endpoint().String()
		}
	})
	return r
}

// bind says what is bound beside nothing.
func (r *rig) bind(points ...event.PointID) {
	r.do(func() {
		r.sh.Bind(r, func(id event.PointID) bool {
			for _, p := range points {
				if p == id {
					return true
				}
			}
			return false
		})
	})
}

func (r *rig) do(f func()) {
	r.sh.Enter()
	defer r.sh.Leave()
	f()
}

// logged waits until so many lines are in the log.
func (r *rig) logged(n int) []string {
	r.t.Helper()
	var got []string
	for end := time.Now().Add(time.Minute); len(got) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("log: %q", got)
		}
		r.do(func() { got = append([]string(nil), r.log...) })
	}
	return got
}

// peer is a client that writes bytes as they are given.
type peer struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func (r *rig) peer() *peer {
	r.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &peer{r.t, c, bufio.NewReader(c)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p, strings.ReplaceAll(s, "\n", "\r\n")); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads one response: "200 hello". A "!" behind it says that the connection
// closes.
func (p *peer) answer(method string) string {
	p.t.Helper()
	r, err := http.ReadResponse(p.in, &http.Request{Method: method})
	if err != nil {
		return "error " + err.Error()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "error " + err.Error()
	}
	s := fmt.Sprintf("%d %s", r.StatusCode, strings.TrimSuffix(string(body), "\n"))
	if r.Close {
		s += "!"
	}
	return s
}

// ended wants the end of the stream and nothing before it.
func (p *peer) ended() {
	p.t.Helper()
	if b, err := io.ReadAll(p.in); err != nil || len(b) > 0 {
		p.t.Errorf("at the end: %q, %v", b, err)
	}
}

func reply(status int, body string, fields ...event.KV) event.Verdict {
	a := &loopev.ReplyArgs{Status: uint16(status), Body: []byte(body)}
	if len(fields) > 0 {
		a.Headers = fields
	}
	return event.Verdict{Kind: loopev.VerdictReply, Args: a}
}

// tell answers with what the request is.
func tell(e any) event.Verdict {
	q, ok := e.(*loopev.HTTPRequest)
	if !ok {
		return event.Verdict{}
	}
	body, _ := q.Req.Body()
	query, _ := q.Req.Query()
	return reply(200, fmt.Sprintf("%s %s?%s %q", q.Method, q.Path, query, body))
}
