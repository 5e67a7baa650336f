package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
)

// docTable explains a table of functions that is no family: json, log; and the
// values that stand in one.
func docTable(w io.Writer, cat *catalogue.Catalogue, name string) (bool, error) {
	var functions []*event.Function
	var values []*event.Value
	for _, f := range cat.Families() {
		if f.Name == name {
			return false, nil
		}
		for _, fn := range f.Functions {
			if strings.HasPrefix(fn.Name, name+".") {
				functions = append(functions, fn)
			}
		}
		for _, v := range f.Values {
			if v.Name == name {
				fmt.Fprintf(w, "%s\n\n%s\n", v.Name, v.Doc)
				return true, writeExample(w, v.Example)
			}
			if strings.HasPrefix(v.Name, name+".") {
				values = append(values, v)
			}
		}
	}
	if len(functions) == 0 {
		return false, nil
	}
	fmt.Fprintf(w, "%s\n\n", name)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, fn := range functions {
		fmt.Fprintf(tw, "  %s(%s)\t%s\n", fn.Name, paramWords(fn.Args), firstSentence(fn.Doc))
	}
	for _, v := range values {
		fmt.Fprintf(tw, "  %s\t%s\n", v.Name, firstSentence(v.Doc))
	}
	return true, tw.Flush()
}

// writeResults says what a call gives.
func writeResults(w io.Writer, results []event.Param, fails bool) {
	if len(results) == 0 && !fails {
		return
	}
	fmt.Fprintln(w, "\nReturns:")
	if len(results) == 0 {
		fmt.Fprintln(w, "  true")
	}
	for _, p := range results {
		word := typeWord(p.Type)
		if p.Optional {
			word += " or nil"
		}
		fmt.Fprintf(w, "  %s (%s): %s\n", p.Name+dots(p), word, p.Doc)
	}
	if fails {
		fmt.Fprintln(w, "  nil and a message where it fails")
	}
}

// dots stand behind what may come any number of times.
func dots(p event.Param) string {
	if p.Rest {
		return "..."
	}
	return ""
}
