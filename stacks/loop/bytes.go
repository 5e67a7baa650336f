package loop

import (
	"bytes"

	"github.com/hookd/hookd/engine/event"
)

// Bytes returns what was received and not consumed, in place. It is lent until
// something is consumed, or the event is over.
func (c *Conn) Bytes() []byte {
	switch {
	case c.gram != nil:
		return c.gram
	case c.c == nil:
		return nil
	}
	return c.c.Bytes()
}

// Skip consumes the first n bytes, or all if there are fewer.
func (c *Conn) Skip(n int) {
	switch {
	case c.gram != nil:
		c.gram = c.gram[max(0, min(n, len(c.gram))):]
	case c.c != nil:
		c.c.Discard(n)
	}
}

// unread returns how many bytes there are.
func (c *Conn) unread() int { return len(c.Bytes()) }

// front returns the first n bytes, all if n is not given.
func (c *Conn) front(n uint32, given bool) []byte {
	b := c.Bytes()
	if given && int64(n) < int64(len(b)) {
		b = b[:n]
	}
	return b
}

// Unread returns how many bytes were received and not consumed.
func (c *Conn) Unread() uint64 { return uint64(c.unread()) }

// Peek returns bytes from the front, lent.
func (c *Conn) Peek(n uint32, hasN bool) []byte { return c.front(n, hasN) }

// Find returns the place of the first match.
func (c *Conn) Find(text []byte) (int64, bool) {
	at := bytes.Index(c.Bytes(), text)
	return int64(max(0, at)), at >= 0
}

// Starts reports whether the bytes start with text.
func (c *Conn) Starts(text []byte) bool { return bytes.HasPrefix(c.Bytes(), text) }

// Take consumes bytes from the front and returns them, lent until the next call that
// receives.
func (c *Conn) Take(_ *event.Caller, n uint32, hasN bool) ([]byte, error) {
	b := c.front(n, hasN)
	// What is consumed stays where it is until something is received.
	c.Skip(len(b))
	return b, nil
}

// TakeLine consumes a whole line and returns it without its end.
func (c *Conn) TakeLine(*event.Caller) (string, bool, error) {
	line, n := cutLine(c.Bytes())
	if n == 0 {
		return "", false, nil
	}
	text := string(line)
	c.Skip(n)
	return text, true, nil
}

// cutLine returns the first line without its end, and its length with it; 0 if it
// is not whole.
func cutLine(b []byte) ([]byte, int) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0
	}
	return bytes.TrimSuffix(b[:i], []byte{'\r'}), i + 1
}

// Discard consumes bytes and returns how many.
func (c *Conn) Discard(_ *event.Caller, n uint32, hasN bool) (uint32, error) {
	k := len(c.front(n, hasN))
	c.Skip(k)
	return uint32(k), nil
}
