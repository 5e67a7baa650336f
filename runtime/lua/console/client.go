package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Client is the end of a conversation at which somebody sits. Run and Complete
// are called by one goroutine, Interrupt by any.
type Client struct {
	conn    io.ReadWriteCloser
	notes   func(string)
	answers chan answer
	prompt  string
	done    chan struct{}

	mu sync.Mutex // of writes
}

// ErrLeft is returned where the session has ended.
var ErrLeft = errors.New("the session has ended")

// Dial begins to talk to a session at the other end of conn. notes is called, by
// the client's own goroutine, with each line that nobody asked for.
func Dial(conn io.ReadWriteCloser, notes func(string)) (*Client, error) {
	c := &Client{conn: conn, notes: notes, answers: make(chan answer), done: make(chan struct{})}
	go c.read()
	first, ok := <-c.answers
	switch {
	case !ok:
		return nil, errors.Join(ErrLeft, c.Close())
	case first.Reply != nil:
		return nil, errors.Join(errors.New(first.Reply.Text), c.Close())
	}
	c.prompt = first.Prompt
	return c, nil
}

func (c *Client) read() {
	defer close(c.done)
	defer close(c.answers)
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(nil, 4*MaxInput)
	for lines.Scan() {
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			return
		}
		switch {
		case a.Note != "":
			c.notes(a.Note)
		case a.Dropped > 0:
			c.notes(fmt.Sprintf("%d lines were dropped: they came too fast", a.Dropped))
		default:
			c.answers <- a
		}
	}
}

func (c *Client) ask(q question) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(q)
	if err == nil && len(b) >= MaxInput {
		return fmt.Errorf("an input of %d bytes is too large", len(q.Text))
	}
	if err == nil {
		_, err = c.conn.Write(append(b, '\n'))
	}
	return err
}

// Prompt is what to show before the next input.
func (c *Client) Prompt() string { return c.prompt }

// Run has an input run and returns what became of it.
func (c *Client) Run(text string) (Reply, error) {
	if err := c.ask(question{Do: "run", Text: text}); err != nil {
		return Reply{}, err
	}
	a, ok := <-c.answers
	if !ok || a.Reply == nil {
		return Reply{}, ErrLeft
	}
	c.prompt = a.Prompt
	return *a.Reply, nil
}

// Complete asks what may stand at the end of text.
func (c *Client) Complete(text string) (Completion, error) {
	if err := c.ask(question{Do: "complete", Text: text}); err != nil {
		return Completion{}, err
	}
	a, ok := <-c.answers
	if !ok || a.Completion == nil {
		return Completion{}, ErrLeft
	}
	return *a.Completion, nil
}

// Interrupt ends what runs.
func (c *Client) Interrupt() error { return c.ask(question{Do: "interrupt"}) }

// Close leaves the session.
func (c *Client) Close() error {
	err := c.conn.Close()
	for range c.answers {
		continue
	}
	<-c.done
	return err
}
