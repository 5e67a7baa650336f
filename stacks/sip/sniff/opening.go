package sniff

import (
	"bytes"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// maxOpening bounds the head of an opening handshake.
const maxOpening = 16 << 10

// Each end's half of an opening handshake begins so (RFC 6455, 4.1 and 4.2.2).
const (
	asks   = "GET "
	agrees = "HTTP/1.1 101"
)

// opens looks at what one end of a connection sends first: a head of n bytes opens a
// WebSocket for SIP (RFC 7118, 4). more: it may be one, and its end has not come.
func opens(b []byte, from flowev.Side) (n int, more bool) {
	first := asks
	if from == flowev.SideServer {
		first = agrees
	}
	if least := min(len(b), len(first)); string(b[:least]) != first[:least] {
		return 0, false
	}
	end := bytes.Index(b[:min(len(b), maxOpening)], []byte("\r\n\r\n"))
	if end < 0 {
		return 0, len(b) < maxOpening
	}
	if head := b[:end]; !lists(head, "Upgrade", "websocket") || !lists(head, "Sec-WebSocket-Protocol", "sip") {
		return 0, false
	}
	return end + 4, false
}

// opening reports whether it may be the head of such a handshake.
func opening(b []byte, from flowev.Side) bool {
	n, more := opens(b, from)
	return n != 0 || more
}

// lists reports whether a field of a head holds a word, alone or in a list.
func lists(head []byte, field, word string) bool {
	for len(head) != 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !msg.EqualFold(name, []byte(field)) {
			continue
		}
		for len(value) != 0 {
			var v []byte
			v, value, _ = bytes.Cut(value, []byte(","))
			if msg.EqualFold(bytes.TrimSpace(v), []byte(word)) {
				return true
			}
		}
	}
	return false
}
