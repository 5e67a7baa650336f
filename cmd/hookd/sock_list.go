package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/flow/filter"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/survey"
)

func newSockList() *cobra.Command {
	var namespace string
	var asJSON, listening bool
	cmd := &cobra.Command{
		Use:   "ls [FILTER]",
		Short: "List TCP sockets with their queues and owners",
		Long: `Ls lists the TCP connections of this network namespace. FILTER is a pcap-filter
expression on a connection's addresses; src is this end, dst the peer. Owners are those
that this user may see.`,
		Example: `  hookd sock ls
  hookd sock ls 'src port 5060 and dst net 10.0.0.0/8' --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			keep, err := socketFilter(strings.Join(args, " "), listening)
			if err != nil {
				return usagef("%s", err)
			}
			list, err := survey.List(namespace, true, keep)
			if err != nil {
				return sockFailure(err)
			}
			slices.SortFunc(list, func(a, b survey.Socket) int {
				return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote), cmp.Compare(a.Inode, b.Inode))
			})
			if asJSON {
				return printSocketsJSON(cmd, list)
			}
			return wrote(socketTable(list).write(cmd.OutOrStdout(), terminalWidth()))
		},
	}
	cmd.Flags().StringVar(&namespace, "netns", "", "in this network namespace: a path, such as /run/netns/blue")
	cmd.Flags().BoolVar(&listening, "listening", false, "list listening sockets instead")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON lines")
	return cmd
}

// socketFilter says which sockets are listed.
func socketFilter(expr string, listening bool) (func(*survey.Socket) bool, error) {
	match := func(*survey.Socket) bool { return true }
	if expr != "" {
		parsed, err := filter.Parse(expr)
		if err != nil {
			return nil, err
		}
		scope, err := parsed.Scope()
		if err != nil {
			return nil, err
		}
		match = func(s *survey.Socket) bool {
			l, r := s.Local.Addr().Unmap(), s.Remote.Addr().Unmap()
			return scope.Match(&filter.Key{
				Proto: 6, IPv6: l.Is6(), SrcIP: l, DstIP: r, SrcPort: s.Local.Port(), DstPort: s.Remote.Port(),
			})
		}
	}
	return func(s *survey.Socket) bool {
		return (sock.State(s.State) == sock.Listen) == listening && match(s)
	}, nil
}

func socketTable(list []survey.Socket) *table {
	t := &table{columns: []column{
		{title: "state"},
		{title: "local", cut: true},
		{title: "remote", cut: true},
		{title: "recv", right: true},
		{title: "send", right: true},
		{title: "owner", cut: true, first: true},
	}}
	for i := range list {
		s := &list[i]
		var owners []string
		for _, o := range s.Owners {
			owners = append(owners, fmt.Sprintf("%s pid=%d fd=%d", o.Name, o.PID, o.FD))
		}
		t.add(sock.State(s.State).String(), s.Local.String(), s.Remote.String(), short(uint64(s.Recv)), short(uint64(s.Send)),
			shown(strings.Join(owners, ", ")))
	}
	return t
}

// socketRecord is a socket as a JSON line.
type socketRecord struct {
	V      int            `json:"v"`
	State  string         `json:"state"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Recv   uint32         `json:"recv"`
	Send   uint32         `json:"send"`
	UID    uint32         `json:"uid"`
	Inode  uint64         `json:"inode"`
	Owners []ownerRecord  `json:"owners,omitempty"`
}

type ownerRecord struct {
	PID  int    `json:"pid"`
	FD   int    `json:"fd"`
	Name string `json:"name"`
}

func printSocketsJSON(cmd *cobra.Command, list []survey.Socket) error {
	for i := range list {
		s := &list[i]
		r := socketRecord{1, sock.State(s.State).String(), s.Local, s.Remote, s.Recv, s.Send, s.UID, s.Inode, nil}
		for _, o := range s.Owners {
			r.Owners = append(r.Owners, ownerRecord(o))
		}
		line, err := json.Marshal(r)
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
		}
		if err != nil {
			return fail(exitIO, err)
		}
	}
	return nil
}

// findOwner finds the process that holds a connection.
func findOwner(namespace string, local, remote netip.AddrPort) (pid, fd int, err error) {
	s, err := survey.Find(namespace, local, remote, true)
	if err != nil {
		return 0, 0, sockFailure(err)
	}
	if len(s.Owners) == 0 {
		return 0, 0, sockFailure(fmt.Errorf("%v-%v: no process that this user may see holds it", local, remote))
	}
	return s.Owners[0].PID, s.Owners[0].FD, nil
}
