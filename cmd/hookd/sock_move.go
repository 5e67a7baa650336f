package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/sock"
)

func newSockMove() *cobra.Command {
	var t taking
	var g giving
	var to, from string
	var wait time.Duration
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
				err = errors.Join(t.check(), cobra.NoArgs(cmd, args))
			} else {
				err = g.check(cmd, args, 0)
			}
			if err != nil {
				return err
			}
			m, end, err := newMover(cmd, t.debug, to != "" && !t.noKeeper)
			if err != nil {
				return sockFailure(err)
			}
			defer func() { err = errors.Join(err, sockFailure(end())) }()
			if to != "" {
				return moveTo(cmd, m, &t, to)
			}
			r, err := g.takeFrom(m, from, wait)
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
	cmd.Flags().DurationVar(&wait, "wait", time.Hour, "with --from: give up after so long")
	return cmd
}

// networkOf tells a path from an address.
func networkOf(address string) string {
	if strings.Contains(address, "/") {
		return "unix"
	}
	return "tcp"
}

func moveTo(cmd *cobra.Command, m *sock.Mover, t *taking, to string) error {
	s, err := t.steal()
	if err != nil {
		return err
	}
	c, err := net.DialTimeout(networkOf(to), to, 10*time.Second)
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

// takeFrom waits for one connection.
func (g *giving) takeFrom(m *sock.Mover, from string, wait time.Duration) (*sock.Restored, error) {
	opt, err := g.options()
	if err != nil {
		return nil, err
	}
	if err := m.Prepare(); err != nil {
		return nil, sockFailure(err)
	}
	l, err := net.Listen(networkOf(from), from)
	if err != nil {
		return nil, sockFailure(err)
	}
	defer l.Close()
	if networkOf(from) == "unix" {
		if err := os.Chmod(from, 0o600); err != nil {
			return nil, sockFailure(err)
		}
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
