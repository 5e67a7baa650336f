package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/stacks/sip/msg"
)

func newSIPParse() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "parse FILE...",
		Short: "Check SIP messages, one a file",
		Long: `Parse reads a SIP message from each file (- is standard input) and says what is wrong
in it, and where. An error is what a proxy refuses; a warning concerns the ends of a
call, who have to understand the field. Lines may end in LF alone, as editors write
them. The exit code is 1 where a message has errors.`,
		Example: `  hookd sip parse invite.txt
  hookd sip parse --json *.dat`,
		Args: atLeastOne("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			refused := 0
			for _, name := range args {
				raw, err := readMessage(name, cmd.InOrStdin())
				if err != nil {
					return fail(exitIO, err)
				}
				c := checkMessage(name, raw)
				if c.Errors > 0 {
					refused++
				}
				if err := c.write(cmd.OutOrStdout(), asJSON); err != nil {
					return fail(exitIO, err)
				}
			}
			if refused > 0 {
				return fail(exitFinding, fmt.Errorf("%d of %d messages have errors", refused, len(args)))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, a line a message")
	return cmd
}

// maxMessageFile bounds what is read of a file; a message of that size is refused anyway.
const maxMessageFile = 1 << 20

// readMessage reads a message. Where no line ends in CRLF, all that end the header's do.
func readMessage(name string, stdin io.Reader) ([]byte, error) {
	src := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		src = f
	}
	raw, err := io.ReadAll(io.LimitReader(src, maxMessageFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !bytes.Contains(raw, []byte("\r\n")) {
		raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	}
	return raw, nil
}

// checkedMessage is what is said of one message.
type checkedMessage struct {
	File     string           `json:"file"`
	Start    string           `json:"start"`
	Fields   int              `json:"fields"`
	Body     int              `json:"body"`
	Errors   int              `json:"errors"`
	Answer   string           `json:"answer,omitempty"` // what a proxy answers
	Problems []messageProblem `json:"problems"`
}

// messageProblem is one of its problems.
type messageProblem struct {
	Offset int `json:"offset"`
	*diag.Diagnostic
}

// checkMessage checks a message.
func checkMessage(name string, raw []byte) *checkedMessage {
	c := &checkedMessage{File: name, Problems: []messageProblem{}}
	var m msg.Message
	if err := m.Parse(raw, msg.DefaultLimits()); err == nil {
		c.Start, c.Fields, c.Body = string(m.StartLine()), m.Len(), len(m.Body())
		f := m.Check()
		if !f.Found() && m.IsRequest() {
			f = m.CheckHop()
		}
		if f.Found() && m.IsRequest() {
			c.Answer = fmt.Sprintf("%d %s", f.Code, f.Reason)
		}
	}
	for _, p := range msg.Problems(raw, msg.DefaultLimits()) {
		before := raw[:p.Offset]
		lineAt := bytes.LastIndexByte(before, '\n') + 1
		line, _, _ := bytes.Cut(raw[lineAt:], []byte("\n"))
		d := &diag.Diagnostic{
			Severity: diag.Warning, File: name, Line: bytes.Count(before, []byte("\n")) + 1, Col: p.Offset - lineAt + 1,
			Msg: p.Text, Source: shown(string(bytes.TrimRight(line, "\r"))), Width: p.Len,
		}
		if p.Fatal {
			d.Severity = diag.Error
			c.Errors++
		}
		d.Width = min(d.Width, max(len(d.Source)-d.Col+1, 1))
		c.Problems = append(c.Problems, messageProblem{p.Offset, d})
	}
	return c
}

// write tells what was found.
func (c *checkedMessage) write(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(c)
	}
	what := "no message"
	if c.Start != "" {
		what = fmt.Sprintf("%s, %d header fields, %d bytes of body", shown(c.Start), c.Fields, c.Body)
	}
	if c.Answer != "" {
		what += "; a proxy answers " + c.Answer
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", c.File, what)
	errs := []error{err}
	for _, p := range c.Problems {
		errs = append(errs, p.Render(w, useColor(w)))
	}
	return errors.Join(errs...)
}
