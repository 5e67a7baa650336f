package loop

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event"
)

// Limits of tags on one connection.
const (
	maxTags   = 32
	maxTagLen = 64
)

var (
	errTagLength = fmt.Errorf("loop: a tag has 1 to %d bytes", maxTagLen)
	errTagCount  = fmt.Errorf("loop: a connection has at most %d tags", maxTags)
	errEnded     = errors.New("loop: the connection ended")
)

// Tag puts a word of 1 to 64 bytes on the connection, which may have 32. One that
// is there already changes nothing.
func (c *Conn) Tag(_ *event.Caller, word string) error {
	switch {
	case c.over:
		return errEnded
	case word == "" || len(word) > maxTagLen:
		return errTagLength
	case c.Tagged(word):
		return nil
	case len(c.tags) == maxTags:
		return errTagCount
	}
	c.tags = append(c.tags, word)
	return nil
}

// Untag takes a word off the connection; one that is not there changes nothing.
func (c *Conn) Untag(_ *event.Caller, word string) error {
	if c.over {
		return errEnded
	}
	c.tags = slices.DeleteFunc(c.tags, func(w string) bool { return w == word })
	return nil
}

// Tagged reports whether word is on the connection.
func (c *Conn) Tagged(word string) bool { return slices.Contains(c.tags, word) }
