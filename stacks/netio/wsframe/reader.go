package wsframe

// Config describes one end of a WebSocket.
type Config struct {
	// Server is true for the end that was connected to: what comes in must be masked,
	// and what goes out must not.
	Server bool
	// MaxMessage is how many bytes a message has at most, inflated; 1 MiB by default.
	MaxMessage int
	// Deflate is what was agreed on about compression, nil if nothing was.
	Deflate *Deflate
	// Flater has the compressors; by default each Reader and Writer makes its own.
	Flater *Flater
	// Fragments has each frame of a message told as it comes. What is compressed is
	// told whole all the same.
	Fragments bool
}

// DefaultMaxMessage is the default of Config.MaxMessage in bytes.
const DefaultMaxMessage = 1 << 20

// keptBuffer is how much memory a Reader keeps between messages.
const keptBuffer = 4 << 10

// Message is a message, a control frame, or, with Config.Fragments, a part of a
// message. Data is lent until the next call of [Reader.Next], and as long as the
// bytes stay that it was found in.
type Message struct {
	// Opcode is Continuation for each part of a message but the first.
	Opcode Opcode
	// Fin is false for each part of a message but the last.
	Fin  bool
	Data []byte
}

// Reader takes frames from bytes as they come in and makes messages of them.
type Reader struct {
	cfg Config

	h      Header // of the frame in hand
	inside bool   // h is read, its payload not to its end
	at     uint64 // how much of its payload was taken
	op     Opcode // of the message in hand, 0 if there is none
	packed bool   // it is compressed
	first  bool   // nothing of it was told (Fragments)
	done   bool   // a close frame came
	buf    []byte // what was taken of it
	told   bool   // buf was lent, and is not needed any more
	text   text
	size   int // bytes of the message in hand that came
	window []byte
}

// NewReader returns a Reader for a WebSocket whose handshake is over.
func NewReader(cfg Config) *Reader {
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = DefaultMaxMessage
	}
	if cfg.Deflate != nil && cfg.Flater == nil {
		cfg.Flater = new(Flater)
	}
	return &Reader{cfg: cfg}
}

// Next takes from p the bytes of at most one message or control frame and returns
// how many; they are consumed, and may have been changed. With ok false there was none
// whole, and more bytes are wanted behind the rest of p. A whole frame that is
// its message is not copied. After a close frame everything is consumed and
// nothing told. An error is an [*Error], after which Next must not be called.
func (r *Reader) Next(p []byte) (m Message, used int, ok bool, err error) {
	r.reuse()
	for {
		if r.done {
			return m, used + len(p), false, nil
		}
		if !r.inside {
			h, n, err := ParseHeader(p)
			if err == nil && n > 0 {
				err = r.begin(h)
			}
			if err != nil || n == 0 {
				return m, used, false, err
			}
			used, p = used+n, p[n:]
		}
		n, m, ok, err := r.payload(p)
		used, p = used+n, p[n:]
		if ok || err != nil || r.inside {
			return m, used, ok, err
		}
	}
}

// SetFragments has each frame told as it comes from now on, or no longer, as
// Config.Fragments does; it reports whether it is. Within a message or a frame nothing
// changes: a message is told in one way, so it is called again before the next.
func (r *Reader) SetFragments(on bool) bool {
	if r.op == 0 && !r.inside {
		r.cfg.Fragments = on
	}
	return r.cfg.Fragments
}

// reuse makes the buffer empty whose bytes were lent.
func (r *Reader) reuse() {
	if !r.told {
		return
	}
	if r.told = false; cap(r.buf) > keptBuffer {
		r.buf = nil
	}
	r.buf = r.buf[:0]
}

// begin checks a frame's header against what came before.
func (r *Reader) begin(h Header) error {
	if h.Masked != r.cfg.Server {
		if r.cfg.Server {
			return &Error{ProtocolError, "unmasked frame from a client"}
		}
		return &Error{ProtocolError, "masked frame from a server"}
	}
	starts := h.Opcode == Text || h.Opcode == Binary
	if h.RSV23 != 0 || h.RSV1 && (r.cfg.Deflate == nil || !starts) {
		return &Error{ProtocolError, "reserved bit"}
	}
	if !h.Opcode.Control() {
		if err := r.continues(h, starts); err != nil {
			return err
		}
	}
	r.h, r.inside, r.at = h, true, 0
	return nil
}

// continues checks a data frame's place in its message.
func (r *Reader) continues(h Header, starts bool) error {
	switch {
	case starts && r.op != 0:
		return &Error{ProtocolError, "new message inside a message"}
	case !starts && r.op == 0:
		return &Error{ProtocolError, "continuation of nothing"}
	case starts:
		r.op, r.packed, r.size, r.first = h.Opcode, h.RSV1, 0, true
	}
	if h.Len > uint64(r.cfg.MaxMessage-r.size) {
		return &Error{TooBig, "message too big"}
	}
	r.size += int(h.Len)
	return nil
}

// payload takes what is there of the frame in hand.
func (r *Reader) payload(p []byte) (n int, m Message, ok bool, err error) {
	left := r.h.Len - r.at
	whole := uint64(len(p)) >= left
	if whole {
		p = p[:left]
	}
	if r.h.Opcode.Control() {
		if !whole {
			return 0, m, false, nil
		}
		m, err = r.control(p)
		return len(p), m, err == nil, err
	}
	if r.h.Masked {
		Mask(p, r.h.Key, r.at)
	}
	r.at += uint64(len(p))
	if r.op == Text && !r.packed && !r.text.add(p) {
		return len(p), m, false, errNotText
	}
	r.inside = !whole
	tells := whole && (r.h.Fin || r.cfg.Fragments && !r.packed)
	if tells && len(r.buf) == 0 && !r.packed {
		m, err = r.tell(p)
		return len(p), m, err == nil, err
	}
	r.buf = append(r.buf, p...)
	if !tells {
		return len(p), m, false, nil
	}
	r.told = true
	m, err = r.tell(r.buf)
	return len(p), m, err == nil, err
}

var errNotText = &Error{InvalidData, "text is not UTF-8"}

// control ends a control frame, which can stand between the frames of a message.
func (r *Reader) control(p []byte) (Message, error) {
	r.inside = false
	if r.h.Masked {
		Mask(p, r.h.Key, 0)
	}
	if r.h.Opcode == Close {
		if _, _, err := ParseClose(p); err != nil {
			return Message{}, err
		}
		r.done = true
	}
	return Message{Opcode: r.h.Opcode, Fin: true, Data: p}, nil
}

// tell ends a message, or a part of one.
func (r *Reader) tell(data []byte) (Message, error) {
	m := Message{Opcode: r.op, Fin: r.h.Fin, Data: data}
	if !r.first {
		m.Opcode = Continuation
	}
	r.first = false
	if !r.h.Fin {
		return m, nil
	}
	var err error
	if r.packed {
		if m.Data, err = r.inflate(data); err != nil {
			return m, err
		}
		if r.op == Text && !r.text.add(m.Data) {
			return m, errNotText
		}
	}
	if r.op == Text && !r.text.end() {
		return m, errNotText
	}
	r.op = 0
	return m, nil
}
