package farend

import (
	"errors"
	"net/netip"

	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/stacks/netio"
)

// grams is a datagram socket as specs have it: a client of a listener, or, without to,
// where scripts send to.
type grams struct {
	sock *netio.Grams
	to   netip.AddrPort
	does verb.Func // of a server: answers each
	next uint16
	came [][]byte
	over bool
}

func (w *World) addGrams(g *grams) *grams {
	w.clients = append(w.clients, g)
	return g
}

// answerGrams is answer(url, what) for datagrams.
func (w *World) answerGrams(c verb.Call, at netip.AddrPort) error {
	sock, err := w.mem.Packets(at)
	if err != nil {
		return err
	}
	does, _ := c.Arg(1).(verb.Func)
	c.Return(w.addGrams(&grams{sock: sock, does: does}))
	return nil
}

// Kind is what messages call a socket.
func (g *grams) Kind() string {
	if g.to.IsValid() {
		return "client"
	}
	return "server"
}

func (g *grams) gone() bool { return g.over }

func (g *grams) turn() (worked bool, err error) {
	for p, from, ok := g.sock.Recv(); ok; p, from, ok = g.sock.Recv() {
		worked = true
		if g.does != nil {
			if text, ok := first(g.does(string(p))).(string); ok {
				g.sock.SendTo([]byte(text), from)
			}
			continue
		}
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
			switch {
			case g.over:
				return errClosed
			case !g.to.IsValid():
				return errors.New("a server answers by its function")
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
