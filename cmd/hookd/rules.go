package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/inspect"
)

func newRules() *cobra.Command {
	var a asking
	var plan bool
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Show a running daemon's rules with their counters; switch them off and on",
		Long: `Rules lists the live rules with what they saw, matched and decided since the
daemon started. --plan shows the order in which they run instead.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if plan {
				return showPlan(cmd, &a)
			}
			var answer inspect.RulesAnswer
			if err := a.look(cmd, http.MethodGet, "/rules", nil, &answer); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &answer)
			}
			return wrote(writeRuleTable(cmd.OutOrStdout(), &answer, terminalWidth()))
		},
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&plan, "plan", false, "show the order in which rules run at each hook point")
	cmd.AddCommand(
		newSwitch("disable", "Switch a rule off, until its script changes or it is enabled"),
		newSwitch("enable", "Switch a rule on that was disabled"),
	)
	return cmd
}

func showPlan(cmd *cobra.Command, a *asking) error {
	var answer inspect.PlanAnswer
	if err := a.look(cmd, http.MethodGet, "/rules/plan", nil, &answer); err != nil {
		return err
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), &answer)
	}
	for _, line := range answer.Plan {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), shown(line)); err != nil {
			return fail(exitIO, err)
		}
	}
	return nil
}

// newSwitch makes `rules disable` or `rules enable`.
func newSwitch(word, what string) *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   word + " NAME",
		Short: what,
		Long: what + `. Where several scripts have a rule
of that name, NAME is "script: name". The switch is logged, and shown by
'hookd rules'; no file changes.`,
		Example: "  hookd rules " + word + ` premium-number
  hookd rules ` + word + ` "scripts/fraud.lua: premium-number"`,
		Args: exactlyOne("a rule"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var answer inspect.Switched
			if err := a.look(cmd, http.MethodPost, "/rules/"+word, &inspect.Switch{Rule: args[0]}, &answer); err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), &answer)
			}
			r, already := &answer.Rule, ""
			if !answer.Changed {
				already = "already "
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s is %s%s\n", shown(r.Script), shown(r.Name), already, r.State())
			return wrote(err)
		},
	}
	a.flags(cmd)
	return cmd
}

func writeRuleTable(w io.Writer, answer *inspect.RulesAnswer, width int) error {
	t := table{columns: []column{
		{title: "rule", cut: true},
		{title: "seen", right: true},
		{title: "matched", right: true},
		{title: "decided", right: true},
		{title: "errors", right: true},
		{title: "state", cut: true},
	}}
	for i := range answer.Rules {
		r := &answer.Rules[i]
		t.add(shown(r.Script+": "+r.Name), short(r.Seen), short(r.Matched), short(r.Decided), short(r.Errors), r.State())
	}
	return t.write(w, width)
}
