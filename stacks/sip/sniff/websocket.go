package sniff

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// websocket is one direction of a connection that opens with a handshake and carries SIP in
// frames from then on, a message a message (RFC 7118, 5).
type websocket struct {
	from flowev.Side
	open bool   // the handshake is behind
	skip bool   // the message in hand is compressed
	part []byte // of a message whose last frame has not come, as it was before it was masked
}

// masks reports whether what is sent in this direction is masked (RFC 6455, 5.1).
func (ws *websocket) masks() bool { return ws.from == flowev.SideClient }

// frames takes the next bytes of a WebSocket apart and returns the beginning of what has
// not come whole. goes is false where it is no WebSocket for SIP, or not to be followed.
func (f *Finder) frames(sh *event.Shard, st *stream, b []byte) (rest []byte, goes bool) {
	ws := st.ws
	if !ws.open {
		n, more := opens(b, ws.from)
		if more && !st.astray {
			return b, true
		}
		if n == 0 || st.astray {
			return nil, false
		}
		ws.open, b = true, b[n:]
	}
	if st.astray && !f.frameBegins(ws, b) {
		return nil, true
	}
	st.astray = false
	for {
		h, n, err := wsframe.ParseHeader(b)
		switch {
		case err != nil || n != 0 && h.Masked != ws.masks():
			f.stats.Unframed++
			return nil, false
		case n == 0:
			return b, true
		case h.Len > uint64(f.cfg.Limits.Size-len(ws.part)):
			f.stats.Refused++
			return nil, false
		case h.Len > uint64(len(b)-n):
			return b, true
		}
		f.frame(sh, ws, &h, b[n:n+int(h.Len)])
		b = b[n+int(h.Len):]
	}
}

// frame takes one frame. Its payload is lent, and masked where its sender masks.
func (f *Finder) frame(sh *event.Shard, ws *websocket, h *wsframe.Header, p []byte) {
	if h.Opcode.Control() {
		return
	}
	if h.Opcode != wsframe.Continuation {
		ws.part = nil
		if ws.skip = h.RSV1; ws.skip {
			f.stats.Packed++
		}
	}
	switch {
	case ws.skip:
	case h.Fin && ws.part == nil:
		f.whole(sh, f.unmasked(h, p))
	default:
		ws.part = append(ws.part, f.unmasked(h, p)...)
		if h.Fin {
			f.whole(sh, ws.part)
			ws.part = nil // or the longest message so far would stay allocated
		}
	}
}

// unmasked returns the payload of a frame, or the beginning of one, as it was before it was
// masked; where it was, in a copy that is valid until the next call.
func (f *Finder) unmasked(h *wsframe.Header, p []byte) []byte {
	if !h.Masked {
		return p
	}
	f.scratch = append(f.scratch[:0], p...)
	wsframe.Mask(f.scratch, h.Key, 0)
	return f.scratch
}

// frameBegins reports whether bytes begin with a frame that begins a SIP message: where
// something was lost, frames are found again so, since most begin with a segment.
func (f *Finder) frameBegins(ws *websocket, b []byte) bool {
	h, n, err := wsframe.ParseHeader(b)
	if err != nil || n == 0 || h.Masked != ws.masks() || h.Opcode == wsframe.Continuation || h.Opcode.Control() || h.RSV1 {
		return false
	}
	p := b[n:]
	return begins(f.unmasked(&h, p[:min(uint64(len(p)), h.Len, maxFirstLine)]))
}
