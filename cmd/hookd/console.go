package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/runtime/lua"
	"github.com/hookd/hookd/runtime/lua/console"
)

func newConsole() *cobra.Command {
	path := defaultControl()
	cmd := &cobra.Command{
		Use:   "console",
		Short: "A console in a running daemon",
		Long: `Console evaluates Lua in a running daemon, which goes on serving meanwhile. It
looks into scripts, at live connections and their bytes, shows events as they
come, and takes rules that are live at once and gone when it is left; :help lists
what else there is.

Input that is no terminal is run as a script: there is no prompt, and the exit
code is 1 if an input failed.`,
		Example: `  hookd console
  echo 'flow.conns()' | hookd console`,
		Args: none(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := control.NewClient(path)
			defer c.Close()
			conn, err := c.Talk(contextOf(cmd), "/console?"+screenOf(cmd.OutOrStdout()).query())
			if err != nil {
				return fail(exitIO, err)
			}
			return sitAt(cmd, conn)
		},
	}
	cmd.Flags().StringVar(&path, "control", path, controlUsage)
	return cmd
}

// serveConsole lets consoles be attached.
func (d *daemon) serveConsole() {
	d.control.HandleTalk("POST /console", func(ctx context.Context, r *http.Request, conn net.Conn) {
		if err := console.Serve(ctx, conn, d.consoleConfig(screenFrom(r))); err != nil && ctx.Err() == nil {
			d.log.Debug("a console ended", "err", err)
		}
	})
}

// consoleConfig is what a console in the daemon is about.
func (d *daemon) consoleConfig(sc screen) console.Config {
	c := console.Config{
		Engine: d.engine, Doc: doc, Width: sc.width, Color: sc.color, Changed: d.wantStreams,
		Reload: func(ctx context.Context) (string, error) {
			out, err := d.reloader.Reload(ctx, d.watcher)
			return reloadText(out, errors.Join(err, out.Err))
		},
		Rollback: func(context.Context) (string, error) {
			return reloadText(d.reloader.Rollback())
		},
	}
	c.Looks = []console.Look{{
		Name: "ladder", Args: "CALL-ID", Does: "draw the kept messages of SIP calls; a glob, too",
		Text: func(id string) (string, error) { return d.ladder(id, sc.width) },
	}}
	if len(d.paths) == 0 {
		c.Reload = nil // there are no files
	}
	return c
}

// reloadText says what became of a reload.
func reloadText(out reload.Outcome, err error) (string, error) {
	if out.Err != nil && out.Diags.HasErrors() {
		return "", out.Diags
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("generation %d is live, %s changed", out.Generation, plural(len(out.Changed), "script")), nil
}

// screen is what a console is shown on.
type screen struct {
	width int
	color bool
}

func screenOf(w io.Writer) screen { return screen{columnsOf(w), useColor(w)} }

func (s screen) query() string { return fmt.Sprintf("width=%d&color=%t", s.width, s.color) }

// screenFrom reads what query says; what makes no sense is as nothing.
func screenFrom(r *http.Request) screen {
	width, err := strconv.Atoi(r.URL.Query().Get("width"))
	if err != nil || width < 20 || width > 1000 {
		width = 0
	}
	return screen{width, r.URL.Query().Get("color") == "true"}
}

// consoleHere is hookd without a command: an engine in this process, with the
// scripts of ./scripts if there are any, and a console in it.
func consoleHere(cmd *cobra.Command) error {
	return runWithConsole(cmd, defaultPaths(), &runOptions{houseOptions: houseOptions{daemon: true}, speed: "max", loop: 1, stay: true, start: "files", console: true})
}

// runWithConsole runs a daemon for as long as somebody sits at its console.
func runWithConsole(cmd *cobra.Command, paths []string, o *runOptions) (err error) {
	out, logs := &switchable{w: cmd.OutOrStdout()}, &switchable{w: cmd.ErrOrStderr()}
	d, err := newDaemon(o, paths, out, logs)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(contextOf(cmd))
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	here, there := net.Pipe()
	var session sync.WaitGroup
	session.Go(func() {
		stop := context.AfterFunc(ctx, func() { there.Close() })
		defer stop()
		defer there.Close()
		if err := console.Serve(ctx, there, d.consoleConfig(screenOf(cmd.OutOrStdout()))); err != nil {
			d.log.Debug("the console ended", "err", err)
		}
	})
	err = sitAt(cmd, here, out, logs)
	leave()
	session.Wait()
	return errors.Join(err, <-ended, d.close())
}

// sitAt lets whoever types talk to a session, which it leaves in the end. What
// others write meanwhile goes through their outlets, so that it does not end up in
// the line that is being typed.
func sitAt(cmd *cobra.Command, conn net.Conn, others ...*switchable) (err error) {
	stdin, isFile := cmd.InOrStdin().(*os.File)
	if isFile && isTerminal(stdin) && isTerminal(cmd.OutOrStdout()) {
		return sitAtTerminal(cmd, stdin, conn, others)
	}
	out := cmd.OutOrStdout()
	var mu sync.Mutex
	var broken error // the pipe that is written to
	say := func(w io.Writer, text string) {
		mu.Lock()
		defer mu.Unlock()
		if text == "" {
			return
		}
		if _, err := fmt.Fprintln(w, text); err != nil && broken == nil {
			broken = err
			conn.Close() // nobody reads on
		}
	}
	c, err := console.Dial(conn, func(line string) { say(out, line) })
	if err != nil {
		return fail(exitIO, err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(c.Close())) }()
	failed, err := runLines(c, cmd.InOrStdin(), func(r console.Reply) {
		if r.Failed {
			say(cmd.ErrOrStderr(), r.Text)
			return
		}
		say(out, r.Text)
	})
	mu.Lock()
	defer mu.Unlock()
	switch {
	case broken != nil:
		return fail(exitIO, broken)
	case err != nil:
		return fail(exitIO, err)
	case failed > 0:
		return fail(exitFinding, fmt.Errorf("%s failed", plural(failed, "input")))
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// runLines runs what is read as inputs, each as soon as it is whole, and returns
// how many failed.
func runLines(c *console.Client, r io.Reader, reply func(console.Reply)) (failed int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, console.MaxInput)
	text := ""
	for more := true; more; {
		more = in.Scan()
		if more {
			text += in.Text() + "\n"
			if !whole(text) {
				continue
			}
		}
		if text == "" {
			break
		}
		answer, err := runInput(c, text)
		if err != nil {
			return failed, err
		}
		text = ""
		if answer.Failed {
			failed++
		}
		reply(answer)
		if answer.Quit {
			return failed, nil
		}
	}
	return failed, in.Err()
}

// whole reports whether an input needs no further line.
func whole(text string) bool {
	text = console.Lua(text)
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\n' {
			return c == ':' || !lua.Incomplete(text)
		}
	}
	return true
}

// runInput runs an input and does what the session asks its terminal for.
func runInput(c *console.Client, text string) (console.Reply, error) {
	r, err := c.Run(text)
	if err != nil || r.Save == "" {
		return r, err
	}
	if err := os.WriteFile(r.Save, []byte(r.Content), 0o644); err != nil {
		return console.Reply{Text: err.Error(), Failed: true}, nil
	}
	return console.Reply{Text: "written to " + r.Save}, nil
}

// switchable is an output that can be taken over for a while.
type switchable struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (s *switchable) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// to lets w have what is written, and returns who had it before.
func (s *switchable) to(w io.Writer) io.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.w
	s.w = w
	return before
}
