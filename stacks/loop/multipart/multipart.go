// Package multipart reads multipart/form-data (RFC 7578, RFC 2046 section 5.1) as it
// comes: each part is told when its head is there, its bytes as they come, and its end.
// What is kept meanwhile is a part's head, or as many bytes as could be a boundary.
//
// Goroutines: none; a Reader belongs to one goroutine at a time.
package multipart

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
)

// Bounds of what is read.
const (
	// MaxHead is how many bytes the head of a part has at most.
	MaxHead = 8 << 10
	// MaxParts is how many parts a body has at most.
	MaxParts = 1000
	// maxBoundary is RFC 2046's.
	maxBoundary = 70
)

// Errors of bodies that are not read any further.
var (
	ErrBoundary = errors.New("multipart: no boundary, or none that can be one")
	ErrHead     = errors.New("multipart: the head of a part is longer than 8192 bytes")
	ErrLine     = errors.New("multipart: something stands behind a boundary")
	ErrParts    = errors.New("multipart: more than 1000 parts")
	ErrCut      = errors.New("multipart: the body ends before its last boundary")
)

// Kind says what came.
type Kind uint8

// What comes. Each part begins and ends; between there are any number of pieces.
const (
	None Kind = iota // more is needed
	Begin
	Data
	End
)

// Part is what a part's head says.
type Part struct {
	// Name is the field's name, Filename that of a file, empty for other fields; Type is
	// the content type, empty where none is said.
	Name, Filename, Type string
}

// Boundary returns the boundary of a body of that content type; ok is false where it is
// no multipart/form-data.
func Boundary(contentType string) (boundary string, ok bool) {
	media, params, err := mime.ParseMediaType(contentType)
	return params["boundary"], err == nil && media == "multipart/form-data"
}

// state is where a Reader is.
type state uint8

const (
	preamble state = iota
	inHead
	start // of a part
	inBody
	ended // of a part
	epilogue
)

// Reader takes a body in pieces.
type Reader struct {
	delimiter []byte // CRLF, two hyphens and the boundary
	state     state
	buf       []byte // what was fed and not taken
	off       int
	part      Part
	parts     int
}

// NewReader returns a Reader for a body with that boundary.
func NewReader(boundary string) (*Reader, error) {
	if len(boundary) == 0 || len(boundary) > maxBoundary {
		return nil, ErrBoundary
	}
	// The first boundary need not be behind a line's end.
	return &Reader{delimiter: []byte("\r\n--" + boundary), buf: []byte("\r\n")}, nil
}

// Part returns what the head of the part says that is being read, or was last.
func (r *Reader) Part() *Part { return &r.part }

// Feed gives the next bytes of the body, which are copied. Next is called until it
// wants more.
func (r *Reader) Feed(p []byte) {
	r.buf = append(r.buf[:copy(r.buf, r.buf[r.off:])], p...)
	r.off = 0
}

// Next returns what comes next; data, of Data, is lent until the next Feed.
func (r *Reader) Next() (kind Kind, data []byte, err error) {
	for {
		switch r.state {
		case preamble:
			at, more := r.find()
			if at < 0 {
				r.off = more
				return None, nil, nil
			}
			r.off = at + len(r.delimiter)
			r.state = inHead
		case inHead:
			return r.head()
		case start:
			return r.begin()
		case inBody:
			return r.body()
		case ended:
			r.state = inHead
			return End, nil, nil
		default:
			r.off = len(r.buf)
			return None, nil, nil
		}
	}
}

// Close says that the body ended.
func (r *Reader) Close() error {
	if r.state != epilogue {
		return ErrCut
	}
	return nil
}

// find looks for a delimiter and returns where it is, or -1 and up to where there is
// surely none.
func (r *Reader) find() (at, more int) {
	for from := r.off; ; {
		i := bytes.Index(r.buf[from:], r.delimiter)
		if i < 0 {
			return -1, max(r.off, len(r.buf)-len(r.delimiter)+1)
		}
		at := from + i
		switch next := r.buf[at+len(r.delimiter):]; {
		case len(next) == 0 || len(next) == 1 && next[0] == '-':
			return -1, at // not known yet
		case next[0] == '\r' || next[0] == ' ' || next[0] == '\t' || bytes.HasPrefix(next, []byte("--")):
			return at, 0
		}
		from = at + 1 // a longer word
	}
}

// head reads what stands behind a boundary: the end of all, or a part's head.
func (r *Reader) head() (Kind, []byte, error) {
	b := r.buf[r.off:]
	if bytes.HasPrefix(b, []byte("--")) {
		r.state = epilogue
		return r.Next()
	}
	blank := 0
	for blank < len(b) && (b[blank] == ' ' || b[blank] == '\t') {
		blank++
	}
	line := b[blank:]
	if len(line) >= 2 && string(line[:2]) != "\r\n" || len(line) == 1 && line[0] != '\r' {
		return None, nil, ErrLine
	}
	end := bytes.Index(line, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > MaxHead {
			return None, nil, ErrHead
		}
		return None, nil, nil
	}
	if end > MaxHead {
		return None, nil, ErrHead
	}
	if r.parts++; r.parts > MaxParts {
		return None, nil, ErrParts
	}
	if err := r.part.parse(line[2 : end+4]); err != nil {
		return None, nil, err
	}
	r.off += blank + end + 2 // the empty line stays
	r.state = start
	return Begin, nil, nil
}

// begin steps over the empty line behind a head, unless there is nothing behind it: the
// boundary begins with it then.
func (r *Reader) begin() (Kind, []byte, error) {
	b := r.buf[r.off:]
	n := min(len(b), len(r.delimiter))
	if bytes.Equal(b[:n], r.delimiter[:n]) {
		at, _ := r.find()
		switch {
		case at == r.off:
			return r.body()
		case at < 0 && len(b) < len(r.delimiter)+2:
			return None, nil, nil
		}
	}
	r.off += 2
	r.state = inBody
	return r.body()
}

// parse reads a head, with its empty line.
func (p *Part) parse(head []byte) error {
	fields, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(head))).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("multipart: the head of a part: %w", err)
	}
	*p = Part{Type: fields.Get("Content-Type")}
	kind, params, err := mime.ParseMediaType(fields.Get("Content-Disposition"))
	if err != nil || kind != "form-data" {
		return nil // a part without a name, as net/http has it
	}
	p.Name, p.Filename = params["name"], params["filename"]
	return nil
}

// body returns bytes of a part, or its end.
func (r *Reader) body() (Kind, []byte, error) {
	at, more := r.find()
	if at < 0 {
		if more == r.off {
			return None, nil, nil
		}
		data := r.buf[r.off:more]
		r.off = more
		return Data, data, nil
	}
	data := r.buf[r.off:at]
	r.off = at + len(r.delimiter)
	if len(data) == 0 {
		r.state = inHead
		return End, nil, nil
	}
	r.state = ended
	return Data, data, nil
}
