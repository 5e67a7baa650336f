package farend

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/verb"
)

// client is an [end] as specs have it. What it returns of a protocol is nil where
// nothing came yet: handlers may wait for time to go on.
type client struct {
	*end
	all words
}

// words are the methods of an object by their names.
type words map[string]verb.Word

// member returns one as an object's Member does.
func (w words) member(name string) any {
	if word, ok := w[name]; ok {
		return word
	}
	return nil
}

// Kind is what messages call a client.
func (c *client) Kind() string { return "client" }

// Member returns a method.
func (c *client) Member(name string) any {
	if c.all == nil {
		c.all = c.words()
	}
	return c.all.member(name)
}

func (c *client) words() words {
	all := words{
		"send": c.sendWord, "recv": c.recvWord, "peek": c.peekWord, "state": c.stateWord, "unsent": c.unsentWord,
		"hold":     func(verb.Call) error { c.Hold(); return nil },
		"resume":   func(v verb.Call) error { c.Resume(); return v.Settle() },
		"shutdown": func(v verb.Call) error { c.Shut(); return v.Settle() },
		"close":    func(v verb.Call) error { c.Close(false); return v.Settle() },
		"reset":    func(v verb.Call) error { c.Close(true); return v.Settle() },
		"hear":     c.hearWord,
	}
	for _, more := range []words{c.httpWords(), c.socketWords(), c.mqttWords(), c.dnsWords()} {
		maps.Copy(all, more)
	}
	return all
}

func (c *client) turn() (bool, error) { return c.Turn(), nil }

func (c *client) gone() bool { return c.closed }

// settle is [verb.Call].Settle, and an error where the other end broke its protocol.
func (c *client) settle(v verb.Call) error {
	if err := v.Settle(); err != nil {
		return err
	}
	return c.Err()
}

func (c *client) sendWord(v verb.Call) error {
	text, err := verb.Text(v, 0, "what")
	if err == nil {
		err = c.Send([]byte(text))
	}
	if err != nil {
		return err
	}
	return v.Settle()
}

func (c *client) recvWord(v verb.Call) error {
	n := -1
	if a := v.Arg(0); a != nil {
		var most uint32
		if err := plain.SetUint(&most, a); err != nil {
			return fmt.Errorf("how many: %w", err)
		}
		n = int(most)
	}
	v.Return(string(c.Take(n)))
	return v.Settle() // there is room again
}

func (c *client) peekWord(v verb.Call) error {
	v.Return(string(c.Bytes()))
	return nil
}

func (c *client) stateWord(v verb.Call) error {
	v.Return(c.State())
	return nil
}

func (c *client) unsentWord(v verb.Call) error {
	v.Return(float64(c.Unsent()))
	return nil
}

var errNoMessages = errors.New("the connection has no messages: it is neither a WebSocket nor MQTT")

// hearWord returns the next message: of a WebSocket its text, kind and code, of MQTT its
// topic, payload and the rest.
func (c *client) hearWord(v verb.Call) error {
	if err := c.settle(v); err != nil {
		return err
	}
	switch {
	case c.WebSocket():
		if m := c.Hear(); m != nil {
			v.Return(string(m.Data), m.Kind, float64(m.Code))
			return nil
		}
	case c.MQTT():
		if p := c.Published(); p != nil {
			v.Return(p.Topic, string(p.Payload), []event.KV{
				{Key: "qos", Value: float64(p.QoS)}, {Key: "retain", Value: p.Retain}, {Key: "dup", Value: p.Dup},
			})
			return nil
		}
	default:
		return errNoMessages
	}
	v.Return(nil)
	return nil
}

func (c *client) httpWords() words {
	return words{
		"request": func(v verb.Call) error {
			t, err := verb.Table(v, 0, "request")
			if err != nil {
				return err
			}
			m, err := readMessage(t)
			if err != nil {
				return err
			}
			return c.ask(v, m)
		},
		"get":  func(v verb.Call) error { return c.shortWord(v, "GET", 1) },
		"post": func(v verb.Call) error { return c.shortWord(v, "POST", 2) },
		"reply": func(v verb.Call) error {
			if err := c.settle(v); err != nil {
				return err
			}
			v.Return(shown(c.Reply()))
			return nil
		},
	}
}

// shortWord is c:get(path [, headers]) and c:post(path, body [, headers]).
func (c *client) shortWord(v verb.Call, method string, fields int) error {
	m := &message{Method: method}
	var err error
	if m.Target, err = verb.Text(v, 0, "path"); err != nil {
		return err
	}
	if fields == 2 {
		body, err := verb.Text(v, 1, "body")
		if err != nil {
			return err
		}
		m.Body = []byte(body)
	}
	t, err := verb.Table(v, fields, "headers")
	if err != nil {
		return err
	}
	if m.Fields, err = readFields(t); err != nil {
		return err
	}
	return c.ask(v, m)
}

func (c *client) ask(v verb.Call, m *message) error {
	if err := c.Ask(m); err != nil {
		return err
	}
	if err := c.settle(v); err != nil {
		return err
	}
	v.Return(shown(c.Reply()))
	return nil
}

func (c *client) socketWords() words {
	return words{
		"websocket": c.upgradeWord,
		"say": func(v verb.Call) error {
			text, err := verb.Text(v, 0, "what")
			if err != nil {
				return err
			}
			kind := "text"
			if v.Arg(1) != nil {
				if kind, err = verb.Text(v, 1, "kind"); err != nil {
					return err
				}
			}
			if err := c.Say(kind, []byte(text)); err != nil {
				return err
			}
			return c.settle(v)
		},
		"leave": func(v verb.Call) error {
			code, reason := uint16(1000), ""
			if a := v.Arg(0); a != nil {
				if err := plain.SetUint(&code, a); err != nil {
					return fmt.Errorf("code: %w", err)
				}
			}
			if a := v.Arg(1); a != nil {
				if err := plain.SetString(&reason, a); err != nil {
					return fmt.Errorf("reason: %w", err)
				}
			}
			if err := c.Leave(int(code), reason); err != nil {
				return err
			}
			return c.settle(v)
		},
	}
}

// upgradeWord is c:websocket([path [, headers]]): true, or nil and the response.
func (c *client) upgradeWord(v verb.Call) error {
	path := "/"
	if a := v.Arg(0); a != nil {
		if err := plain.SetString(&path, a); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	t, err := verb.Table(v, 1, "headers")
	if err != nil {
		return err
	}
	fields, err := readFields(t)
	if err != nil {
		return err
	}
	if err := c.Upgrade(path, fields); err != nil {
		return err
	}
	if err := c.settle(v); err != nil {
		return err
	}
	if c.WebSocket() {
		v.Return(true)
		return nil
	}
	v.Return(nil, shown(c.Reply()))
	return nil
}

// readMessage reads { method, path, headers, body } of a request, or { status, headers,
// body } of a response.
func readMessage(t []event.KV) (*message, error) {
	m := &message{}
	for _, kv := range t {
		var err error
		switch kv.Key {
		case "method":
			err = plain.SetString(&m.Method, kv.Value)
		case "path":
			err = plain.SetString(&m.Target, kv.Value)
		case "status":
			var status uint16
			err = plain.SetUint(&status, kv.Value)
			m.Status = int(status)
		case "body":
			err = plain.SetBytes(&m.Body, kv.Value)
		case "headers":
			list, ok := kv.Value.([]event.KV)
			if !ok {
				err = fmt.Errorf("a table expected, got %s", plain.Describe(kv.Value))
				break
			}
			m.Fields, err = readFields(list)
		default:
			err = errors.New("unknown: method, path, status, headers and body are known")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	return m, nil
}

func readFields(t []event.KV) (list [][2]string, err error) {
	for _, kv := range t {
		var text string
		if err := plain.SetString(&text, kv.Value); err != nil {
			return nil, fmt.Errorf("headers: %s: %w", kv.Key, err)
		}
		list = append(list, [2]string{kv.Key, text})
	}
	return list, nil
}

// shown is what specs see of a response, nil where there is none.
func shown(m *message) any {
	if m == nil {
		return nil
	}
	return []event.KV{
		{Key: "status", Value: float64(m.Status)},
		{Key: "reason", Value: m.Reason},
		{Key: "headers", Value: shownFields(m)},
		{Key: "body", Value: string(m.Body)},
	}
}

// grams is a datagram socket as specs have it.
type grams struct {
	w    *World
	sock datagrams
	to   netip.AddrPort
	next uint16
	came [][]byte
	over bool
}

// datagrams is what of a socket is used.
type datagrams interface {
	SendTo(p []byte, to netip.AddrPort) bool
	Recv() ([]byte, netip.AddrPort, bool)
	Close()
}

func (w *World) addGrams(sock datagrams, to netip.AddrPort) *grams {
	g := &grams{w: w, sock: sock, to: to}
	w.clients = append(w.clients, g)
	return g
}

// Kind is what messages call a socket.
func (g *grams) Kind() string { return "client" }

func (g *grams) gone() bool { return g.over }

func (g *grams) turn() (worked bool, err error) {
	for p, _, ok := g.sock.Recv(); ok; p, _, ok = g.sock.Recv() {
		worked = true
		if g.came, err = keep(g.came, p); err != nil {
			return worked, err
		}
	}
	return worked, nil
}

// take returns the next datagram, nil if none came.
func (g *grams) take() []byte {
	if len(g.came) == 0 {
		return nil
	}
	p := g.came[0]
	g.came = g.came[1:]
	return p
}

// Member returns a method.
func (g *grams) Member(name string) any {
	return words{
		"send": func(v verb.Call) error {
			text, err := verb.Text(v, 0, "what")
			if err != nil {
				return err
			}
			if g.over {
				return errClosed
			}
			v.Return(g.sock.SendTo([]byte(text), g.to))
			return v.Settle()
		},
		"recv": func(v verb.Call) error {
			if p := g.take(); p != nil {
				v.Return(string(p))
				return nil
			}
			v.Return(nil)
			return nil
		},
		"ask": g.askWord,
		"close": func(v verb.Call) error {
			g.over = true
			g.sock.Close()
			return v.Settle()
		},
	}.member(name)
}
