package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/event/catalogue"
)

// completeNames completes what doc explains.
func completeNames(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cat := catalogue.New(catalogue.All()...)
	return beginning(typed, docNames(cat)), cobra.ShellCompDirectiveNoFileComp
}

// completePoints completes hook points: flow.rexmit, flow.rexmit.rcv.
func completePoints(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, f := range catalogue.New(catalogue.All()...).Families() {
		for _, e := range f.Events {
			names = append(names, e.Name)
			for i := range e.Points {
				names = append(names, e.Points[i].Name)
			}
		}
	}
	return beginning(typed, names), cobra.ShellCompDirectiveNoFileComp
}

// beginning returns those of names that begin with typed, in order.
func beginning(typed string, names []string) []string {
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, typed) })
	slices.Sort(names)
	return slices.Compact(names)
}
