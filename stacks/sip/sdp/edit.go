package sdp

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Filter leaves codecs out of the media of a type, all of them where it is empty, and returns
// the message's body without those and how many there were. wanted is asked for each codec;
// one that repeats another stays as long as that does. A medium that has none left is refused:
// its port becomes 0 (RFC 3264, 6). What is no RTP stays.
func Filter(m *msg.Message, of string, wanted func(*Codec) bool) (body []byte, removed int) {
	media, _ := Read(m)
	e := edit{m: m}
	gone := make([]map[string]bool, len(media)+1) // formats by the number of their medium, from 1
	for i := range media {
		d := &media[i]
		if of != "" && d.Type != of || !d.rtp() || d.Port == 0 {
			continue
		}
		out := d.unwanted(wanted)
		removed += len(out)
		switch {
		case len(out) == 0:
		case d.empty(out):
			e.rewrite(d, "0", nil)
		default:
			e.rewrite(d, "", out)
			gone[i+1] = out
		}
	}
	if removed == 0 {
		return nil, 0
	}
	e.attributes(gone)
	return e.apply(), removed
}

// unwanted returns the formats that are left out.
func (d *Medium) unwanted(wanted func(*Codec) bool) map[string]bool {
	out := map[string]bool{}
	for i := range d.Codecs {
		if c := &d.Codecs[i]; c.tied == "" && !wanted(c) {
			out[c.Format] = true
		}
	}
	for _, c := range d.Codecs {
		if c.tied != "" && (out[c.tied] || d.codec(c.tied) == nil) {
			out[c.Format] = true
		}
	}
	return out
}

// empty reports whether a medium has no format but those.
func (d *Medium) empty(out map[string]bool) bool {
	return !slices.ContainsFunc(d.Codecs, func(c Codec) bool { return !out[c.Format] })
}

// Refuse returns the message's body with the port 0 for all media of a type, and how many
// those are.
func Refuse(m *msg.Message, of string) (body []byte, refused int) {
	media, _ := Read(m)
	e := edit{m: m}
	for i := range media {
		if d := &media[i]; d.Type == of && d.Port != 0 {
			e.rewrite(d, "0", nil)
			refused++
		}
	}
	if refused == 0 {
		return nil, 0
	}
	return e.apply(), refused
}

// edit is changes of a session description, in the order of their places.
type edit struct {
	m     *msg.Message
	spots []spot
}

// spot is bytes of the description that something takes the place of.
type spot struct {
	from, to int
	text     string
}

// rewrite writes an m= line anew: with a port, where that is said, and without some formats.
func (e *edit) rewrite(d *Medium, port string, out map[string]bool) {
	f := strings.Fields(string(d.line.Value))
	if port != "" {
		f[1] = port
	}
	kept := f[:3:3]
	for _, format := range f[3:] {
		if !out[format] {
			kept = append(kept, format)
		}
	}
	e.spots = append(e.spots, spot{d.line.Offset, d.line.Offset + len(d.line.Value), strings.Join(kept, " ")})
}

// attributes takes the lines away that are about formats which are gone.
func (e *edit) attributes(gone []map[string]bool) {
	text, _ := e.m.SDP()
	msg.SDPLines(text, func(l msg.SDPLine) bool {
		if l.Type != 'a' || l.Media >= len(gone) || gone[l.Media] == nil {
			return true
		}
		name, value, _ := strings.Cut(string(l.Value), ":")
		format, _, _ := strings.Cut(value, " ")
		switch name {
		case "rtpmap", "fmtp", "rtcp-fb":
			if gone[l.Media][format] {
				end := len(text)
				if lf := bytes.IndexByte(text[l.Offset:], '\n'); lf >= 0 {
					end = l.Offset + lf + 1
				}
				e.spots = append(e.spots, spot{l.Offset - 2, end, ""})
			}
		}
		return true
	})
}

// apply returns the body as it is after the changes.
func (e *edit) apply() []byte {
	_, offset := e.m.SDP()
	body := e.m.Body()
	slices.SortFunc(e.spots, func(a, b spot) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	done := 0
	for _, s := range e.spots {
		out = append(append(out, body[done:offset+s.from]...), s.text...)
		done = offset + s.to
	}
	return append(out, body[done:]...)
}
