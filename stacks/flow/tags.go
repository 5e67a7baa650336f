package flow

import (
	"errors"
	"fmt"
	"slices"
)

// Limits of tags on one connection.
const (
	maxTags   = 32
	maxTagLen = 64
)

var (
	errTagLength = fmt.Errorf("flow: a tag has 1 to %d bytes", maxTagLen)
	errTagCount  = fmt.Errorf("flow: a connection has at most %d tags", maxTags)
	errEnded     = errors.New("flow: the connection ended")
)

// tagSet is the words on a connection, in the order they were put there.
type tagSet []string

func (t tagSet) has(word string) bool { return slices.Contains(t, word) }

// add puts a word of 1 to 64 bytes on; one that is there already changes nothing.
func (t *tagSet) add(word string) error {
	switch {
	case word == "" || len(word) > maxTagLen:
		return errTagLength
	case t.has(word):
		return nil
	case len(*t) == maxTags:
		return errTagCount
	}
	*t = append(*t, word)
	return nil
}

// drop takes a word off; one that is not there changes nothing.
func (t *tagSet) drop(word string) {
	*t = slices.DeleteFunc(*t, func(w string) bool { return w == word })
}
