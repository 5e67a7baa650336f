package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Limits of a conversation.
const (
	// MaxInput is the longest line of a conversation in bytes.
	MaxInput = 1 << 20
	// MaxNotes is how many notes wait for somebody who does not read them; what
	// finds no room is dropped, and told as a number.
	MaxNotes = 1000
)

// question is a line of who sits at the console.
type question struct {
	Do   string `json:"do"` // "run", "complete", "interrupt"
	Text string `json:"text,omitempty"`
}

// answer is a line of the session. A note comes alone, and at any time.
type answer struct {
	Note       string      `json:"note,omitempty"`
	Dropped    int         `json:"dropped,omitempty"` // notes that found no room
	Reply      *Reply      `json:"reply,omitempty"`
	Completion *Completion `json:"completion,omitempty"`
	Prompt     string      `json:"prompt,omitempty"` // with replies, and at first
}

// outbox is what waits to be written to one conversation.
type outbox struct {
	mu      sync.Mutex
	notes   []string
	dropped int
	answers []answer
	wake    chan struct{}
}

func (o *outbox) note(line string) {
	o.mu.Lock()
	if len(o.notes) < MaxNotes && len(line) < MaxInput {
		o.notes = append(o.notes, line)
	} else {
		o.dropped++
	}
	o.mu.Unlock()
	o.stir()
}

func (o *outbox) answer(a answer) {
	o.mu.Lock()
	o.answers = append(o.answers, a)
	o.mu.Unlock()
	o.stir()
}

func (o *outbox) stir() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns what waits: notes before the answers that came behind them.
func (o *outbox) take() (list []answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.notes {
		list = append(list, answer{Note: n})
	}
	if o.dropped > 0 {
		list = append(list, answer{Dropped: o.dropped})
	}
	list = append(list, o.answers...)
	o.notes, o.dropped, o.answers = nil, 0, nil
	return list
}

// copy writes what comes until done is closed and nothing is left.
func (o *outbox) copy(w io.Writer, done <-chan struct{}) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for over := false; ; {
		list := o.take()
		for i := range list {
			if err := enc.Encode(&list[i]); err != nil {
				return fmt.Errorf("console: write: %w", err)
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("console: write: %w", err)
		}
		switch {
		case len(list) > 0:
		case over:
			return nil
		default:
			select {
			case <-o.wake:
			case <-done:
				over = true
			}
		}
	}
}

// Serve holds one session with who is at the other end of conn, until that leaves,
// quits, or ctx ends; then nothing of the session is left. conf.Notes is not used.
// The caller closes conn, and lets its reads and writes fail when ctx ends.
func Serve(ctx context.Context, conn io.ReadWriter, conf Config) error {
	box := &outbox{wake: make(chan struct{}, 1)}
	conf.Notes = box.note
	s, err := New(conf)
	if err != nil {
		return errors.Join(err, json.NewEncoder(conn).Encode(answer{Reply: &Reply{Text: err.Error(), Failed: true, Quit: true}}))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions, written, done := make(chan question), make(chan error, 1), make(chan struct{})
	go func() { written <- box.copy(conn, done) }()
	go func() {
		defer close(questions)
		defer cancel() // who left waits for nothing
		ask(ctx, conn, s, questions)
	}()
	box.answer(answer{Prompt: s.Prompt()})
	quit := false
	for q := range questions {
		if quit {
			continue // until the other end is closed
		}
		switch q.Do {
		case "complete":
			c := s.Complete(q.Text)
			box.answer(answer{Completion: &c})
		default:
			r := s.Do(ctx, q.Text)
			box.answer(answer{Reply: &r, Prompt: s.Prompt()})
			quit = r.Quit
		}
	}
	err = s.Close()
	close(done)
	return errors.Join(err, <-written)
}

// ask reads questions until there are no more. An interruption does not wait
// behind what it interrupts.
func ask(ctx context.Context, r io.Reader, s *Session, questions chan<- question) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxInput)
	for lines.Scan() {
		var q question
		if json.Unmarshal(lines.Bytes(), &q) != nil {
			return // that is no console
		}
		if q.Do == "interrupt" {
			s.Interrupt()
			continue
		}
		select {
		case questions <- q:
		case <-ctx.Done():
			return
		}
	}
}
