package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/sip/ladder"
	"github.com/hookd/hookd/stacks/sip/sniff"
)

func newSIP() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sip",
		Short: "Look at SIP: calls of a capture or a daemon, messages",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSIPLadder(), newSIPParse())
	return cmd
}

// ladderOptions are the flags of sip ladder.
type ladderOptions struct {
	asking
	callID string
	ports  string
	flow   []string
	filter string
	ascii  bool
	width  int
}

func newSIPLadder() *cobra.Command {
	var o ladderOptions
	cmd := &cobra.Command{
		Use:   "ladder [CAPTURE...]",
		Short: "Draw the messages of calls",
		Long: `Ladder draws the messages of each call of captures: a column for each address, by
first appearance, and an arrow for each message, with the time since the first. "again"
marks what went the same way before, "sdp" a session description, "!" what is wrong with
the message. Without captures it asks a running daemon, which keeps the latest messages,
for the calls of --call-id.

SIP is looked for in UDP, TCP and WebSockets, on port 5060 and, by what it looks like,
on others.`,
		Example: `  hookd sip ladder calls.pcap
  hookd sip ladder calls.pcap --call-id '*@192.0.2.1' --json
  hookd sip ladder --call-id 1-670@127.0.0.1`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.callID, "call-id", "", "only calls with this Call-ID: a glob")
	f.StringVar(&o.ports, "ports", "", "ports where what passes is taken for SIP, as in '5060 5080'")
	f.StringArrayVar(&o.flow, "flow", nil, flowUsage)
	f.StringVar(&o.filter, "filter", "", "only packets that this pcap-filter expression selects")
	f.BoolVar(&o.ascii, "ascii", false, "draw with plain characters; so it is where the locale is not UTF-8")
	f.IntVar(&o.width, "width", 0, "draw for so many columns; by default those of the terminal")
	o.asking.flags(cmd)
	return cmd
}

func (o *ladderOptions) run(cmd *cobra.Command, captures []string) error {
	if o.callID != "" {
		if _, err := path.Match(o.callID, ""); err != nil {
			return usagef("--call-id %s: %w", o.callID, err)
		}
	}
	var calls []*ladder.Call
	var err error
	if len(captures) == 0 {
		calls, err = o.kept(cmd)
	} else {
		calls, err = o.read(cmd, captures)
	}
	if err != nil {
		return err
	}
	if len(calls) == 0 {
		if o.callID == "" {
			return fail(exitFinding, errors.New("there is no SIP in it: no message of a call was found"))
		}
		return fail(exitFinding, fmt.Errorf("there is no call %s", o.callID))
	}
	return o.write(cmd.OutOrStdout(), calls)
}

// wanted reports whether a call is asked for.
func (o *ladderOptions) wanted(id string) bool {
	ok, _ := path.Match(o.callID, id)
	return o.callID == "" || o.callID == id || ok
}

// kept asks the daemon for the messages that it kept.
func (o *ladderOptions) kept(cmd *cobra.Command) ([]*ladder.Call, error) {
	if o.callID == "" {
		return nil, usagef("give captures, or the call of a running daemon with --call-id")
	}
	var calls []*ladder.Call
	err := o.look(cmd, http.MethodGet, "/sip/calls?"+url.Values{"id": {o.callID}}.Encode(), nil, &calls)
	return calls, err
}

// read collects the calls of captures.
func (o *ladderOptions) read(cmd *cobra.Command, captures []string) ([]*ladder.Call, error) {
	keep, err := newPacketFilter(o.filter)
	if err != nil {
		return nil, err
	}
	set, err := readSettings(cmd.ErrOrStderr(), nil, &houseOptions{flow: o.flow})
	if err != nil {
		return nil, err
	}
	if o.ports != "" {
		if err := set.sniff.Set("observe_ports", o.ports); err != nil {
			return nil, usagef("--ports: %w", err)
		}
	}
	src, err := openMerged(cmd.Context(), captures, cmd.InOrStdin())
	if err != nil {
		return nil, fail(exitIO, err)
	}
	defer src.Close()
	src.filter = keep
	book := ladder.NewBook(o.wanted)
	if err := readCalls(patient{src}, set.flow, set.sniff, book); err != nil {
		return nil, fail(exitIO, err)
	}
	if book.Skipped > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d messages of calls beyond the first %d are left out\n", book.Skipped, ladder.MaxCalls)
	}
	return book.Calls, nil
}

// readCalls runs packets through the flow stack and notes what SIP is in them.
func readCalls(src frameSource, cfg flow.Config, look sniff.Config, book *ladder.Book) error {
	shards := event.NewShards(1, event.Together, 0)
	sh := shards.At(0)
	cfg.Reader = sniff.New(look, func(*event.Shard) bool { return true }, func(_ *event.Shard, m *sniff.Message) {
		book.Add(m.TS, m.From, m.To, m.Proto, m.Raw)
	})
	stack := flow.New(sh, cfg)
	var f capture.Frame
	for {
		err := src.Next(&f)
		sh.Enter()
		if err != nil {
			stack.Close()
			sh.Leave()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		stack.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
		sh.Leave()
	}
}

// write draws calls, or writes their messages as JSON lines.
func (o *ladderOptions) write(w io.Writer, calls []*ladder.Call) error {
	style := ladder.Style{Width: o.width, ASCII: o.ascii || !utf8Locale()}
	if style.Width == 0 && isTerminal(w) {
		style.Width = terminalWidth()
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i, c := range calls {
		if o.json {
			for j := range c.Steps {
				if err := enc.Encode(&c.Steps[j]); err != nil {
					return fail(exitIO, err)
				}
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := c.Draw(w, style); err != nil {
			return fail(exitIO, err)
		}
	}
	return nil
}

// utf8Locale reports whether the environment says that characters are UTF-8.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}
