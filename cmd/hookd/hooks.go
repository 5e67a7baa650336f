package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

func newHooks() *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "hooks [PATTERN]",
		Short: "List the hook points",
		Long: `Hooks lists the hook points that match PATTERN, a glob over stack.event.phase;
a pattern without a phase names default phases.`,
		Example: `  hookd hooks
  hookd hooks 'flow.*'
  hookd hooks 'flow.*.rcv' --format json`,
		Args:              atMostOne("a pattern"),
		ValidArgsFunction: completePoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return hooks(cmd.OutOrStdout(), args, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text, json, md or luals")
	return cmd
}

func hooks(w io.Writer, args []string, format string) error {
	cat := catalogue.New(catalogue.All()...)
	if format == "md" || format == "luals" {
		if len(args) > 0 {
			return usagef("--format %s writes the whole catalogue: it takes no pattern", format)
		}
		return writeGenerated(w, format)
	}
	points, err := selectPoints(cat, args)
	if err != nil {
		return err
	}
	switch format {
	case "text":
		return listPoints(w, cat, points)
	case "json":
		return jsonPoints(w, cat, points)
	}
	return usagef("--format %s: text, json, md or luals", format)
}

// selectPoints lists the hook points that args name; without args all of them,
// phases that are not the default too.
func selectPoints(cat *catalogue.Catalogue, args []string) ([]*event.PointInfo, error) {
	if len(args) > 0 {
		points, err := cat.Match(args[0])
		if err != nil {
			return nil, usagef("%w", err)
		}
		if len(points) == 0 {
			return nil, fail(exitFinding, fmt.Errorf("no hook point matches %s", args[0]))
		}
		return points, nil
	}
	var points []*event.PointInfo
	for _, p := range cat.Points {
		points = append(points, p)
	}
	return points, nil
}

func listPoints(w io.Writer, cat *catalogue.Catalogue, points []*event.PointInfo) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range points {
		info, _ := cat.Point(p.ID)
		name := p.Name
		if info.Default().ID == p.ID && p.Phase != "" {
			name += " (default)"
		}
		fmt.Fprintf(tw, "%s\t(%s)\t%s\t%s\n", name, strings.Join(info.Args, ", "), verdictWords(cat, info), firstSentence(info.Doc))
	}
	return tw.Flush()
}

// verdictWords lists what may be decided at an event.
func verdictWords(cat *catalogue.Catalogue, info *event.Info) string {
	if len(info.Verdicts) == 0 {
		return "-"
	}
	f := cat.Family(info.Family)
	words := make([]string, len(info.Verdicts))
	for i, k := range info.Verdicts {
		words[i] = f.Verdict(k).Name
	}
	return strings.Join(words, " ")
}

func firstSentence(doc string) string {
	if i := strings.Index(doc, ". "); i >= 0 {
		return doc[:i+1]
	}
	return doc
}
