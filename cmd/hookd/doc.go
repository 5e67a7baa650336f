package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/engine/shadow"
	"github.com/hookd/hookd/runtime/lua"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqtt"
	"github.com/hookd/hookd/stacks/loop/nameserver"
	"github.com/hookd/hookd/stacks/loop/web"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/services"
	"github.com/hookd/hookd/stacks/sip/sniff"
	"github.com/hookd/hookd/stacks/sock/scripted"
)

func newDoc() *cobra.Command {
	return &cobra.Command{
		Use:   "doc NAME",
		Short: "Explain a hook point, object, field, method, function, verdict, the tests of match, or the limits",
		Example: `  hookd doc flow.rexmit
  hookd doc flow.conn
  hookd doc flow.conn.tag
  hookd doc alert
  hookd doc json.encode
  hookd doc is
  hookd doc limits`,
		Args:              exactlyOne("a name"),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return doc(cmd.OutOrStdout(), args[0])
		},
	}
}

func doc(w io.Writer, name string) error {
	name = strings.ReplaceAll(name, ":", ".") // c:tag
	switch name {
	case "limits":
		return docLimits(w)
	case "is":
		return docTests(w)
	case "settings":
		return docSettings(w)
	}
	cat := catalogue.New(catalogue.All()...)
	if info, _, err := cat.Find(name); err == nil {
		return describeEvent(w, cat, info)
	}
	if o := cat.Object(name); o != nil {
		return describeObject(w, o)
	}
	if f := cat.Function(name); f != nil {
		return describeFunction(w, f)
	}
	if done, err := docMember(w, cat, name); done {
		return err
	}
	if done, err := docTable(w, cat, name); done {
		return err
	}
	if done, err := docWord(w, name); done {
		return err
	}
	return docElsewhere(w, cat, name)
}

// declaringWords are what scripts have beside the catalogue and Lua's library.
var declaringWords = []string{"script", "rule", "event", "timer", "store", "state", "is", "this", "raise", "require", "data", "settings"}

// docMember explains family.verdict, family.object.field and
// family.object.method.
func docMember(w io.Writer, cat *catalogue.Catalogue, name string) (bool, error) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return false, nil
	}
	owner, member := name[:i], name[i+1:]
	if f := cat.Family(owner); f != nil {
		for k := range f.Verdicts {
			if f.Verdicts[k].Name == member {
				return true, describeVerdict(w, f, &f.Verdicts[k])
			}
		}
	}
	o := cat.Object(owner)
	if o == nil {
		return false, nil
	}
	if f := o.Field(member); f != nil {
		fmt.Fprintf(w, "%s\n\n", name)
		writeFields(w, []event.Field{*f})
		return true, nil
	}
	if m := o.Method(member); m != nil {
		return true, describeFunction(w, &event.Function{
			Name: owner + ":" + member, Doc: m.Doc, Args: m.Args, Results: m.Results, Example: m.Example,
			Effects: m.Effects, Waits: m.Waits,
		})
	}
	return false, nil
}

// docNames lists everything that doc explains.
func docNames(cat *catalogue.Catalogue) []string {
	names := append([]string{"limits"}, declaringWords...)
	for _, f := range cat.Families() {
		for _, e := range f.Events {
			names = append(names, e.Name)
		}
		for _, o := range f.Objects {
			names = append(names, o.Name)
			for i := range o.Methods {
				names = append(names, o.Name+"."+o.Methods[i].Name)
			}
			for i := range o.Fields {
				names = append(names, o.Name+"."+o.Fields[i].Name)
			}
		}
		for _, fn := range f.Functions {
			names = append(names, fn.Name)
			if table, _, dotted := strings.Cut(fn.Name, "."); dotted && !slices.Contains(names, table) {
				names = append(names, table)
			}
		}
		for _, v := range f.Values {
			names = append(names, v.Name)
		}
		for _, v := range f.Verdicts {
			names = append(names, f.Name+"."+v.Name)
		}
	}
	return names
}

// docTests lists the words that match tables are written with.
func docTests(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, word := range match.Words() {
		fmt.Fprintf(tw, "is.%s\t%s\t%s\n", word.Name, word.Example, word.Doc)
	}
	return tw.Flush()
}

// docLimits lists the limits and their defaults.
func docLimits(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range append(engine.DocLimits(), lua.DocLimits()...) {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", l.Name, l.Default, l.Doc)
	}
	for _, l := range shadow.DocLimits() {
		fmt.Fprintf(tw, "shadow %s\t%s\t%s\n", l.Name, l.Default, l.Doc)
	}
	for _, l := range (flow.Config{}).Settings() {
		if l.Limit {
			fmt.Fprintf(tw, "flow %s\t%s\t%s\n", l.Name, l.Value, l.Doc)
		}
	}
	for _, l := range sipSettings() {
		if l.Limit {
			fmt.Fprintf(tw, "sip %s\t%s\t%s\n", l.Name, l.Value, l.Doc)
		}
	}
	for _, l := range flow.FixedLimits() {
		fmt.Fprintf(tw, "flow %s\t%s\t%s (fixed)\n", l.Name, l.Value, l.Doc)
	}
	for _, l := range capture.FixedLimits() {
		fmt.Fprintf(tw, "capture %s\t%s\t%s (fixed)\n", l.Name, l.Value, l.Doc)
	}
	for _, l := range slices.Concat(netio.DocLimits(), dns.DocLimits(), loop.DocLimits(), mqtt.DocLimits(), nameserver.DocLimits()) {
		fmt.Fprintf(tw, "netio %s\t%s\t%s\n", l.Name, l.Default, l.Doc)
	}
	for _, l := range (scripted.Config{}).Settings() {
		if l.Limit {
			fmt.Fprintf(tw, "sock %s\t%s\t%s\n", l.Name, l.Value, l.Doc)
		}
	}
	for _, l := range scripted.DocLimits() {
		fmt.Fprintf(tw, "sock %s\t%s\t%s\n", l.Name, l.Default, l.Doc)
	}
	for _, l := range web.DocLimits() {
		fmt.Fprintf(tw, "loop %s\t%s\t%s\n", l.Name, l.Default, l.Doc)
	}
	return tw.Flush()
}

// docSettings explains settings { … } and lists those of the flow stack.
func docSettings(w io.Writer) error {
	if _, err := docWord(w, "settings"); err != nil {
		return err
	}
	for _, stack := range []struct {
		title string
		list  []setting.Doc
	}{
		{"the flow stack, in settings { flow = { NAME = VALUE } } or as --flow NAME=VALUE", flow.Config{}.Settings()},
		{"the event loop, in settings { loop = { NAME = VALUE } }", loop.Tuning{}.Settings()},
		{"the SIP stack, in settings { sip = { NAME = VALUE } }", sipSettings()},
		{"moving connections, in settings { sock = { NAME = VALUE } }", scripted.Config{}.Settings()},
	} {
		fmt.Fprintf(w, "\nSettings of %s:\n", stack.title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range stack.list {
			fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Name, f.Value, f.Doc)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// sipSettings lists what can be set about SIP.
func sipSettings() []setting.Doc {
	return slices.Concat(sip.Config{}.Settings(), services.Config{}.Settings(), sniff.DefaultConfig().Settings())
}
