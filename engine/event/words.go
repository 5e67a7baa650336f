package event

import (
	"crypto/sha256"
	"fmt"
	"strconv"
)

// Words puts the arguments of a verdict on one line for people, as in "403 Forbidden" or "dst=10.0.0.2 ttl=63".
// Arguments that are not the same are told otherwise.
type Words []byte

// String returns the line.
func (w Words) String() string { return string(w) }

// Say adds what speaks for itself; empty words are left out.
func (w *Words) Say(word string) {
	if word == "" {
		return
	}
	if len(*w) > 0 {
		*w = append(*w, ' ')
	}
	*w = append(*w, word...)
}

// Name adds a value by its name, if it is there.
func (w *Words) Name(there bool, name string, value any) {
	if there {
		w.Say(fmt.Sprint(name, "=", value))
	}
}

// Plain adds plain data as [KV] has it, but for nil and what is empty.
func (w *Words) Plain(v any) {
	list, isList := v.([]KV)
	if v != nil && (!isList || len(list) > 0) {
		w.Say(string(AppendJSONValue(nil, v)))
	}
}

// maxToldBytes is up to how many bytes are written out.
const maxToldBytes = 32

// Bytes adds bytes by their name: quoted, or where they are many their number and how their SHA-256 begins.
func (w *Words) Bytes(name string, b []byte) {
	if n := len(b); n > maxToldBytes {
		sum := sha256.Sum256(b)
		w.Say(fmt.Sprintf("%s=(%d bytes, %x)", name, n, sum[:8]))
		return
	}
	w.Name(len(b) > 0, name, strconv.Quote(string(b)))
}
