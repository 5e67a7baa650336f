package wsframe

import (
	"bytes"
	"compress/flate"
	"io"
)

// window is how far back deflate refers (RFC 1951).
const window = 32 << 10

// keptFlaters is how many compressors, and how many decompressors, a Flater keeps.
const keptFlaters = 4

// Flater has the compressors that Readers and Writers of one goroutine take turns
// with, so that an idle connection has none. The zero value is ready for use.
type Flater struct {
	in  []*inflater
	out []*deflater
}

type inflater struct {
	src  bytes.Reader
	tail bytes.Reader
	r    io.ReadCloser
}

type deflater struct {
	dst bytes.Buffer
	w   *flate.Writer
}

// tail is what a sender cut from the end of a message (RFC 7692 section 7.2.2), and
// behind it an empty last block, at which the stream ends.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// Read reads the message and then the tail.
func (f *inflater) Read(p []byte) (int, error) {
	if f.src.Len() > 0 {
		return f.src.Read(p)
	}
	return f.tail.Read(p)
}

// ReadByte reads a byte of the message or of the tail; without it a decompressor
// would put a buffer between.
func (f *inflater) ReadByte() (byte, error) {
	if f.src.Len() > 0 {
		return f.src.ReadByte()
	}
	return f.tail.ReadByte()
}

func (f *Flater) inflater(p, dict []byte) *inflater {
	var z *inflater
	if n := len(f.in); n > 0 {
		z, f.in = f.in[n-1], f.in[:n-1]
	} else {
		z = new(inflater)
		z.r = flate.NewReader(z)
	}
	z.src.Reset(p)
	z.tail.Reset([]byte(tail))
	// It has no way to fail: its reader is the one it was made with.
	_ = z.r.(flate.Resetter).Reset(z, dict)
	return z
}

func (f *Flater) putInflater(z *inflater) {
	if z.src.Reset(nil); len(f.in) < keptFlaters {
		f.in = append(f.in, z)
	}
}

// inflate returns a compressed message as it was, at most MaxMessage bytes of it.
func (r *Reader) inflate(p []byte) ([]byte, error) {
	z := r.cfg.Flater.inflater(p, r.window)
	defer r.cfg.Flater.putInflater(z)
	out := make([]byte, 0, min(4*len(p)+64, r.cfg.MaxMessage+1))
	for {
		if len(out) == cap(out) {
			bigger := make([]byte, len(out), min(2*cap(out), r.cfg.MaxMessage+1))
			copy(bigger, out)
			out = bigger
		}
		n, err := z.r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > r.cfg.MaxMessage {
			return nil, &Error{TooBig, "message too big"}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &Error{InvalidData, "message does not inflate"}
		}
	}
	if r.cfg.Deflate.takeover(!r.cfg.Server) {
		r.remember(out)
	}
	return out, nil
}

// remember keeps the last bytes, to which the next message can refer.
func (r *Reader) remember(out []byte) {
	if len(out) >= window {
		r.window = append(r.window[:0], out[len(out)-window:]...)
		return
	}
	if over := len(r.window) + len(out) - window; over > 0 {
		r.window = r.window[:copy(r.window, r.window[over:])]
	}
	r.window = append(r.window, out...)
}

// deflate returns p compressed, lent until the next call.
func (f *Flater) deflate(p []byte) []byte {
	var z *deflater
	if n := len(f.out); n > 0 {
		z, f.out = f.out[n-1], f.out[:n-1]
	} else {
		z = new(deflater)
		// The level is one that exists, and that is all there is to go wrong.
		z.w, _ = flate.NewWriter(&z.dst, flate.BestSpeed)
	}
	z.dst.Reset()
	z.w.Reset(&z.dst)
	// A bytes.Buffer takes everything.
	_, _ = z.w.Write(p)
	_ = z.w.Flush()
	if len(f.out) < keptFlaters && z.dst.Cap() <= 1<<20 {
		f.out = append(f.out, z)
	}
	return bytes.TrimSuffix(z.dst.Bytes(), []byte(tail[:4]))
}
