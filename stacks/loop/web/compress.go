package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

const (
	minCompress = 256       // bytes that are worth it
	maxCompress = 256 << 10 // bytes that do not hold the shard for long
	keptZips    = 2
)

func statusText(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	return "refused"
}

// compressible reports whether content of that type gets smaller.
func compressible(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	kind = strings.TrimSpace(kind)
	switch kind {
	case "application/json", "application/javascript", "application/xml", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

// takesGzip reports whether Accept-Encoding has gzip, and not to refuse it (RFC 9110
// section 12.5.3).
func takesGzip(accept string) bool {
	for e := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(e, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q := strings.ReplaceAll(strings.ToLower(params), " ", "")
		return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
	}
	return false
}

// compress returns a body as it is sent, with the fields that say how, where the
// listener compresses and the client takes it.
func (d *desk) compress(s *server, out, body []byte, f *answerFields) ([]byte, []byte) {
	if !s.opt.compress || f.coded || !f.compressible || len(body) < minCompress || len(body) > maxCompress {
		return out, body
	}
	out = append(out, "Vary: Accept-Encoding\r\n"...)
	if accept, _ := s.req.Header("accept-encoding"); !takesGzip(accept) {
		return out, body
	}
	var b bytes.Buffer
	z := d.zip(&b)
	_, err := z.Write(body)
	if closeErr := z.Close(); err != nil || closeErr != nil || b.Len() >= len(body) {
		return out, body
	}
	if len(d.zips) < keptZips {
		d.zips = append(d.zips, z)
	}
	return append(out, "Content-Encoding: gzip\r\n"...), b.Bytes()
}

func (d *desk) zip(b *bytes.Buffer) *gzip.Writer {
	n := len(d.zips)
	if n == 0 {
		z, _ := gzip.NewWriterLevel(b, gzip.BestSpeed) // the level exists
		return z
	}
	z := d.zips[n-1]
	d.zips = d.zips[:n-1]
	z.Reset(b)
	return z
}
