package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/flow"
)

// defaultConns is how many connections are listed where nobody says.
const defaultConns = 100

func newConns() *cobra.Command {
	var a asking
	limit, loops := defaultConns, false
	cmd := &cobra.Command{
		Use:   "conns [FILTER]",
		Short: "Show a running daemon's connections and flows",
		Long: `Conns lists open connections and flows, the latest first. FILTER is a pcap-filter
expression on the connection's key: protocol, host, net, port, portrange, vlan.
Bytes are payload: what the client sent / what the server sent.
With --loop it lists those of the event loop, and FILTER is NAME=VALUE, which all
have to hold: fields of loop.conn, such as listener=api, kind=udp, client.ip=10.0.0.1.`,
		Example: `  hookd conns
  hookd conns 'tcp and dst port 5060' --limit 20
  hookd conns 'net 10.0.0.0/8' --json
  hookd conns --loop listener=api`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > flow.MaxSurveyed {
				return usagef("--limit %d: from 1 to %d", limit, flow.MaxSurveyed)
			}
			if loops {
				return a.loopConns(cmd, args, limit)
			}
			q := url.Values{"filter": {strings.Join(args, " ")}, "limit": {strconv.Itoa(limit)}}
			var v flow.Survey
			if err := a.look(cmd, http.MethodGet, "/conns?"+q.Encode(), nil, &v); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &v)
			}
			if err := writeConns(cmd.OutOrStdout(), &v, terminalWidth()); err != nil {
				return fail(exitIO, err)
			}
			if v.Matched > len(v.Conns) || v.Partial {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d shown, %d open; --limit shows more\n", len(v.Conns), v.Matched, v.Open)
			}
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&loops, "loop", false, "connections of the event loop")
	cmd.Flags().IntVar(&limit, "limit", limit, "list at most so many")
	return cmd
}

func writeConns(w io.Writer, v *flow.Survey, width int) error {
	t := table{columns: []column{
		{title: "conn", right: true},
		{title: "proto"},
		{title: "client", cut: true},
		{title: "server", cut: true},
		{title: "state", cut: true},
		{title: "bytes", right: true},
		{title: "age", right: true},
		{title: "tags", cut: true, first: true},
	}}
	for i := range v.Conns {
		c := &v.Conns[i]
		state := c.Client.State
		if c.Server.State != state {
			state += "/" + c.Server.State
		}
		t.add(strconv.FormatUint(c.Conn, 10), c.Proto, shown(c.Client.Endpoint), shown(c.Server.Endpoint), state,
			short(c.Client.Bytes)+"/"+short(c.Server.Bytes), span(c.Age), shown(strings.Join(c.Tags, ",")))
	}
	return t.write(w, width)
}
