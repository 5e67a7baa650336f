package web

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"iter"
	"strings"
)

const (
	// inflateStep is how many bytes are inflated at once: what comes of them is a
	// thousandfold at most.
	inflateStep = 512
	// inflateTurn is how many bytes may come of one turn of the loop; what is left waits
	// for the next, so that no response holds the shard for long.
	inflateTurn = 64 << 10
)

var (
	errInflateOver  = errors.New("nobody wants the rest")
	errInflateAfter = errors.New("bytes behind the end of the compressed content")
	errInflateMost  = errors.New("more than is wanted comes of it")
)

// inflater takes a content coding off a body that comes in pieces (RFC 9110 section
// 8.4.1). The readers of the standard library pull, so one runs as a coroutine, which is
// left where it wants bytes that are not there yet.
type inflater struct {
	in   []byte // came and was not read; lent
	last bool   // nothing more comes
	made bool   // something came at all
	next func() ([]byte, bool)
	stop func()
	// yield gives decoded bytes away, or nil for want of input.
	yield func([]byte) bool
	err   error // why it ended, nil where that was the end of the content
}

// newInflater returns what takes a coding off, nil for one that it does not know or for
// none. It is stopped at its end, or leaks its coroutine. Nothing of it may be called in a
// handler: some run bound to their thread, where a coroutine of another cannot be entered.
func newInflater(coding string) *inflater {
	z := &inflater{}
	var open func() (io.Reader, error)
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "gzip", "x-gzip":
		open = func() (io.Reader, error) { return gzip.NewReader(z) }
	case "deflate":
		open = z.openDeflate
	default:
		return nil
	}
	z.next, z.stop = iter.Pull(func(yield func([]byte) bool) {
		z.yield = yield
		z.err = z.run(open)
	})
	return z
}

// run is the coroutine: it gives away what it decodes until the end, or until it fails.
func (z *inflater) run(open func() (io.Reader, error)) error {
	r, err := open()
	switch {
	case err == io.EOF && !z.made:
		return nil // no content at all: that is what some send
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	for buf := make([]byte, 8<<10); ; {
		n, err := r.Read(buf)
		switch {
		case n > 0 && !z.yield(buf[:n]):
			return errInflateOver
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// openDeflate reads content in zlib's format, as the standard has it, or without, as
// some servers send it: the first two bytes tell (RFC 1950 section 2.2).
func (z *inflater) openDeflate() (io.Reader, error) {
	b := bufio.NewReader(z)
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	var r io.Reader = flate.NewReader(b)
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		if r, err = zlib.NewReader(b); err != nil {
			return nil, err
		}
	}
	return &wholly{r, b}, nil
}

// wholly reads r, and refuses what stands behind its end.
type wholly struct{ r, rest io.Reader }

// Read implements [io.Reader].
func (w *wholly) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != io.EOF {
		return n, err
	}
	if more, _ := w.rest.Read(make([]byte, 1)); more > 0 {
		err = errInflateAfter
	}
	return n, err
}

// want waits for input.
func (z *inflater) want() error {
	for len(z.in) == 0 {
		if z.last {
			return io.EOF
		}
		if !z.yield(nil) {
			return errInflateOver
		}
	}
	return nil
}

// Read gives the decoder bytes that came.
func (z *inflater) Read(p []byte) (int, error) {
	if err := z.want(); err != nil {
		return 0, err
	}
	n := copy(p, z.in)
	z.in = z.in[n:]
	return n, nil
}

// ReadByte gives it one; without it gzip would put a buffer between.
func (z *inflater) ReadByte() (byte, error) {
	if len(z.in) == 0 {
		if err := z.want(); err != nil {
			return 0, err
		}
	}
	b := z.in[0]
	z.in = z.in[1:]
	return b, nil
}

// append decodes p behind dst, which grows to most bytes at most. last says that nothing
// follows p.
func (z *inflater) append(dst, p []byte, last bool, most int64) ([]byte, error) {
	z.in, z.last, z.made = p, last, z.made || len(p) > 0
	for {
		out, more := z.next()
		switch {
		case !more && z.err == nil && len(z.in) > 0:
			return dst, errInflateAfter
		case !more:
			return dst, z.err
		case out == nil:
			return dst, nil
		case int64(len(dst)+len(out)) > most:
			return dst, errInflateMost
		}
		dst = append(dst, out...)
	}
}
