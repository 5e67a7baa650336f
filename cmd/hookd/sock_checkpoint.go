package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/sock"
)

func newSockCheckpoint() *cobra.Command {
	var t taking
	var leave, durable bool
	var lease time.Duration
	cmd := &cobra.Command{
		Use:   "checkpoint IMAGE (--pid N --fd M | --local A --remote B)",
		Short: "Take a connection out of a running program into a file",
		Long: `Checkpoint stops the program for a moment, blocks the connection's packets, writes
the connection to IMAGE, which must not exist, and ends it without a word to the
peer. The program goes on and finds its connection aborted.

The peer's packets stay blocked for the lease, so that a restore can follow: afterwards
the kernel answers them with RST. If anything fails, the connection goes on where it
is; also if this command is killed.`,
		Example: `  hookd sock checkpoint c.img --pid 4711 --fd 9
  hookd sock checkpoint c.img --local 10.0.0.1:80 --remote 10.0.0.9:40000 --lease 60s`,
		Args: exactlyOne("an image file"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if leave && t.kill {
				return usagef("--leave and --kill contradict each other")
			}
			if err := t.check(); err != nil {
				return err
			}
			m, end, err := newMover(cmd, t.debug, !t.noKeeper)
			if err != nil {
				return sockFailure(err)
			}
			defer func() { err = errors.Join(err, sockFailure(end())) }()
			m.Lease = lease
			s, err := t.steal(m)
			if err != nil {
				return err
			}
			taken, err := m.Checkpoint(s.FD, sock.CheckpointOptions{
				File: args[0], Durable: durable, Leave: leave, Drop: t.drop, Meta: t.meta,
			})
			if err != nil {
				return errors.Join(sockFailure(err), s.Close())
			}
			if leave {
				err = s.Close()
			} else {
				err = t.after(s)
			}
			img := taken.Image
			say(cmd, "%s: %v-%v %v, %d bytes to read, %d to send, %v", args[0], img.Local, img.Remote, sock.State(img.State),
				len(img.Recv), len(img.Send), taken.Blackout.Round(time.Microsecond))
			return sockFailure(err)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&leave, "leave", false, "let the connection go on: the image is a copy")
	cmd.Flags().BoolVar(&durable, "durable", false, "wait until the image would survive a loss of power")
	cmd.Flags().DurationVar(&lease, "lease", sock.DefaultLease, "how long packets stay blocked")
	return cmd
}
