package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/explain"
	"github.com/hookd/hookd/stacks/flow/capture"
)

type explainOptions struct {
	houseOptions
	scripts []string
	conns   []string
	filter  string
	format  string
	all     bool
}

func newExplain() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain CAPTURE... --conn ID -s PATH",
		Short: "Show which rule saw what of a connection, and decided what",
		Long: `Explain replays captures and tells the story of connections: when which rule ran,
what it decided and said, and how often each rule saw an event and which of its
filters said no. --conn takes the number that records have, a community id
("1:…"), an end (an address with or without a port, or a network), or both ends
with > between.

It finds a failure, exit code 1, if there is no such connection. SIGINT and
SIGTERM end it in order, with what was seen until then; the exit code is then 130.`,
		Example: `  hookd explain calls.pcap --conn 17 -s scripts
  hookd explain calls.pcap --conn 10.0.0.1:5060 -s scripts --all
  hookd explain web.pcap --conn '10.0.0.1:4000 > 192.0.2.9:80' -s scripts
  hookd explain web.pcap --conn 10.0.0.0/8 -s scripts --format json`,
		Args: captures,
		RunE: func(cmd *cobra.Command, args []string) error { return explainConns(cmd, args, &o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.scripts, "scripts", "s", nil, "script, or directory of scripts, to run (repeatable)")
	f.StringArrayVar(&o.conns, "conn", nil, "which connection: number, community id, address, endpoint, network, or END > END (repeatable)")
	f.StringVar(&o.filter, "filter", "", "only packets that this pcap-filter expression selects")
	f.StringVar(&o.format, "format", "text", "text or json")
	f.BoolVar(&o.all, "all", false, "also show each event, and each rule whose filters said no")
	f.IntVar(&o.shards, "shards", 0, "spread connections over so many shards; 1 by default")
	f.StringArrayVar(&o.flow, "flow", nil, flowUsage)
	f.StringArrayVar(&o.limit, "limit", nil, "NAME=VALUE: set a limit; 'hookd doc limits' lists them (repeatable)")
	return cmd
}

func explainConns(cmd *cobra.Command, paths []string, o *explainOptions) error {
	if len(o.scripts) == 0 {
		return usagef("there is nothing to explain without rules: give them with -s")
	}
	if o.format != "text" && o.format != "json" {
		return usagef("--format %s: text or json", o.format)
	}
	wanted, err := chooseConns(o.conns)
	if err != nil {
		return err
	}
	acc := explain.New(wanted, describeConn)
	acc.All = o.all
	l, err := newLane(cmd.ErrOrStderr(), &o.houseOptions, o.scripts, acc)
	if err != nil {
		return err
	}
	defer l.engine.Close()
	defer l.engine.Follow(acc.Step)()
	l.engine.Catalogue().Points(func(info *event.Info, p *event.PointInfo) bool {
		if info.Family == "flow" {
			l.engine.Tap(p.ID, acc.Event)
		}
		return true
	})
	stop := newInterrupt(cmd.Context())
	nothing := func() error { return nil } // stories are told at the end
	src, err := attend(paths, o.filter, stop, cmd.InOrStdin(), cmd.ErrOrStderr(), cmd.OutOrStdout(), nothing)
	if err != nil {
		return err
	}
	defer src.Close()
	over := stop.listen()
	readErr := feedLane(src, l)
	over()
	write := acc.WriteText
	if o.format == "json" {
		write = acc.WriteJSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return fail(exitIO, err)
	}
	switch {
	case readErr != nil:
		return src.failed(readErr)
	case len(acc.Stories()) == 0:
		return fail(exitFinding, fmt.Errorf("no connection is %s", strings.Join(o.conns, " or ")))
	}
	return nil
}

// feedLane runs every packet of src through l.
func feedLane(src storedFrames, l *lane) error {
	var f capture.Frame
	err := src.Next(&f)
	l.begin(src)
	l.engine.Start(f.TS)
	for ; err == nil; err = src.Next(&f) {
		l.frame(&f)
	}
	reason, err := endedBy(err)
	return cmp.Or(err, l.end(reason))
}

// describeConn is what an explanation says of a connection behind its number.
func describeConn(k event.Kept) string {
	c, ok := k.(flowev.Conn)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s  %s  %s", ends(k), c.Proto(), c.CID())
}

// chooseConns reads what --conn says.
func chooseConns(words []string) (func(event.Kept) bool, error) {
	if len(words) == 0 {
		return nil, usagef("which connection? Give --conn: 'hookd replay CAPTURE --print flow.conn_start' lists them")
	}
	var tests []func(c flowev.Conn) bool
	for _, w := range words {
		test, err := chooseConn(w)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(k event.Kept) bool {
		c, ok := k.(flowev.Conn)
		for _, test := range tests {
			if ok && test(c) {
				return true
			}
		}
		return false
	}, nil
}

func chooseConn(word string) (func(flowev.Conn) bool, error) {
	if id, err := strconv.ParseUint(word, 10, 64); err == nil {
		return func(c flowev.Conn) bool { return c.ID() == id }, nil
	}
	one, other, both := strings.Cut(word, ">")
	isOne, ok := chooseEnd(strings.TrimSpace(one))
	isOther := func(netip.AddrPort) bool { return true }
	if ok && both {
		isOther, ok = chooseEnd(strings.TrimSpace(other))
	}
	switch {
	case !ok && strings.HasPrefix(word, "1:"):
		return func(c flowev.Conn) bool { return c.CID() == word }, nil
	case !ok:
		return nil, usagef("--conn %s: a number, a community id (1:…), an address, an endpoint, a network, or two of those with > between expected", word)
	}
	return func(c flowev.Conn) bool {
		client, server := c.Client().Endpoint(), c.Server().Endpoint()
		return isOne(client) && isOther(server) || isOne(server) && isOther(client)
	}, nil
}

// chooseEnd reads an end of a connection: an endpoint, an address, or the network that it is in.
func chooseEnd(word string) (func(netip.AddrPort) bool, bool) {
	if want, err := netip.ParseAddrPort(word); err == nil {
		return func(end netip.AddrPort) bool { return end == want }, true
	}
	if want, err := netip.ParseAddr(word); err == nil {
		return func(end netip.AddrPort) bool { return end.Addr() == want }, true
	}
	if want, err := netip.ParsePrefix(word); err == nil {
		return func(end netip.AddrPort) bool { return want.Contains(end.Addr()) }, true
	}
	return nil, false
}
