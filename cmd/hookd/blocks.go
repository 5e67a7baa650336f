package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/stacks/flow"
)

// How many blocks are listed where nobody says, and at most.
const (
	defaultBlocks  = 100
	maxBlocksShown = 10_000
)

// blockRequest is what is blocked, or taken back, by hand.
type blockRequest struct {
	Prefix string        `json:"prefix"`
	Reason string        `json:"reason,omitempty"`
	TTL    time.Duration `json:"ttl,omitempty"` // nanoseconds; 0: until it is taken back
}

func newBlocks() *cobra.Command {
	var a asking
	limit := defaultBlocks
	cmd := &cobra.Command{
		Use:   "blocks",
		Short: "Show what a running daemon blocks; add to it, take from it",
		Long: `Blocks lists the addresses and networks that flow.block has blocked, the oldest
first, with the time of events that is left and the packets that they stopped.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l flow.BlockList
			if err := a.look(cmd, http.MethodGet, fmt.Sprintf("/blocks?limit=%d", limit), nil, &l); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &l)
			}
			if err := writeBlocks(cmd.OutOrStdout(), &l, terminalWidth()); err != nil {
				return fail(exitIO, err)
			}
			if l.Total > len(l.Blocks) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d shown; --limit shows more\n", len(l.Blocks), l.Total)
			}
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, "list at most so many")
	cmd.AddCommand(newBlockAdd(), newBlockRemove())
	return cmd
}

func newBlockAdd() *cobra.Command {
	var a asking
	var b blockRequest
	cmd := &cobra.Command{
		Use:   "add PREFIX",
		Short: "Block an address or network, as flow.block does",
		Example: `  hookd blocks add 203.0.113.7 --ttl 1h --reason "scans us"
  hookd blocks add 2001:db8::/48`,
		Args: exactlyOne("an address or prefix"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.TTL < 0 {
				return usagef("--ttl %s: more than 0", b.TTL)
			}
			return changeBlock(cmd, &a, "add", args[0], &b, "is blocked")
		},
	}
	a.flags(cmd)
	cmd.Flags().DurationVar(&b.TTL, "ttl", 0, "for how long, in time of events; without it until it is removed")
	cmd.Flags().StringVar(&b.Reason, "reason", "", "why, for records and people")
	return cmd
}

func newBlockRemove() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "remove PREFIX",
		Short: "Take a block back, exactly as it was blocked",
		Args:  exactlyOne("an address or prefix"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeBlock(cmd, &a, "remove", args[0], &blockRequest{}, "is not blocked any more")
		},
	}
	a.flags(cmd)
	return cmd
}

// changeBlock has the daemon change its table of blocks.
func changeBlock(cmd *cobra.Command, a *asking, word, prefix string, b *blockRequest, done string) error {
	p, err := flow.ParsePrefix(prefix)
	if err != nil {
		return usagef("blocks %s: %w", word, err)
	}
	b.Prefix = p.String()
	var answer blockRequest
	if err := a.look(cmd, http.MethodPost, "/blocks/"+word, b, &answer); err != nil {
		return err
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), &answer)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", prefix, done)
	return wrote(err)
}

func writeBlocks(w io.Writer, l *flow.BlockList, width int) error {
	t := table{columns: []column{
		{title: "prefix", cut: true},
		{title: "age", right: true},
		{title: "left", right: true},
		{title: "pkts", right: true},
		{title: "by", cut: true},
		{title: "reason", cut: true, first: true},
	}}
	for i := range l.Blocks {
		b := &l.Blocks[i]
		left, by := "-", "hand"
		if b.TTL != nil {
			left = span(*b.TTL)
		}
		if b.Script != "" {
			by = b.Script + ": " + b.Rule
		}
		if b.Observe {
			by += " (observed)"
		}
		t.add(b.Prefix, span(b.Age), left, short(b.Pkts), shown(by), shown(b.Reason))
	}
	return t.write(w, width)
}
