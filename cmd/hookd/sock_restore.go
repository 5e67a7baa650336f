package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/image"
)

// giving says what a restored connection is given to.
type giving struct {
	command bool
	proxy   string
	serve   string

	namespace     string
	local, remote string
	transparent   bool
	drop          bool
	settle        time.Duration
	debug         bool
}

func (g *giving) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&g.command, "exec", false, "run the command behind -- in this one's place; the connection is its descriptor 3, as with LISTEN_FDS")
	f.StringVar(&g.proxy, "proxy", "", "connect to ADDRESS:PORT or a Unix socket's path and copy both ways")
	f.StringVar(&g.serve, "serve-fd", "", "hand the descriptor to who connects to this Unix socket")
	f.StringVar(&g.namespace, "to-netns", "", "restore in this network namespace: a path, such as /run/netns/blue")
	f.StringVar(&g.local, "to-local", "", "restore with another address at this end")
	f.StringVar(&g.remote, "to-remote", "", "restore with another address of the peer")
	f.BoolVar(&g.transparent, "transparent", false, "restore although the local address is not here yet")
	f.DurationVar(&g.settle, "settle", 2*time.Second, "watch for the peer's first sign of life, at most so long; 0: not at all")
}

// check wants one receiver.
func (g *giving) check(cmd *cobra.Command, args []string, names int) error {
	n := 0
	for _, given := range []bool{g.command, g.proxy != "", g.serve != ""} {
		if given {
			n++
		}
	}
	at := cmd.ArgsLenAtDash()
	switch {
	case n != 1:
		return usagef("say what gets the connection: --exec -- COMMAND, --proxy TARGET or --serve-fd SOCKET")
	case g.command != (at >= 0) || g.command && at == len(args):
		return usagef("--exec and a command behind -- go together")
	case g.command && at != names || !g.command && len(args) != names:
		return usagef("%d argument expected", names)
	}
	return nil
}

func (g *giving) options() (sock.RestoreOptions, error) {
	opt := sock.RestoreOptions{Namespace: g.namespace, Transparent: g.transparent, Drop: g.drop, Quick: g.settle > 0}
	var err error
	if g.local != "" {
		if opt.Local, err = netip.ParseAddrPort(g.local); err != nil {
			return opt, usagef("--to-local: %s", err)
		}
	}
	if g.remote != "" {
		if opt.Remote, err = netip.ParseAddrPort(g.remote); err != nil {
			return opt, usagef("--to-remote: %s", err)
		}
	}
	return opt, nil
}

func newSockRestore() *cobra.Command {
	var g giving
	cmd := &cobra.Command{
		Use:   "restore IMAGE (--exec -- COMMAND | --proxy TARGET | --serve-fd SOCKET)",
		Short: "Give a connection in a file a socket, and the socket to a program",
		Long: `Restore builds the connection of IMAGE in this host's kernel and gives it to a
program. An image is good for one restore: its file is called IMAGE.restoring
meanwhile, and IMAGE.done afterwards. If the restore fails, it is IMAGE again.`,
		Example: `  hookd sock restore c.img --exec -- ./server --inherited
  hookd sock restore c.img --proxy 127.0.0.1:8080`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := g.check(cmd, args, 1); err != nil {
				return err
			}
			opt, err := g.options()
			if err != nil {
				return err
			}
			m, end, err := newMover(cmd, g.debug, false)
			if err != nil {
				return sockFailure(err)
			}
			defer func() { err = errors.Join(err, sockFailure(end())) }()
			r, err := restoreFile(m, args[0], opt)
			if err != nil {
				return sockFailure(err)
			}
			return g.give(cmd, r, args[1:])
		},
	}
	g.flags(cmd)
	cmd.Flags().BoolVar(&g.debug, "debug", false, "tell each step")
	return cmd
}

// restoreFile restores an image once.
func restoreFile(m *sock.Mover, path string, opt sock.RestoreOptions) (*sock.Restored, error) {
	c, err := image.Claim(path)
	if err != nil {
		return nil, err
	}
	opt.Adopt = true
	r, err := m.Restore(c.Image, opt)
	if err != nil {
		return nil, errors.Join(err, c.Release())
	}
	return r, c.Done()
}

// give waits until the connection has settled and gives it away.
func (g *giving) give(cmd *cobra.Command, r *sock.Restored, command []string) error {
	for _, lost := range r.Lost {
		say(cmd, "not carried over: %s", lost)
	}
	sign := ""
	if g.settle > 0 && r.State != sock.Closed {
		took, err := r.Settle(g.settle)
		sign = fmt.Sprintf(", a sign of the peer after %v", took.Round(time.Microsecond))
		if err != nil {
			sign = fmt.Sprintf(", no sign of the peer in %v", g.settle)
		}
	}
	say(cmd, "%v-%v %v: restored in %v%s", r.Local, r.Remote, r.State, r.Took.Round(time.Microsecond), sign)
	switch {
	case g.command:
		return sockFailure(execWith(r, command))
	case g.proxy != "":
		return sockFailure(proxyTo(cmd.Context(), r, g.proxy))
	}
	return sockFailure(serveDescriptor(r, g.serve))
}
