package main

import (
	"errors"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/stacks/sock"
)

func newSockMove() *cobra.Command {
	var t taking
	var g giving
	var to, from string
	var wait time.Duration
	var many bool
	cmd := &cobra.Command{
		Use:   "move --to TARGET (--pid N --fd M | --local A --remote B) | --from ADDRESS (--exec | --proxy | --serve-fd)",
		Short: "Move a connection to another process or host",
		Long: `Move --to takes a connection from a running program and sends it to TARGET, where
'hookd sock move --from' waits for one, restores it and gives it to a program. TARGET and
ADDRESS are HOST:PORT or the path of a Unix socket.

The connection goes on here until the target is ready, and again if it refuses.
What travels is the connection's data, not encrypted: use a network that you trust.`,
		Example: `  hookd sock move --from /run/take.sock --proxy 127.0.0.1:8080
  hookd sock move --to /run/take.sock --pid 4711 --fd 9`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if (to == "") == (from == "") {
				return usagef("say --to TARGET or --from ADDRESS")
			}
			if to != "" {
				err = errors.Join(t.check(), none()(cmd, args))
			} else {
				err = g.check(cmd, args, 0)
			}
			if err != nil {
				return err
			}
			if many && (to != "" || g.serve != "") {
				return usagef("--many goes with --from and --exec or --proxy")
			}
			m, end, err := newMover(cmd, t.debug, to != "" && !t.noKeeper)
			if err != nil {
				return sockFailure(err)
			}
			defer func() { err = errors.Join(err, sockFailure(end())) }()
			if to != "" {
				return moveTo(cmd, m, &t, to)
			}
			g.drop = t.drop
			l, err := g.listen(m, from)
			if err != nil {
				return sockFailure(err)
			}
			defer l.Close()
			if many {
				return g.takeMany(cmd, m, l, args)
			}
			r, err := g.takeOne(m, l, wait)
			if err != nil {
				return err
			}
			return g.give(cmd, r, args)
		},
	}
	t.flags(cmd)
	g.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "send it there: HOST:PORT or a path")
	cmd.Flags().StringVar(&from, "from", "", "wait for a connection there: HOST:PORT or a path")
	cmd.Flags().BoolVar(&many, "many", false, "with --from: take connections until it is stopped, each to a program of its own")
	cmd.Flags().DurationVar(&wait, "wait", time.Hour, "with --from: give up after so long")
	return cmd
}

func moveTo(cmd *cobra.Command, m *sock.Mover, t *taking, to string) error {
	s, err := t.steal(m)
	if err != nil {
		return err
	}
	c, err := net.DialTimeout(sock.NetworkOf(to), to, 10*time.Second)
	if err != nil {
		return errors.Join(sockFailure(err), s.Close())
	}
	defer c.Close()
	start := time.Now()
	done, err := m.HandOff(c, s.FD, sock.CheckpointOptions{Drop: t.drop, Meta: t.meta})
	if err == nil {
		say(cmd, "moved in %v, restored there in %v", time.Since(start).Round(time.Microsecond), done.Took.Round(time.Microsecond))
		for _, lost := range done.Lost {
			say(cmd, "not carried over: %s", lost)
		}
		return sockFailure(t.after(s))
	}
	if errors.Is(err, sock.ErrUncertain) {
		s.Closed()
	}
	return errors.Join(sockFailure(err), s.Close())
}

// listen waits for movers where --from says.
func (g *giving) listen(m *sock.Mover, from string) (net.Listener, error) {
	if err := m.Prepare(); err != nil {
		return nil, err
	}
	if sock.NetworkOf(from) == "unix" {
		return control.Listen(from)
	}
	return net.Listen("tcp", from)
}

// takeOne takes one connection.
func (g *giving) takeOne(m *sock.Mover, l net.Listener, wait time.Duration) (*sock.Restored, error) {
	opt, err := g.options()
	if err != nil {
		return nil, err
	}
	type deadliner interface{ SetDeadline(time.Time) error }
	if err := l.(deadliner).SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, sockFailure(err)
	}
	c, err := l.Accept()
	if err != nil {
		return nil, sockFailure(err)
	}
	defer c.Close()
	r, err := m.Receive(c, opt, nil)
	if err != nil {
		return nil, sockFailure(err)
	}
	return r, nil
}

// takeMany takes connections one after the other, each to a program or a goroutine of
// its own, until it is stopped.
func (g *giving) takeMany(cmd *cobra.Command, m *sock.Mover, l net.Listener, command []string) error {
	opt, err := g.options()
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return sockFailure(err)
		}
		r, err := m.Receive(c, opt, nil)
		_ = c.Close()
		if err != nil {
			say(cmd, "hookd: %s", err)
			continue
		}
		say(cmd, "%v-%v %v: restored in %v", r.Local, r.Remote, r.State, r.Took.Round(time.Microsecond))
		go func() {
			_, _ = r.Settle(g.settle)
			if err := g.giveAside(cmd, r, command); err != nil {
				say(cmd, "hookd: %v: %s", r.Remote, err)
			}
		}()
	}
}

// giveAside gives a connection away while others are taken.
func (g *giving) giveAside(cmd *cobra.Command, r *sock.Restored, command []string) error {
	if g.proxy != "" {
		return proxyTo(cmd.Context(), r, g.proxy)
	}
	return runWith(r, command)
}
