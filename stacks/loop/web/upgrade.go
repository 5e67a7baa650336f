package web

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/loop/ws"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// upgrade looks whether the request asks for a WebSocket, and for one that anybody
// wants, and then sees to it (RFC 6455 section 4.2).
func (s *server) upgrade() bool {
	r := s.req
	if !r.p.Upgrade || !s.wantsWebSockets() {
		return false
	}
	if to, _ := r.Header("upgrade"); !listed(to, "websocket") {
		return false
	}
	version, _ := r.Header("sec-websocket-version")
	key, _ := r.Header("sec-websocket-key")
	switch {
	case string(r.p.Method()) != "GET" || r.p.Framing != http1.NoBody || !wsframe.ValidKey(key):
		s.fail(400, "a WebSocket's handshake that is none")
		return true
	case version != "13":
		s.tell(426, "WebSocket of version "+version)
		_ = s.answer(answer{status: 426, body: []byte("upgrade required\n"), fields: []event.KV{{Key: "Sec-WebSocket-Version", Value: "13"}}})
		return true
	}
	if !loopev.OnWSHandshake.Wanted(s.c.Shard()) {
		s.open(&loopev.UpgradeArgs{})
		return true
	}
	e := &loopev.WSHandshake{C: s.c, Req: r, Method: r.Method(), Path: r.Path(), Host: r.Host()}
	s.running = true
	loop.AwaitOnce(s.c, loopev.OnWSHandshake, e, s.c.Then(s.handshakeDecided))
	s.detain()
	return true
}

// wantsWebSockets reports whether anything is bound to what WebSockets raise.
func (s *server) wantsWebSockets() bool {
	return loopev.OnWSHandshake.Wanted(s.c.Shard()) || s.servesWebSockets()
}

func (s *server) servesWebSockets() bool {
	sh := s.c.Shard()
	return loopev.OnWSMessage.Wanted(sh) || loopev.OnWSOpen.Wanted(sh) || loopev.OnWSFragment.Wanted(sh)
}

// listed reports whether a word is in a list with commas.
func listed(list, word string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(e), word) {
			return true
		}
	}
	return false
}

// handshakeDecided goes on as the rules decided.
func (s *server) handshakeDecided(v event.Verdict, err error) {
	switch {
	case s.handled() || s.state != asking || errors.Is(err, event.ErrCanceled):
	case err != nil:
		s.fail(503, err.Error())
	case v.Kind == loopev.VerdictReply:
		s.replyVerdict(v)
	case v.Kind == loopev.VerdictUpgrade:
		a, _ := v.Args.(*loopev.UpgradeArgs)
		if a == nil {
			a = &loopev.UpgradeArgs{}
		}
		s.open(a)
	case s.servesWebSockets():
		s.open(&loopev.UpgradeArgs{})
	default:
		s.askRules()
	}
}

// open answers the handshake and makes the connection a WebSocket's.
func (s *server) open(a *loopev.UpgradeArgs) {
	r := s.req
	var f answerFields
	fields, err := f.append(nil, a.Headers)
	if offered, _ := r.Header("sec-websocket-protocol"); err == nil && a.Protocol != "" && !listed(offered, a.Protocol) {
		err = fmt.Errorf("http: the client does not offer the protocol %q", a.Protocol)
	}
	if err != nil {
		s.fail(500, err.Error())
		return
	}
	key, _ := r.Header("sec-websocket-key")
	out := http1.AppendStatus(s.d.out[:0], 101)
	out = append(out, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	out = http1.AppendField(out, "Sec-WebSocket-Accept", wsframe.AcceptKey(key))
	if a.Protocol != "" {
		out = http1.AppendField(out, "Sec-WebSocket-Protocol", a.Protocol)
	}
	offers, _ := r.Header("sec-websocket-extensions")
	deflate := wsframe.Agree(offers)
	if deflate != nil {
		out = http1.AppendField(out, "Sec-WebSocket-Extensions", deflate.String())
	}
	out = append(append(out, fields...), "\r\n"...)
	s.send(out)
	s.d.sent(out)
	if r.front > 0 {
		s.skip(r.front)
	}
	session := ws.New(s.c, ws.Config{
		Server: true, Protocol: a.Protocol, Deflate: deflate, Flater: &s.d.flater, Max: s.opt.message, Ping: s.opt.pingTime,
	})
	s.c.Swap(s.d.p.sockets(), session)
	session.Start()
}
