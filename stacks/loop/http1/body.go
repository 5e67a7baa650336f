package http1

// Body takes a message's content off its framing. The zero Body has ended.
type Body struct {
	framing Framing
	left    int64 // of what ByLength says
	chunks  chunked
}

// Begin makes b ready for the content of a message with that head.
func (b *Body) Begin(h *Head, limits *Limits) {
	b.framing, b.left = h.Framing, h.Length
	if h.Framing == ByChunks {
		b.chunks = chunked{limits: limits, line: b.chunks.line[:0]}
	}
}

// Done reports whether the content is over.
func (b *Body) Done() bool { return b.framing == NoBody }

// Next takes the next part of the content from the front of p: data is a part of p,
// n is how much of p is used up. When n is 0, more is needed, or the content is
// over. An error is an [*Error].
func (b *Body) Next(p []byte) (data []byte, n int, err error) {
	switch b.framing {
	case ByLength:
		n = int(min(int64(len(p)), b.left))
		if b.left -= int64(n); b.left == 0 {
			b.framing = NoBody
		}
		return p[:n], n, nil
	case ByChunks:
		data, n, e := b.chunks.next(p)
		if e != nil {
			return nil, n, e
		}
		if b.chunks.state == chunkOver {
			b.framing = NoBody
		}
		return data, n, nil
	case UntilClose:
		return p, len(p), nil
	}
	return nil, 0, nil
}

// Close says that the connection ended. It returns [ErrCut] if the content was not
// over.
func (b *Body) Close() error {
	if b.framing == NoBody || b.framing == UntilClose {
		b.framing = NoBody
		return nil
	}
	return ErrCut
}

// chunkState is what comes next in chunked content.
type chunkState uint8

const (
	chunkSize chunkState = iota // a chunk's size
	chunkExt                    // its extensions
	chunkLF                     // the LF behind size or extensions
	chunkData                   // its bytes
	chunkCR                     // the CR behind them
	chunkEnd                    // the LF behind that
	trailer                     // a line of trailers, or the empty one
	chunkOver
)

// chunked takes the chunked coding off (RFC 9112 section 7.1). Sizes and
// extensions are read byte by byte, and so whatever the pieces are in which they
// come; a line of trailers is kept until it is whole.
type chunked struct {
	state    chunkState
	digits   uint8
	named    bool // something stands behind the last semicolon
	left     int64
	ext      int // bytes of extensions of this chunk
	exts     int // and of all
	trailers int
	line     []byte // the beginning of a trailer
	limits   *Limits
}

func (c *chunked) next(p []byte) (data []byte, n int, err *Error) {
	for n < len(p) {
		if c.state == chunkData {
			k := int(min(int64(len(p)-n), c.left))
			if c.left -= int64(k); c.left == 0 {
				c.state = chunkCR
			}
			return p[n : n+k], n + k, nil
		}
		if c.state == chunkOver {
			return nil, n, nil
		}
		if err := c.step(p[n]); err != nil {
			return nil, n, err
		}
		n++
	}
	return nil, n, nil
}

// step takes one byte that is not a chunk's.
func (c *chunked) step(b byte) *Error {
	switch c.state {
	case chunkSize:
		return c.size(b)
	case chunkExt:
		return c.extension(b)
	case chunkLF, chunkEnd:
		return c.lineFeed(b)
	case chunkCR:
		if b != '\r' {
			return ErrChunkEnd
		}
		c.state = chunkEnd
	case trailer:
		return c.trailer(b)
	}
	return nil
}

func (c *chunked) size(b byte) *Error {
	switch {
	case class[b]&isHex != 0:
		if c.digits++; c.digits > maxChunkDigits {
			return ErrChunkSize
		}
		c.left = c.left<<4 | int64(hexValue(b))
	case c.digits == 0:
		return ErrChunkSize
	case b == '\r':
		c.state = chunkLF
	case b == ';':
		c.state, c.ext = chunkExt, 0
		return c.extension(b)
	case b == '\n':
		return ErrBareLF
	default:
		return ErrChunkSize
	}
	return nil
}

func hexValue(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}

// extension skips a byte of extensions. Nobody uses them, and what they say does
// not matter to the content.
func (c *chunked) extension(b byte) *Error {
	switch {
	case b == '\n':
		return ErrBareLF
	case b == ';':
		c.named = false
	case b == '\r' && c.named:
		c.state = chunkLF
		return nil
	case class[b]&isValue == 0:
		return ErrChunkExt
	case b != ' ' && b != '\t':
		c.named = true
	}
	c.ext++
	c.exts++
	if c.ext > c.limits.Extension || c.exts > extensionTotal*c.limits.Extension {
		return ErrChunkExt
	}
	return nil
}

// lineFeed ends the line of a chunk's size, or a chunk.
func (c *chunked) lineFeed(b byte) *Error {
	switch {
	case b != '\n' && c.state == chunkLF:
		return ErrBareCR
	case b != '\n':
		return ErrChunkEnd
	case c.state == chunkEnd:
		c.state, c.digits, c.left = chunkSize, 0, 0
	case c.left == 0:
		c.state = trailer
	default:
		c.state = chunkData
	}
	return nil
}

// trailer takes a byte of the lines behind the last chunk. They are checked as
// fields and dropped: what they say is not to be merged with the head unasked
// (RFC 9110 section 6.5.1).
func (c *chunked) trailer(b byte) *Error {
	if c.trailers++; c.trailers > c.limits.Trailers {
		return ErrTrailers
	}
	if b != '\n' {
		c.line = append(c.line, b)
		return nil
	}
	n := len(c.line) - 1
	switch {
	case n < 0 || c.line[n] != '\r':
		return ErrBareLF
	case n == 0:
		c.state, c.line = chunkOver, c.line[:0]
		return nil
	}
	colon, err := checkField(c.line[:n])
	if err != nil {
		return err
	}
	if lookUp(c.line[:colon]) != other {
		return ErrTrailerField
	}
	c.line = c.line[:0]
	return nil
}
