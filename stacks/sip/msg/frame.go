package msg

import (
	"bytes"
	"errors"
)

// Why a stream cannot be divided into messages any more.
var (
	ErrFrameLength = errors.New("msg: frame: a message on a stream needs one valid Content-Length")
	ErrFrameSize   = errors.New("msg: frame: message larger than the limit")
)

// Frame is what stands at the beginning of a stream.
type Frame uint8

// What a stream can begin with.
const (
	Incomplete Frame = iota
	Whole            // a message
	Ping             // CRLF CRLF: the peer asks whether anybody is there (RFC 5626, 3.5.1)
	Pong             // CRLF: the answer
)

// Framer divides a stream into messages (RFC 3261, 18.3, 7.5). It keeps no bytes,
// only how far it has looked, so that a message that comes byte by byte costs no
// more than one that comes at once. The zero value is at the beginning of a stream.
type Framer struct {
	seen int // bytes of the unfinished head that hold no empty line
	need int // length of the message whose head is complete, 0 while it is not
}

// Next looks at what has come and not been taken. It returns what is there and how
// many bytes it has; the caller takes those away and asks again until it says
// Incomplete. After an error the stream is to be closed.
func (f *Framer) Next(buf []byte, lim Limits) (Frame, int, error) {
	if f.need == 0 && f.seen == 0 && len(buf) != 0 && (buf[0] == '\r' || buf[0] == '\n') {
		return keepAlive(buf)
	}
	if f.need == 0 {
		if err := f.head(buf, lim); err != nil || f.need == 0 {
			return Incomplete, 0, err
		}
	}
	if len(buf) < f.need {
		return Incomplete, 0, nil
	}
	n := f.need
	*f = Framer{}
	return Whole, n, nil
}

// keepAlive reads line ends between messages.
func keepAlive(buf []byte) (Frame, int, error) {
	switch {
	case len(buf) == 1 && buf[0] == '\r':
		return Incomplete, 0, nil
	case buf[0] != '\r' || buf[1] != '\n':
		return Pong, 1, nil
	case len(buf) >= 4 && buf[2] == '\r' && buf[3] == '\n':
		return Ping, 4, nil
	case len(buf) == 2, len(buf) == 3 && buf[2] == '\r':
		// More may come and make it a ping; without more it is a pong, which
		// nobody answers.
		return Incomplete, 0, nil
	default:
		return Pong, 2, nil
	}
}

// head looks for the end of the header and for Content-Length.
func (f *Framer) head(buf []byte, lim Limits) error {
	for at := f.seen; ; {
		lf := bytes.IndexByte(buf[at:], '\n')
		if lf < 0 {
			if len(buf) > lim.Head {
				return ErrFrameSize
			}
			f.seen = at
			return nil
		}
		end := at + lf
		if end > lim.Head {
			return ErrFrameSize
		}
		if lineEnd(buf, at, end) == at && at != 0 {
			n, err := bodyLength(buf[:end+1])
			if err != nil {
				return err
			}
			if n > lim.Size-end-1 {
				return ErrFrameSize
			}
			f.need = end + 1 + n
			return nil
		}
		at = end + 1
	}
}

// bodyLength finds the Content-Length of a header.
func bodyLength(head []byte) (int, error) {
	found := -1
	for rest := head; len(rest) != 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || len(line) == 0 || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		if NameOf(trim(line[:colon])) != ContentLength {
			continue
		}
		start := len(head) - len(rest) - len(line) + colon
		for len(rest) != 0 && (rest[0] == ' ' || rest[0] == '\t') {
			_, rest, _ = bytes.Cut(rest, []byte("\n"))
		}
		val := head[start : len(head)-len(rest)]
		n, ok := number(trim(val), 1<<31-1)
		if !ok || found >= 0 {
			return 0, ErrFrameLength
		}
		found = int(n)
	}
	if found < 0 {
		return 0, ErrFrameLength
	}
	return found, nil
}
