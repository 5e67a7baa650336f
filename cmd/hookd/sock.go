package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/sock"
)

func newSock() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sock",
		Short: "Take live TCP connections out of the kernel, move them, put them back",
		Long: `Sock moves established TCP connections between processes, network namespaces and
hosts; the peer does not notice. A program that holds one need not know of it.

It needs Linux, CAP_NET_ADMIN over the network namespace, and for connections of
other processes the rights of ptrace. 'hookd sock doctor' says what is there.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSockList(), newSockCheckpoint(), newSockRestore(), newSockMove(), newSockInspect(), newSockImport(),
		newSockExport(), newSockDoctor(), newSockKeep())
	return cmd
}

// sockFailure is the exit of what the kernel or another process refused.
func sockFailure(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitIO, err)
}

// newMover returns a mover with a keeper beside it, and what ends both.
func newMover(cmd *cobra.Command, debug, keeper bool) (*sock.Mover, func() error, error) {
	m := &sock.Mover{}
	if debug {
		m.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if !keeper {
		return m, m.Close, nil
	}
	var err error
	if m.Keeper, err = startKeeper(); err != nil {
		return nil, nil, err
	}
	return m, func() error { return errors.Join(m.Close(), m.Keeper.Close()) }, nil
}

// startKeeper starts this program once more, to see to what a mover leaves if it is
// killed.
func startKeeper() (*sock.Keeper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return sock.StartKeeper(self, "sock", "keep")
}

// newSockKeep is what a mover starts beside itself.
func newSockKeep() *cobra.Command {
	return &cobra.Command{
		Use:    "keep",
		Short:  "Hold on to sockets that are being taken, in case who takes them is killed",
		Hidden: true,
		Args:   none(),
		RunE: func(*cobra.Command, []string) error {
			f := os.NewFile(3, "keeper")
			if f == nil {
				return usagef("hookd starts this itself")
			}
			return sockFailure(sock.Keep(f))
		},
	}
}

func newSockDoctor() *cobra.Command {
	var namespace string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this kernel and these privileges allow",
		Long: `Doctor tries what a move needs, without touching a connection. It exits with 1 where
something is missing without which nothing can be moved.`,
		Args: none(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := sock.Doctor(namespace)
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), list); err != nil {
					return err
				}
			}
			t := table{columns: []column{{title: "what"}, {title: "state"}, {title: "detail", cut: true, first: true}}}
			able := true
			for _, f := range list {
				state := "yes"
				switch {
				case !f.OK && f.Needed:
					state, able = "MISSING", false
				case !f.OK:
					state = "no"
				}
				t.add(f.What, state, f.Detail)
			}
			if !asJSON {
				if err := t.write(cmd.OutOrStdout(), max(terminalWidth(), 110)); err != nil {
					return fail(exitIO, err)
				}
			}
			if !able {
				return fail(exitFinding, errors.New("connections cannot be moved here"))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&namespace, "netns", "", "in this network namespace: a path, such as /run/netns/blue")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// taking says which connection, and how it is taken.
type taking struct {
	pid, fd       int
	local, remote string
	namespace     string
	kill          bool
	drop          bool
	noKeeper      bool
	debug         bool
	meta          map[string]string
}

func (t *taking) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&t.pid, "pid", 0, "of this process")
	f.IntVar(&t.fd, "fd", -1, "its descriptor")
	f.StringVar(&t.local, "local", "", "the connection's address at this end, ADDRESS:PORT")
	f.StringVar(&t.remote, "remote", "", "the connection's address at the other end")
	f.StringVar(&t.namespace, "netns", "", "look for it in this network namespace: a path, such as /run/netns/blue")
	f.BoolVar(&t.kill, "kill", false, "kill the process once the connection is taken; otherwise it finds it aborted")
	f.BoolVar(&t.drop, "drop", false, "drop what the peer sends meanwhile, rather than hold it")
	f.BoolVar(&t.noKeeper, "no-keeper", false, "start no second process that sees to the connection if this one is killed")
	f.BoolVar(&t.debug, "debug", false, "tell each step")
	f.StringToStringVar(&t.meta, "meta", nil, "NAME=VALUE that goes with the connection (repeatable)")
}

// check wants one connection named in one way.
func (t *taking) check() error {
	byAddress := t.local != "" || t.remote != ""
	switch {
	case byAddress && (t.pid != 0 || t.fd >= 0), !byAddress && (t.pid <= 0 || t.fd < 0):
		return usagef("say which connection: --pid N --fd M, or --local A --remote B")
	case byAddress && (t.local == "" || t.remote == ""):
		return usagef("--local and --remote go together")
	}
	for _, end := range []string{t.local, t.remote} {
		if _, err := netip.ParseAddrPort(end); byAddress && err != nil {
			return usagef("%q: ADDRESS:PORT expected", end)
		}
	}
	return nil
}

// steal finds the connection and takes its descriptor.
func (t *taking) steal(m *sock.Mover) (*sock.Stolen, error) {
	pid, fd := t.pid, t.fd
	if t.local != "" {
		var err error
		if pid, fd, err = findOwner(t.namespace, netip.MustParseAddrPort(t.local), netip.MustParseAddrPort(t.remote)); err != nil {
			return nil, err
		}
	}
	s, err := m.Steal(pid, fd)
	if err != nil {
		return nil, sockFailure(err)
	}
	return s, nil
}

// after lets the process go on without its connection, or ends it.
func (t *taking) after(s *sock.Stolen) error {
	s.Closed()
	if t.kill {
		if err := s.Kill(); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// say tells what was done, to a person.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}
