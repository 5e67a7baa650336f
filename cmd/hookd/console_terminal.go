package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hookd/hookd/runtime/lua/console"
)

// columnsOf returns how many columns w has, 0 where it is no terminal.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// editor is a terminal at which inputs are typed. What comes meanwhile is written
// above the line that is being typed.
type editor struct {
	*term.Terminal
	fd     int
	keys   *keys
	client *console.Client
	typed  string // the lines of the input before the one that is being typed
}

// keys is what is typed. Ctrl-C, which the editor would take for the end, becomes
// the end of a line that is thrown away.
type keys struct {
	in     io.Reader
	thrown atomic.Bool
	behind []byte
}

const (
	ctrlC = 0x03
	ctrlU = 0x15
	ctrlK = 0x0b
)

// Read implements [io.Reader].
func (k *keys) Read(b []byte) (int, error) {
	if len(k.behind) > 0 {
		n := copy(b, k.behind)
		k.behind = k.behind[n:]
		return n, nil
	}
	var own [256]byte
	n, err := k.in.Read(own[:min(len(own), len(b))])
	for _, c := range own[:n] {
		if c == ctrlC {
			k.thrown.Store(true)
			k.behind = append(k.behind, ctrlU, ctrlK, '\r')
		} else {
			k.behind = append(k.behind, c)
		}
	}
	if n == 0 {
		return 0, err
	}
	n = copy(b, k.behind)
	k.behind = k.behind[n:]
	return n, nil
}

// screenIO joins what is typed and what is shown.
type screenIO struct {
	io.Reader
	io.Writer
}

// sitAtTerminal reads inputs with an editor until somebody leaves.
func sitAtTerminal(cmd *cobra.Command, stdin *os.File, conn net.Conn, others []*switchable) (err error) {
	e := &editor{fd: int(stdin.Fd()), keys: &keys{in: stdin}}
	e.Terminal = term.NewTerminal(screenIO{e.keys, cmd.OutOrStdout()}, "")
	if w := columnsOf(cmd.OutOrStdout()); w > 0 {
		if err := e.SetSize(w, 24); err != nil {
			return fail(exitIO, err)
		}
	}
	h := openHistory(historyFile())
	defer h.close()
	e.History = h
	for _, o := range others {
		before := o.to(e)
		defer o.to(before)
	}
	e.client, err = console.Dial(conn, func(line string) { fmt.Fprintln(e, line) })
	if err != nil {
		return fail(exitIO, err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(e.client.Close())) }()
	e.AutoCompleteCallback = e.complete
	fmt.Fprintln(e, "hookd "+versionString()+"   :help lists what there is, Ctrl-D leaves")
	for {
		text, err := e.input()
		switch {
		case errors.Is(err, io.EOF):
			fmt.Fprintln(cmd.OutOrStdout())
			return nil
		case err != nil:
			return fail(exitIO, err)
		}
		r, err := e.run(text)
		if err != nil {
			return fail(exitIO, err)
		}
		if r.Text != "" {
			fmt.Fprintln(e, r.Text)
		}
		if r.Quit {
			return nil
		}
	}
}

// input reads lines until they make an input. An empty line, or Ctrl-C, gives up
// one that is not whole.
func (e *editor) input() (string, error) {
	state, err := term.MakeRaw(e.fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(e.fd, state) //nolint:errcheck // there is nothing to be done
	e.typed = ""
	prompt := e.client.Prompt()
	for {
		e.SetPrompt(prompt)
		line, err := e.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return "", err
		}
		if e.keys.thrown.Swap(false) {
			e.typed, prompt = "", e.client.Prompt()
			continue
		}
		if strings.TrimSpace(line) == "" && e.typed != "" {
			return e.typed, nil // what is missing is said
		}
		e.typed += line + "\n"
		if whole(e.typed) {
			return e.typed, nil
		}
		prompt = strings.Repeat(".", max(0, len(e.client.Prompt())-2)) + "> "
	}
}

// run runs an input, which Ctrl-C interrupts.
func (e *editor) run(text string) (console.Reply, error) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt)
	defer signal.Stop(heard)
	over := make(chan struct{})
	var listener sync.WaitGroup
	listener.Go(func() {
		for {
			select {
			case <-heard:
				_ = e.client.Interrupt() // a session that is gone needs none
			case <-over:
				return
			}
		}
	})
	r, err := runInput(e.client, text)
	close(over)
	listener.Wait()
	return r, err
}

// complete is what Tab does: it adds what all completions have in common, or
// shows them.
func (e *editor) complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	before := e.typed + line[:pos]
	if strings.TrimSpace(line[:pos]) == "" {
		return line[:pos] + "  " + line[pos:], pos + 2, true
	}
	c, err := e.client.Complete(before)
	if err != nil || len(c.Words) == 0 || c.From < len(e.typed) || c.From > len(before) {
		return line, pos, true
	}
	part := before[c.From:]
	common := c.Words[0]
	for _, w := range c.Words[1:] {
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	if len(c.Words) > 1 && common == part {
		fmt.Fprintln(e, strings.Join(c.Words, "  "))
		return line, pos, true
	}
	added := strings.TrimPrefix(common, part)
	return line[:pos] + added + line[pos:], pos + len(added), true
}

// maxHistory is how many lines are kept.
const maxHistory = 2000

// historyFile is where the lines are kept that were typed; empty: nowhere.
func historyFile() string {
	if path, set := os.LookupEnv("HOOKD_HISTORY"); set {
		return path
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "hookd", "history")
}

// history holds lines that were typed, the latest last, and adds them to a file
// that only its owner reads. Where that cannot be had they are kept until the end.
type history struct {
	lines []string
	file  *os.File
}

func openHistory(path string) *history {
	h := &history{}
	if path == "" {
		return h
	}
	text, err := os.ReadFile(path)
	if err == nil {
		h.lines = strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		if h.lines[0] == "" {
			h.lines = h.lines[1:]
		}
	}
	if len(h.lines) > maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
		// A history that cannot be cut goes on growing.
		_ = os.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return h
	}
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
		h.file = f
	}
	return h
}

func (h *history) close() {
	if h.file != nil {
		_ = h.file.Close() // what was written is written
	}
}

// Add implements [term.History].
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || h.Len() > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.file != nil {
		if _, err := h.file.WriteString(line + "\n"); err != nil {
			h.close()
			h.file = nil
		}
	}
}

// Len implements [term.History].
func (h *history) Len() int { return len(h.lines) }

// At implements [term.History]: 0 is the latest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
