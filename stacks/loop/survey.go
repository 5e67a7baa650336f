package loop

import (
	"cmp"
	"slices"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// ConnView is a connection as somebody outside of the loop sees it.
type ConnView struct {
	Conn     uint64        `json:"conn"`
	Kind     string        `json:"kind"`
	Protocol string        `json:"protocol,omitempty"`
	TLS      bool          `json:"tls,omitempty"`
	Listener string        `json:"listener,omitempty"`
	Client   string        `json:"client,omitempty"`
	Server   string        `json:"server,omitempty"`
	State    string        `json:"state"`
	In       uint64        `json:"bytes_in"`
	Out      uint64        `json:"bytes_out"`
	Unread   uint64        `json:"unread"`
	Queued   uint64        `json:"queued"`
	Age      time.Duration `json:"age"`
	Idle     time.Duration `json:"idle"`
	Waiting  bool          `json:"waiting,omitempty"` // a handler of it waits
	Tags     []string      `json:"tags,omitempty"`
}

// ListenerView is a listener as somebody outside of the loop sees it.
type ListenerView struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Addr  string `json:"addr"`
	Conns int    `json:"conns"`
}

// Survey lists connections that fields selects, the latest first, limit at most, and
// how many it selects in all. Any goroutine that has entered no shard.
func (g *Group) Survey(fields []event.KV, limit int) (list []ConnView, all int, err error) {
	f, err := connFields.Compile("loop.conn", fields)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range g.list() {
		s.sh.Enter()
		n := 0
		for c := s.last; c != nil; c = c.before {
			if c.kind == loopev.KindListener && len(fields) == 0 || !f(c) {
				continue
			}
			all++
			if n++; n <= limit {
				list = append(list, c.view())
			}
		}
		s.sh.Leave()
	}
	slices.SortFunc(list, func(a, b ConnView) int { return cmp.Compare(b.Conn, a.Conn) })
	return list[:min(limit, len(list))], all, nil
}

func (c *Conn) view() ConnView {
	v := ConnView{
		Conn: c.id, Kind: c.kind.String(), Protocol: c.Protocol(), TLS: c.secure, State: c.State().String(),
		In: c.BytesIn(), Out: c.BytesOut(), Unread: c.Unread(), Queued: c.Queued(), Age: c.Duration(), Idle: c.Idle(),
		Waiting: c.holds > 0, Tags: c.Tags(),
	}
	v.Listener, _ = c.Listener()
	for _, end := range []struct {
		to *string
		of *Address
	}{{&v.Client, &c.client}, {&v.Server, &c.server}} {
		if at := end.of.Endpoint(); at.IsValid() {
			*end.to = at.String()
		}
	}
	if c.path != "" {
		v.Server = c.path
	}
	return v
}

// Listeners lists the listeners that are open, by name. Any goroutine that has
// entered no shard.
func (g *Group) Listeners() []ListenerView {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]ListenerView, 0, len(g.listeners))
	for name, l := range g.listeners {
		v := ListenerView{Name: name, URL: l.spec.url, Addr: l.ports[0].conn.server.at.String()}
		if l.sock != nil {
			v.Conns = l.sock.Conns()
			if l.spec.place.network == "unix" {
				v.Addr = l.spec.place.address
			}
		} else {
			for _, p := range l.ports {
				p.s.sh.Enter()
				n, _ := l.count(p.conn)
				p.s.sh.Leave()
				v.Conns += int(n)
			}
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b ListenerView) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
