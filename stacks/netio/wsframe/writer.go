package wsframe

import "crypto/rand"

// DefaultDeflateMin is how many bytes a message has at least for which compression
// is tried.
const DefaultDeflateMin = 128

// Writer makes frames. It refers to nothing that was sent before, whatever was
// agreed on, so that a connection keeps no compressor.
type Writer struct {
	// Key returns a new masking key; by default from crypto/rand, which is what RFC
	// 6455 section 10.3 asks for.
	Key func() [4]byte
	// DeflateMin is the size in bytes from which on messages are compressed, where that
	// was agreed on; [DefaultDeflateMin] by default, less than 0 never.
	DeflateMin int

	cfg Config
}

// NewWriter returns a Writer for a WebSocket whose handshake is over.
func NewWriter(cfg Config) *Writer {
	if cfg.Deflate != nil && cfg.Flater == nil {
		cfg.Flater = new(Flater)
	}
	return &Writer{cfg: cfg, DeflateMin: DefaultDeflateMin}
}

// Append appends a message in one frame, compressed if that was agreed on and makes
// it smaller, or a control frame.
func (w *Writer) Append(dst []byte, op Opcode, p []byte) []byte {
	h := Header{Opcode: op, Fin: true}
	if w.cfg.Deflate != nil && !op.Control() && w.DeflateMin >= 0 && len(p) >= w.DeflateMin {
		if small := w.cfg.Flater.deflate(p); len(small) < len(p) {
			h.RSV1, p = true, small
		}
	}
	return w.frame(dst, h, p)
}

// AppendClose appends a close frame; see the function of that name.
func (w *Writer) AppendClose(dst []byte, code Code, reason string) []byte {
	var room [MaxControl]byte
	return w.frame(dst, Header{Opcode: Close, Fin: true}, AppendClose(room[:0], code, reason))
}

func (w *Writer) frame(dst []byte, h Header, p []byte) []byte {
	h.Len = uint64(len(p))
	if h.Masked = !w.cfg.Server; h.Masked {
		h.Key = w.key()
	}
	dst = append(AppendHeader(dst, h), p...)
	if h.Masked {
		Mask(dst[len(dst)-len(p):], h.Key, 0)
	}
	return dst
}

func (w *Writer) key() (key [4]byte) {
	if w.Key != nil {
		return w.Key()
	}
	_, _ = rand.Read(key[:]) // it never fails
	return key
}
