package farend

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
)

// server is where scripts connect to.
type server struct {
	w        *World
	at       netip.AddrPort
	path     string // of a Unix socket
	protocol string
	door     *netio.Door
	routes   []*route // of HTTP, the longest path first; else one
	conns    []*client
	waiting  []*client // that nobody accepted
}

// route is what a test says about a server, or about a path of one: specs have it as
// the server.
type route struct {
	s      *server
	prefix string
	does   any       // verb.Func, a table, a text, a number or nil
	asked  []message // requests
}

// answer is answer(url, what): a server that scripts can connect to.
func (w *World) answer(c verb.Call) error {
	where, err := verb.Text(c, 0, "where")
	if err != nil {
		return err
	}
	if where == "dns" {
		list, ok := c.Arg(1).([]event.KV)
		if !ok {
			return errNoName
		}
		return w.names.know(list)
	}
	at, to, err := w.place(where)
	switch {
	case err != nil:
		return err
	case at.Protocol == "dns":
		return w.names.open(to)
	case at.Network == "udp":
		return errors.New("udp: datagrams are answered by dial and a client of yours only")
	}
	s, err := w.server(at, to)
	if err != nil {
		return err
	}
	r := &route{s: s, does: c.Arg(1)}
	if s.protocol == "http" {
		r.prefix = at.Path
		if _, _, err := r.message(nil); err != nil {
			return err
		}
	} else if _, fn := r.does.(verb.Func); !fn && r.does != nil {
		return fmt.Errorf("a function or nothing expected, got %s", plain.Describe(r.does))
	}
	s.routes = slices.DeleteFunc(s.routes, func(o *route) bool { return o.prefix == r.prefix })
	s.routes = append(s.routes, r)
	slices.SortStableFunc(s.routes, func(a, b *route) int { return len(b.prefix) - len(a.prefix) })
	c.Return(r)
	return nil
}

// server returns the one that is there, or opens it.
func (w *World) server(at loop.Place, to netip.AddrPort) (*server, error) {
	path := ""
	if at.Network == "unix" {
		path = at.Address
	}
	for _, s := range w.servers {
		if s.at == to && s.path == path {
			if s.protocol != at.Protocol {
				return nil, fmt.Errorf("another protocol is answered there already")
			}
			return s, nil
		}
	}
	door, err := w.mem.Listen(to, path)
	if err != nil {
		return nil, err
	}
	s := &server{w: w, at: to, path: path, protocol: at.Protocol, door: door}
	w.servers = append(w.servers, s)
	return s, nil
}

// turn lets in who comes, and answers.
func (s *server) turn() (worked bool, err error) {
	for line := s.door.Accept(); line != nil; line = s.door.Accept() {
		worked = true
		c := s.w.add(line)
		switch s.protocol {
		case "http":
			err = c.Serve()
		case "ws":
			err = c.ServeWebSocket()
		case "mqtt":
			err = c.ServeMQTT()
		}
		s.conns = append(s.conns, c)
		s.waiting = append(s.waiting, c)
	}
	for _, c := range slices.Clone(s.conns) {
		did, failed := s.serve(c)
		worked, err = worked || did, errors.Join(err, failed)
	}
	s.conns = slices.DeleteFunc(s.conns, (*client).gone)
	return worked, err
}

// serve answers what came by a connection.
func (s *server) serve(c *client) (worked bool, err error) {
	switch {
	case c.Err() != nil:
		return false, fmt.Errorf("what the script sends to %s: %w", s.at, c.Err())
	case s.protocol == "http":
		for m := c.Reply(); m != nil; m = c.Reply() {
			if err := s.reply(c, m); err != nil {
				return true, err
			}
			worked = true
		}
	case len(s.routes) > 0:
		fn, ok := s.routes[0].does.(verb.Func)
		if !ok {
			return false, nil
		}
		switch s.protocol {
		case "ws":
			return s.serveMessages(c, fn)
		case "":
			if p := c.Take(-1); len(p) > 0 {
				if text, ok := first(fn(string(p))).(string); ok {
					err = c.Send([]byte(text))
				}
				return true, err
			}
		}
	}
	// Who has nothing more to say is left.
	if c.State() == "ended" && c.Unsent() == 0 && s.protocol != "" {
		c.Close(false)
	}
	return worked, nil
}

func (s *server) serveMessages(c *client, fn verb.Func) (worked bool, err error) {
	for m := c.Hear(); m != nil && err == nil; m = c.Hear() {
		worked = true
		if text, ok := first(fn(string(m.Data), m.Kind)).(string); ok {
			err = c.Say("text", []byte(text))
		}
	}
	return worked, err
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// reply answers a request as the route says whose path is the longest.
func (s *server) reply(c *client, m *message) error {
	path, _, _ := strings.Cut(m.Target, "?")
	for _, r := range s.routes {
		if !strings.HasPrefix(path, r.prefix) {
			continue
		}
		var err error
		if r.asked, err = keep(r.asked, *m); err != nil {
			return err
		}
		out, silent, err := r.message(m)
		if err != nil || silent {
			return err
		}
		return c.Answer(out)
	}
	return c.Answer(&message{Status: 404})
}

// message returns what a route answers to a request; m is nil to see whether that can be.
// A function that returns false answers nothing.
func (r *route) message(m *message) (out *message, silent bool, err error) {
	does := r.does
	if fn, ok := does.(verb.Func); ok {
		if m == nil {
			return nil, false, nil
		}
		does = first(fn(shownRequest(m)))
	}
	switch v := does.(type) {
	case nil:
		return &message{Status: 404}, false, nil
	case bool:
		if !v {
			return nil, true, nil
		}
	case float64:
		return &message{Status: int(v)}, false, nil
	case string:
		return &message{Status: 200, Body: []byte(v)}, false, nil
	case []event.KV:
		out, err = readMessage(v)
		return out, false, err
	}
	return nil, false, fmt.Errorf("the answer is a table, a text, a status or a function that returns one, not %s", plain.Describe(does))
}

func shownFields(m *message) []event.KV {
	fields := make([]event.KV, 0, len(m.Fields))
	for _, f := range m.Fields {
		fields = append(fields, event.KV{Key: strings.ToLower(f[0]), Value: f[1]})
	}
	return fields
}

// shownRequest is what specs see of a request.
func shownRequest(m *message) any {
	path, query, _ := strings.Cut(m.Target, "?")
	return []event.KV{
		{Key: "method", Value: m.Method},
		{Key: "path", Value: path},
		{Key: "query", Value: query},
		{Key: "headers", Value: shownFields(m)},
		{Key: "body", Value: string(m.Body)},
	}
}

// Kind is what messages call a server.
func (r *route) Kind() string { return "server" }

// Member returns a method.
func (r *route) Member(name string) any {
	return words{
		"requests": func(v verb.Call) error {
			list := make([]any, 0, len(r.asked))
			for i := range r.asked {
				list = append(list, shownRequest(&r.asked[i]))
			}
			v.Return(list)
			return nil
		},
		"accept": func(v verb.Call) error {
			s := r.s
			if len(s.waiting) == 0 {
				v.Return(nil)
				return nil
			}
			v.Return(s.waiting[0])
			s.waiting = s.waiting[1:]
			return nil
		},
		"close": func(v verb.Call) error {
			s := r.s
			s.door.Close()
			s.w.servers = slices.DeleteFunc(s.w.servers, func(o *server) bool { return o == s })
			for _, c := range s.conns {
				c.Close(false)
			}
			return v.Settle()
		},
	}.member(name)
}
