package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/inspect"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/loop"
)

// loopSurvey is what GET /loop/conns answers.
type loopSurvey struct {
	Conns   []loop.ConnView `json:"conns"`
	Matched int             `json:"matched"`
}

// surveyLoops lists connections of the event loop.
func (d *daemon) surveyLoops(r *http.Request) (any, error) {
	limit, err := inspect.Number(r, "limit", defaultConns, flow.MaxSurveyed)
	if err != nil {
		return nil, err
	}
	var fields []event.KV
	for _, word := range r.URL.Query()["where"] {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, control.Errorf(http.StatusBadRequest, "%s: NAME=VALUE expected, such as listener=api", word)
		}
		fields = append(fields, event.KV{Key: name, Value: wordValue(value)})
	}
	var v loopSurvey
	if v.Conns, v.Matched, err = d.loops.Survey(fields, limit); err != nil {
		return nil, control.Errorf(http.StatusBadRequest, "%s", err)
	}
	return &v, nil
}

// wordValue reads a value of the command line as the field of any type takes it.
func wordValue(text string) any {
	switch text {
	case "true", "false":
		return text == "true"
	}
	return flagValue(text)
}

// loopConns is conns --loop.
func (a *asking) loopConns(cmd *cobra.Command, words []string, limit int) error {
	q := url.Values{"where": words, "limit": {strconv.Itoa(limit)}}
	var v loopSurvey
	if err := a.look(cmd, http.MethodGet, "/loop/conns?"+q.Encode(), nil, &v); err != nil {
		return err
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), &v)
	}
	if err := v.write(cmd.OutOrStdout(), terminalWidth()); err != nil {
		return fail(exitIO, err)
	}
	if v.Matched > len(v.Conns) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d shown; --limit shows more\n", len(v.Conns), v.Matched)
	}
	return nil
}

func (v *loopSurvey) write(w io.Writer, width int) error {
	t := table{columns: []column{
		{title: "conn", right: true},
		{title: "kind"},
		{title: "listener", cut: true},
		{title: "client", cut: true},
		{title: "server", cut: true},
		{title: "state", cut: true},
		{title: "in/out", right: true},
		{title: "queued", right: true},
		{title: "age", right: true},
		{title: "tags", cut: true, first: true},
	}}
	for i := range v.Conns {
		c := &v.Conns[i]
		kind := c.Kind
		if c.TLS {
			kind = "tls"
		}
		if c.Protocol != "" {
			kind += "/" + c.Protocol
		}
		t.add(strconv.FormatUint(c.Conn, 10), kind, shown(c.Listener), shown(c.Client), shown(c.Server), c.State,
			short(c.In)+"/"+short(c.Out), short(c.Queued), span(c.Age.Seconds()), shown(strings.Join(c.Tags, ",")))
	}
	return t.write(w, width)
}
