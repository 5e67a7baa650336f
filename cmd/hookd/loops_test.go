package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/sip/edge"
)

// loopHouse is a house with event loops that run.
type loopHouse struct {
	*house
	t     testing.TB
	loops *loop.Group
	sips  *edge.Group // nil: none
	lines *safeLines
}

// safeLines is what scripts log, for several goroutines.
type safeLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *safeLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *safeLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newLoopHouse(t testing.TB, script string) *loopHouse {
	t.Helper()
	return newSocketHouse(t, script, nil)
}

// newSocketHouse serves SIP too, if there is a group for that.
func newSocketHouse(t testing.TB, script string, sips *edge.Group) *loopHouse {
	t.Helper()
	h := &loopHouse{t: t, loops: newLoops(loop.Config{}), sips: sips, lines: &safeLines{}}
	h.house = newHouse(engineOptions{loops: h.loops, sips: sips}, true, io.Discard, h.lines)
	servers := []server{h.loops}
	err := h.loops.Start(h.engine.Shards())
	if sips != nil {
		servers = append(servers, sips)
		err = errors.Join(err, sips.Start(h.engine.Shards()))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.apply(script)
	h.engine.Start(time.Now().UnixNano())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(servers))
	for _, s := range servers {
		go func() { done <- s.Run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range servers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.engine.Stop(hookdev.StopReasonDone)
		h.engine.Close()
		if t.Failed() {
			t.Log(h.lines.String())
		}
	})
	return h
}

// apply makes a script live.
func (h *loopHouse) apply(script string) {
	h.t.Helper()
	if err := h.try(script); err != "" {
		h.t.Fatal(err)
	}
}

// try does the same and returns what is wrong with it.
func (h *loopHouse) try(script string) string {
	_, diags := h.engine.Apply([]engine.Source{{Path: "t.lua", Text: []byte(script)}})
	if diags.HasErrors() {
		return diags[0].Error()
	}
	h.loops.Wake()
	return ""
}

// at returns where a listener is.
func (h *loopHouse) at(name string) string {
	h.t.Helper()
	for _, l := range h.loops.Listeners() {
		if l.Name == name {
			return l.Addr
		}
	}
	h.t.Fatalf("there is no listener %s", name)
	return ""
}

func (h *loopHouse) dial(name string) *lineConn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.at(name))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &lineConn{Conn: c, t: h.t, r: bufio.NewReader(c)}
}

// resets wants a reset of who connects.
func (h *loopHouse) resets(name string) {
	h.t.Helper()
	c, err := net.Dial("tcp", h.at(name))
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		h.t.Errorf("%s: %v", name, err)
	}
}

// said waits until the log has a text.
func (h *loopHouse) said(text string) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(h.lines.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("never said: %s\n%s", text, h.lines)
		}
	}
}

// lineConn is a client that speaks lines.
type lineConn struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (c *lineConn) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *lineConn) hears(want string) {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if strings.TrimSuffix(line, "\n") != want {
		c.t.Fatalf("heard %q, %v; want %q", line, err, want)
	}
}

func (c *lineConn) ends() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		c.t.Fatalf("at the end: %q, %v", b, err)
	}
}

// TestWaitingReads is straight-line code on a connection: in a handler, whose
// connection waits with it, and in what was spawned.
func TestWaitingReads(t *testing.T) {
	h := newLoopHouse(t, `
loop.listen "calc" { url = "tcp://127.0.0.1:0" }
loop.listen "spawned" { url = "tcp://127.0.0.1:0" }
loop.listen "exact" { url = "tcp://127.0.0.1:0" }
rule "calc" { on = loop.accept, match = { listener = "calc" }, run = function(c)
  c:send "name?\n"
  local name, err = c:read_line()
  if not name then log.info("gone", { why = err }) return end
  sleep "5ms"
  local ok = c:write("hello " .. name .. "\n")
  log.info("greeted", { ok = ok, name = name })
end }
rule "rest" { on = loop.recv, match = { listener = "calc" }, run = function(c, n) c:send("got " .. c:take() .. "\n") end }
rule "end" { on = loop.close, match = { listener = "calc" }, run = function(c, why) log.info("calc closed", { why = this.reason }) end }
rule "spawned" { on = loop.accept, match = { listener = "spawned" }, run = function(c)
  spawn(function()
    local line, err = c:read_line()
    while line do c:send("you said " .. line .. "\n") line, err = c:read_line() end
    log.info("reader ended", { why = err })
  end)
end }
rule "exact" { on = loop.recv, match = { listener = "exact" }, run = function(c, n)
  local head = c:take(1)
  local body, err = c:read(tonumber(head))
  c:send((body or err) .. "\n")
end }
`)
	c := h.dial("calc")
	c.hears("name?")
	c.say("an")
	time.Sleep(10 * time.Millisecond)
	c.say("na\r\nmore")
	c.hears("hello anna")
	c.hears("got more")
	_ = c.Close()
	h.said("calc closed")

	c = h.dial("calc")
	c.hears("name?")
	_ = c.Close()
	h.said("why=eof")

	c = h.dial("spawned")
	c.say("one\ntwo\n")
	c.hears("you said one")
	c.hears("you said two")
	_ = c.Close()
	h.said("reader ended")

	c = h.dial("exact")
	c.say("3ab")
	time.Sleep(10 * time.Millisecond)
	c.say("c2xy")
	c.hears("abc")
	c.hears("xy")
	c.say("5no")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.hears("eof")
}

// TestAcceptVerdicts decides before a byte is read.
func TestAcceptVerdicts(t *testing.T) {
	h := newLoopHouse(t, `
for _, name in ipairs { "reject", "banner", "reset", "hold", "late", "limit", "proxy", "echo", "down" } do loop.listen(name) { url = "tcp://127.0.0.1:0" } end
rule "reject" { on = loop.accept, match = { listener = "reject" }, verdict = loop.reject }
rule "banner" { on = loop.accept, match = { listener = "banner" }, verdict = loop.reject "go away\n" }
rule "reset" { on = loop.accept, match = { listener = "reset" }, verdict = loop.reset }
rule "hold" { on = loop.accept, match = { listener = "hold" }, run = function(c)
  c:after("30ms", function(c) c:resume() end)
  return loop.hold "5s"
end }
rule "late" { on = loop.accept, match = { listener = "late" }, run = function(c) sleep "20ms" return loop.reject "no\n" end }
rule "limit" { on = loop.accept, match = { listener = "limit" }, run = function(c) return loop.limit { rate = 0.001, burst = 2 } end }
rule "proxy" { on = loop.accept, match = { listener = "proxy" }, run = function(c) return loop.proxy(state.to) end }
rule "down" { on = loop.accept, match = { listener = "down" }, run = function(c) return loop.proxy "tcp://127.0.0.1:1" end }
rule "echo" { on = loop.recv, match = { listener = { "echo", "hold", "limit" } }, run = function(c) c:send(c:take()) end }
rule "learn" { on = loop.accept, match = { listener = "echo" }, run = function(c) state.to = "tcp://" .. c.server.endpoint end }
rule "told" { on = loop.limit, run = function(l) log.info("limited", { limit = this.limit, listener = l.listener }) end }
rule "trouble" { on = loop.error, run = function(c) log.info("trouble", { fault = this.fault, message = this.message }) end }
`)
	h.dial("reject").ends()
	c := h.dial("banner")
	c.hears("go away")
	c.ends()
	h.resets("reset")
	began := time.Now()
	c = h.dial("hold")
	c.say("held\n")
	c.hears("held")
	if d := time.Since(began); d < 25*time.Millisecond {
		t.Errorf("held for %v", d)
	}
	c = h.dial("late")
	c.hears("no")
	c.ends()
	for range 2 {
		c = h.dial("limit")
		c.say("in\n")
		c.hears("in")
	}
	h.dial("limit").ends()
	h.said("limit=rate")
	c = h.dial("echo")
	c.say("direct\n")
	c.hears("direct")
	c = h.dial("proxy")
	c.say("through\n")
	c.hears("through")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.ends()
	h.resets("down")
	h.said("cannot be reached")
}

// TestListenersOverReloads: what did not change goes on, with its connections and what
// scripts keep of them; what cannot be opened refuses the scripts and opens nothing.
func TestListenersOverReloads(t *testing.T) {
	script := func(word, more string) string {
		return fmt.Sprintf(`
loop.listen "a" { url = "tcp://127.0.0.1:0" }
rule "count" { on = loop.recv, match = { listener = "a" }, run = function(c)
  c.data.n = (c.data.n or 0) + 1
  c:send(%q .. c.data.n .. " " .. c:take())
end }
%s`, word, more)
	}
	h := newLoopHouse(t, script("one ", ""))
	at := h.at("a")
	c := h.dial("a")
	c.say("x\n")
	c.hears("one 1 x")
	h.apply(script("two ", `loop.listen "b" { url = "tcp://127.0.0.1:0" }
rule "b" { on = loop.accept, match = { listener = "b" }, run = function(c)
  c:on(loop.recv, function(c) c.data.n = (c.data.n or 0) + 1 c:send("bound " .. c.data.n .. "\n") c:take() end)
end }`))
	if h.at("a") != at {
		t.Error("the listener moved")
	}
	c.say("y\n")
	c.hears("two 2 y")
	b := h.dial("b")
	b.say("\n")
	b.hears("bound 1")

	for _, bad := range []struct{ script, want string }{
		{script("no ", `loop.listen "c" { url = "tcp://127.0.0.1:0" } loop.listen "d" { url = "tcp://`+at+`" }`), "address already in use"},
		{script("no ", `loop.listen "c" { url = "tcp://127.0.0.1:0", limits = { conns = "many" } }`), "limits: conns:"},
		{script("no ", `loop.listen "c" { url = "gopher://127.0.0.1:0" }`), `unknown scheme "gopher"`},
		{script("no ", `loop.listen "c" { url = "tcp://127.0.0.1:0", colour = 1 }`), "unknown key colour"},
		{script("no ", `loop.listen "a" { url = "tcp://127.0.0.1:0" }`), "declared twice"},
		{script("no ", `loop.listen "c" { url = "tls://127.0.0.1:0" }`), "tls is missing"},
		{script("no ", `loop.listen "c" {}`), "url is missing"},
		{script("no ", `loop.listen "c"`), "its table is missing"},
	} {
		if got := h.try(bad.script); !strings.Contains(got, bad.want) {
			t.Errorf("said %q, want %q", got, bad.want)
		}
	}
	if n := len(h.loops.Listeners()); n != 2 {
		t.Errorf("%d listeners after what was refused", n)
	}
	b.say("\n")
	b.hears("bound 2")
	c.say("z\n")
	c.hears("two 3 z")

	h.apply(strings.Replace(script("three ", ""), `:0" }`, `:0", limits = { conns = 1 } }`, 1))
	if h.at("a") != at {
		t.Error("the listener moved with its limits")
	}
	c.say("w\n")
	c.hears("three 4 w")
	d := h.dial("a")
	d.say("v\n")
	d.hears("three 1 v")
	h.dial("a").ends()

	h.apply(`rule "still" { on = loop.recv, match = { listener = "a" }, run = function(c) c:send("still " .. c:take()) end }`)
	if n := len(h.loops.Listeners()); n != 0 {
		t.Errorf("%d listeners where none is declared", n)
	}
	c.say("u\n")
	c.hears("still u")
	b.say("t\n")
	b.hears("bound 3")
	if c, err := net.Dial("tcp", at); err == nil {
		_ = c.Close()
		t.Error("somebody listens there")
	}
}

// TestDialAndMessages: connections that scripts make, what they post, timers.
func TestDialAndMessages(t *testing.T) {
	h := newLoopHouse(t, `
loop.listen "chat" { url = "tcp://127.0.0.1:0" }
loop.listen "ask" { url = "tcp://127.0.0.1:0" }
rule "say" { on = loop.recv, match = { listener = "chat" }, run = function(c) loop.post({ text = c:take() }, { listener = "chat", kind = "tcp" }) end }
rule "hear" { on = loop.message, match = { kind = "tcp" }, run = function(c, m) c:send(m.text) end }
rule "ask" { on = loop.recv, match = { listener = "ask" }, run = function(c)
  local from = c
  local up, err = loop.dial("tcp://" .. c:take_line(), { connect = "1s" })
  if not up then c:send("cannot: " .. err .. "\n") return end
  up:send "hello from the other side\n"
  up:on(loop.connect, function(up, code) if code ~= 0 then from:send("code " .. code .. " " .. this.reason .. "\n") end end)
  up:on(loop.recv, function(up) from:send("answer: " .. up:take()) up:close() end)
  up:on(loop.close, function(up, why) log.info("up closed", { why = this.reason, out = up.outbound }) end)
end }
rule "tick" { on = hookd.start, run = function()
  local t = loop.new()
  t:timer "1ms"
  t:on(loop.timer, function(t) log.info("ticked", { kind = t.kind, all = #loop.conns(), tcp = #loop.conns { kind = "tcp" } }) t:close() end)
  t:on(loop.close, function(t) log.info "timer closed" end)
end }`)
	h.said("timer closed")
	h.said("ticked")
	a, b := h.dial("chat"), h.dial("chat")
	b.say("knock\n")
	a.hears("knock")
	b.hears("knock")
	a.say("hi\n")
	a.hears("hi")
	b.hears("hi")
	ask := h.dial("ask")
	ask.say("%s\n", h.at("chat"))
	a.hears("hello from the other side")
	ask.hears("answer: hello from the other side")
	h.said("up closed")
	h.said("out=true")
	ask.say("127.0.0.1:1\n")
	ask.hears("code 111 refused")
	ask.say("nowhere\n")
	ask.hears(`cannot: loop.dial: url "tcp://nowhere": host and port expected, as in tcp://127.0.0.1:7000`)
}
