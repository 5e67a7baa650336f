package edge

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/hookd/hookd/stacks/netio"
)

// listener is an open one.
type listener struct {
	g      *Group
	name   string
	spec   *spec
	shown  string
	packet *netio.Packets // of UDP
	socket *netio.Socket  // of streams
	stream *netio.Listener
	at     netip.AddrPort // where it would be, over a [Wire]
}

// Change is what becomes of the listeners when declarations do: new sockets are open,
// and nothing else happened yet. One of Commit and Abort ends it.
type Change struct {
	g      *Group
	opened map[string]*listener
	kept   map[string]*spec
	done   bool
}

// Prepare makes the listeners be those of list, up to where nothing can fail any more.
// A listener whose URL stays keeps its socket and its connections. Each error is about
// the declaration of its place; then nothing is open that was not, and Change is nil.
// Any goroutine that has entered no shard.
func (g *Group) Prepare(list []Listen) (*Change, []error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ch := &Change{g: g, opened: map[string]*listener{}, kept: map[string]*spec{}}
	errs, specs := make([]error, len(list)), make([]*spec, len(list))
	for i, l := range list {
		specs[i], errs[i] = parse(l, g.io != nil)
	}
	failed := errors.Join(errs...) != nil
	for i, l := range list {
		if failed || g.shard == nil {
			break
		}
		if old := g.listeners[l.Name]; old != nil && old.spec.url == specs[i].url {
			ch.kept[l.Name] = specs[i]
			continue
		}
		var err error
		if ch.opened[l.Name], err = g.open(l.Name, specs[i]); err != nil {
			delete(ch.opened, l.Name)
			errs[i], failed = fmt.Errorf("%s: %w", specs[i].url, err), true
		}
	}
	if failed {
		ch.abort()
		return nil, errs
	}
	return ch, nil
}

// open opens a socket. What comes to it before it is committed waits.
func (g *Group) open(name string, s *spec) (*listener, error) {
	l := &listener{g: g, name: name, spec: s}
	if g.cfg.Wire != nil {
		l.pretend()
		return l, nil
	}
	g.shard.Enter()
	defer g.shard.Leave()
	if s.network()[0] == 'u' {
		p, err := g.io.Packets(netio.PacketConfig{Network: s.network(), Address: s.addr.String()}, datagrams{l})
		if err != nil {
			return nil, err
		}
		p.Pause()
		l.packet, l.shown = p, s.shown(p.Addr())
		return l, nil
	}
	sock, err := g.io.Open(netio.SocketConfig{Network: s.network(), Address: s.addr.String(), TLS: s.tls, Options: netio.Options{Idle: s.idle}})
	if err != nil {
		return nil, err
	}
	l.socket, l.shown = sock, s.shown(sock.Addr())
	return l, nil
}

// Abort closes what was opened.
func (ch *Change) Abort() {
	ch.g.mu.Lock()
	defer ch.g.mu.Unlock()
	ch.abort()
}

func (ch *Change) abort() {
	if ch.done {
		return
	}
	ch.done = true
	for _, l := range ch.opened {
		ch.g.shard.Enter()
		l.stop()
		ch.g.shard.Leave()
		l.closeSocket()
	}
}

// Commit lets in what comes to new listeners, and closes those that are declared no
// more; connections go on. Any goroutine that has entered no shard.
func (ch *Change) Commit() {
	g := ch.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if ch.done || g.shard == nil {
		return
	}
	ch.done = true
	g.shard.Enter()
	var gone []*listener
	for name, l := range g.listeners {
		if s := ch.kept[name]; s != nil {
			l.adopt(s)
			continue
		}
		l.stop()
		gone = append(gone, l)
		delete(g.listeners, name)
	}
	for name, l := range ch.opened {
		l.start()
		g.listeners[name] = l
	}
	g.ports = g.ports[:0]
	for _, name := range slices.Sorted(maps.Keys(g.listeners)) {
		g.ports = append(g.ports, g.listeners[name])
	}
	g.shard.Leave()
	for _, l := range gone {
		l.closeSocket()
	}
	g.Wake()
}

// adopt takes what can change of a listener that stays open.
func (l *listener) adopt(s *spec) {
	l.spec = s
	if s.tls != nil && l.socket != nil {
		l.socket.SetTLS(s.tls)
	}
	l.shown = s.shown(l.bound())
}

// start lets in what comes.
func (l *listener) start() {
	if l.packet != nil {
		l.packet.Resume()
		return
	}
	if l.socket == nil {
		return
	}
	stream, err := l.g.io.ListenAt(l.socket, &stream{g: l.g, l: l})
	if err != nil {
		l.g.cfg.Log.Error("a SIP listener does not take connections", "listener", l.name, "err", err)
		return
	}
	l.stream = stream
}

// stop lets in nothing any more.
func (l *listener) stop() {
	if l.packet != nil {
		l.packet.Close()
	}
	if l.stream != nil {
		l.stream.Close()
	}
}

// closeSocket closes what other loops could listen at.
func (l *listener) closeSocket() {
	if l.socket != nil {
		_ = l.socket.Close()
	}
}
