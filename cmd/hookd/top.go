package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/inspect"
)

func newTop() *cobra.Command {
	var a asking
	p := &topPrinter{limit: 20}
	interval := time.Second
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show which of a running daemon's rules take most time, match, and fail",
		Long: `Top shows rules by the share of a processor that their functions take, then by
how much they match: on a terminal in place until SIGINT, elsewhere one table
after the other. The daemon measures one call of a handler in 64; what is decided
natively takes no time here.`,
		Args: none(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.out, p.json = cmd.OutOrStdout(), a.json
			p.inPlace = !p.once && !a.json && isTerminal(p.out)
			if p.limit < 1 {
				return usagef("--limit %d: 1 or more", p.limit)
			}
			return a.stream(cmd, "/top?"+url.Values{"interval": {interval.String()}}.Encode(), 0, p)
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&p.once, "once", false, "one table, of one interval")
	f.DurationVar(&interval, "interval", interval, "how often it is refreshed")
	f.IntVar(&p.limit, "limit", p.limit, "show at most so many rules")
	return cmd
}

// topPrinter prints tables of rules.
type topPrinter struct {
	out     io.Writer
	once    bool
	json    bool
	inPlace bool
	limit   int
	tables  int
	err     error
}

// result implements [linePrinter].
func (p *topPrinter) result() error { return p.err }

// line implements [linePrinter].
func (p *topPrinter) line(line []byte) bool {
	var a inspect.TopAnswer
	err := json.Unmarshal(line, &a)
	switch {
	case err != nil:
		err = fmt.Errorf("read the daemon's answer: %w", err)
	case a.V == 0:
		return true // some answers were dropped, which does not matter
	case p.json:
		_, err = fmt.Fprintf(p.out, "%s\n", line)
	default:
		err = p.table(&a)
	}
	p.err = wrote(err)
	return err == nil && !p.once
}

// table prints one answer, on a terminal over the one before.
func (p *topPrinter) table(a *inspect.TopAnswer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  generation %d  %s events/s  rules %s of a processor\n", a.Time.Format("15:04:05"), a.Generation, shortFloat(a.Events), percent(a.CPU))
	if err := writeTop(&b, a, p.limit, terminalWidth()); err != nil {
		return err
	}
	text := b.Bytes()
	switch {
	case p.inPlace:
		// Home; each line to its end; what is left of the table before.
		text = append([]byte("\x1b[H"), bytes.ReplaceAll(text, []byte("\n"), []byte("\x1b[K\n"))...)
		text = append(text, "\x1b[J"...)
		if p.tables == 0 {
			text = append([]byte("\x1b[2J"), text...)
		}
	case p.tables > 0:
		text = append([]byte("\n"), text...)
	}
	p.tables++
	_, err := p.out.Write(text)
	return err
}

func writeTop(w io.Writer, a *inspect.TopAnswer, limit, width int) error {
	t := table{columns: []column{
		{title: "rule", cut: true},
		{title: "cpu", right: true},
		{title: "a call", right: true},
		{title: "seen/s", right: true},
		{title: "matched/s", right: true},
		{title: "errors/s", right: true},
		{title: "state", cut: true},
	}}
	for i := range a.Rules[:min(len(a.Rules), limit)] {
		r := &a.Rules[i]
		call := "-"
		if r.Mean > 0 {
			call = callTime(r.Mean)
		}
		t.add(shown(r.Script+": "+r.Name), percent(r.CPU), call, shortFloat(r.SeenRate), shortFloat(r.MatchedRate), shortFloat(r.ErrorRate), r.Rule.State())
	}
	return t.write(w, width)
}

func percent(f float64) string { return strconv.FormatFloat(100*f, 'f', 1, 64) + "%" }

// callTime writes how long a call takes.
func callTime(seconds float64) string {
	if us := seconds * 1e6; us < 1000 {
		return strconv.FormatFloat(us, 'f', 1, 64) + "µs"
	}
	return strconv.FormatFloat(seconds*1e3, 'f', 1, 64) + "ms"
}
