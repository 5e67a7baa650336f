package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/inspect"
)

func newStore() *cobra.Command {
	var a asking
	limit := 100
	cmd := &cobra.Command{
		Use:   "store [NAME]",
		Short: "Show a running daemon's stores, or what one holds",
		Long: `Store lists the stores that scripts declare; with NAME the entries of one, the
oldest first, with the time of events after which they expire.`,
		Example: `  hookd store
  hookd store blocked --limit 20`,
		Args: atMostOne("a store"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return showStores(cmd, &a)
			}
			var s inspect.StoreAnswer
			if err := a.look(cmd, http.MethodGet, fmt.Sprintf("/stores/%s?limit=%d", url.PathEscape(args[0]), limit), nil, &s); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &s)
			}
			if err := writeStore(cmd.OutOrStdout(), &s, terminalWidth()); err != nil {
				return fail(exitIO, err)
			}
			if s.More {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d shown; --limit shows more\n", len(s.Items), s.Store.Entries)
			}
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, "list at most so many entries")
	return cmd
}

func showStores(cmd *cobra.Command, a *asking) error {
	var all inspect.StoresAnswer
	if err := a.look(cmd, http.MethodGet, "/stores", nil, &all); err != nil {
		return err
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), &all)
	}
	return wrote(writeStores(cmd.OutOrStdout(), &all, terminalWidth()))
}

func writeStores(w io.Writer, all *inspect.StoresAnswer, width int) error {
	t := table{columns: []column{
		{title: "store", cut: true},
		{title: "kind"},
		{title: "key"},
		{title: "entries", right: true},
		{title: "max", right: true},
		{title: "ttl", right: true},
		{title: "refused", right: true},
		{title: "scripts", cut: true, first: true},
	}}
	for i := range all.Stores {
		s := &all.Stores[i]
		ttl := "-"
		if s.TTL > 0 {
			ttl = span(s.TTL)
		}
		t.add(shown(s.Name), s.Kind, s.Key, short(uint64(s.Entries)), short(uint64(s.Max)), ttl, short(s.Refused), shown(strings.Join(s.Scripts, ",")))
	}
	return t.write(w, width)
}

func writeStore(w io.Writer, s *inspect.StoreAnswer, width int) error {
	t := table{columns: []column{{title: "key", cut: true}, {title: "ttl", right: true}, {title: "value", cut: true, first: true}}}
	for i := range s.Items {
		it := &s.Items[i]
		ttl := "-"
		if it.TTL != nil {
			ttl = span(*it.TTL)
		}
		t.add(shown(it.Key), ttl, shown(string(it.Value)))
	}
	return t.write(w, width)
}
