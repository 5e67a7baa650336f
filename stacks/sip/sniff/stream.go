package sniff

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// streamKey is one direction of a connection.
type streamKey struct {
	conn uint64
	from flowev.Side
}

// stream is a direction that holds SIP.
type stream struct {
	framer msg.Framer
	buf    []byte     // beginning of a message whose rest has not come
	place  uint64     // behind what was looked at
	astray bool       // where the next message begins is not known
	ws     *websocket // nil: messages follow one another
}

// held is how many bytes wait for their rest.
func (st *stream) held() int {
	if st.ws != nil {
		return len(st.buf) + len(st.ws.part)
	}
	return len(st.buf)
}

// Bytes implements flow.Reader.
func (f *Finder) Bytes(sh *event.Shard, c flowev.Conn, from flowev.Side, offset uint64, b []byte) {
	key := streamKey{c.ID(), from}
	st := f.streams[key]
	if st == nil {
		if st = f.follow(c, key, offset, b); st == nil {
			return
		}
	}
	end := offset + uint64(len(b))
	switch {
	case offset > st.place:
		f.stats.Lost++
		f.astray(st)
	case end <= st.place:
		return
	default:
		b = b[st.place-offset:]
	}
	st.place = end
	f.m.From, f.m.To = ends(c, from)
	f.m.Proto, f.m.Conn, f.m.Cut = sipev.TransportTCP, c.ID(), false
	if st.ws != nil {
		f.m.Proto = sipev.TransportWS
	}
	f.read(sh, key, st, b)
}

// Ended implements flow.Reader.
func (f *Finder) Ended(_ *event.Shard, c flowev.Conn) {
	if len(f.streams) == 0 {
		return
	}
	for _, side := range [...]flowev.Side{flowev.SideClient, flowev.SideServer} {
		f.forget(streamKey{c.ID(), side})
	}
}

// follow begins to follow a direction if it holds SIP: from its first byte on, or, on
// SIP's ports, from any first line on. A WebSocket is known by how it opens.
func (f *Finder) follow(c flowev.Conn, key streamKey, offset uint64, b []byte) *stream {
	known := f.Port(c.Client().Endpoint().Port()) || f.Port(c.Server().Endpoint().Port())
	if !known && (!f.cfg.Elsewhere || offset != 0) {
		return nil
	}
	var ws *websocket
	first := skipLines(b)
	if offset == 0 && opening(b, key.from) {
		ws = &websocket{from: key.from}
	} else if !known && !begins(first) || known && len(first) != 0 && !could(first) && next(b) < 0 {
		return nil
	}
	if len(f.streams) >= f.cfg.MaxStreams {
		f.stats.Refused++
		return nil
	}
	st := &stream{place: offset, ws: ws, astray: len(first) != 0 && !could(first)}
	f.streams[key] = st
	return st
}

func (f *Finder) forget(key streamKey) {
	if st := f.streams[key]; st != nil {
		f.stats.Buffered -= st.held()
		delete(f.streams, key)
	}
}

// astray drops what waits, since what follows is not its rest.
func (f *Finder) astray(st *stream) {
	f.stats.Buffered -= st.held()
	st.buf, st.framer, st.astray = st.buf[:0], msg.Framer{}, true
	if st.ws != nil {
		st.ws.part, st.ws.skip = nil, false
	}
}

// read takes next bytes of a stream apart.
func (f *Finder) read(sh *event.Shard, key streamKey, st *stream, b []byte) {
	held := st.held()
	if len(st.buf) != 0 {
		st.buf = append(st.buf, b...)
		b = st.buf
	}
	goes := true
	if st.ws != nil {
		b, goes = f.frames(sh, st, b)
	} else {
		b = f.divide(sh, st, b)
	}
	if len(b) == 0 {
		st.buf = nil // or the longest message so far would stay allocated
	} else {
		st.buf = append(st.buf[:0], b...)
	}
	f.stats.Buffered += st.held() - held
	if goes && f.stats.Buffered > f.cfg.MaxBuffered {
		f.stats.Refused++
		goes = false
	}
	if !goes {
		f.forget(key)
	}
}

// divide gives on the messages that bytes hold, and returns what is the beginning of the
// next.
func (f *Finder) divide(sh *event.Shard, st *stream, b []byte) []byte {
	for len(b) != 0 {
		if st.astray && !begins(b) {
			at := next(b)
			if at < 0 {
				return nil
			}
			b = b[at:]
		}
		st.astray = false
		what, n, err := st.framer.Next(b, f.cfg.Limits)
		switch {
		case err != nil:
			b = f.unframed(sh, st, b, err)
		case what == msg.Incomplete:
			return b
		case what == msg.Whole:
			if f.m.Raw = b[:n]; begins(f.m.Raw) {
				f.found(sh)
			} else {
				f.stats.Unframed++
			}
			b = b[n:]
		default:
			f.stats.KeepAlives++
			b = b[n:]
		}
	}
	return nil
}

// unframed handles what cannot be divided. A message without Content-Length, which there
// are, is taken to end where the next begins or the bytes at hand do.
func (f *Finder) unframed(sh *event.Shard, st *stream, b []byte, err error) []byte {
	f.stats.Unframed++
	st.framer = msg.Framer{}
	end := next(b)
	if end < 0 {
		end, st.astray = len(b), true
	}
	if errors.Is(err, msg.ErrFrameLength) && begins(b) {
		f.m.Raw = b[:end]
		f.found(sh)
	}
	return b[end:]
}
