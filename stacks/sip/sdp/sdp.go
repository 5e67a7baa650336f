package sdp

import (
	"strconv"
	"strings"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Codec is one format of a medium.
type Codec struct {
	Format string // payload type, or another word where the medium is no RTP
	Name   string // as a=rtpmap says, or RFC 3551 of static types; empty where neither does
	Rate   uint32 // in Hz; 0 where it is not known
	tied   string // format that it repeats (RFC 4588, apt)
}

// Medium is one m= line and what belongs to it.
type Medium struct {
	Type      string // audio, video, message, …
	Port      uint16 // 0: it is refused, or was given up
	Proto     string // RTP/AVP, RTP/SAVPF, …
	Address   string // of its c= line, or of the session's
	Direction string // sendrecv, sendonly, recvonly or inactive
	Codecs    []Codec

	line msg.SDPLine // the m= line
}

// rtp reports whether formats are payload types.
func (d *Medium) rtp() bool { return strings.Contains(d.Proto, "RTP/") }

// Read returns the media of a message's session description in order; false where it has
// none. What cannot be read of a line is left out.
func Read(m *msg.Message) ([]Medium, bool) {
	text, _ := m.SDP()
	if text == nil {
		return nil, false
	}
	var list []Medium
	session := Medium{Direction: "sendrecv"}
	msg.SDPLines(text, func(l msg.SDPLine) bool {
		d := &session
		if l.Type == 'm' {
			list = append(list, medium(l, &session))
			return true
		}
		if len(list) != 0 {
			d = &list[len(list)-1]
		}
		d.read(l)
		return true
	})
	for i := range list {
		list[i].static()
	}
	return list, true
}

// medium reads an m= line: "audio 4000/2 RTP/AVP 0 8".
func medium(l msg.SDPLine, session *Medium) Medium {
	d := Medium{Address: session.Address, Direction: session.Direction, line: l}
	f := strings.Fields(string(l.Value))
	if len(f) < 3 {
		return d
	}
	port, _, _ := strings.Cut(f[1], "/")
	n, _ := strconv.ParseUint(port, 10, 16)
	d.Type, d.Port, d.Proto = f[0], uint16(n), f[2]
	for _, format := range f[3:] {
		d.Codecs = append(d.Codecs, Codec{Format: format})
	}
	return d
}

// read reads a line below an m= line, or of the session.
func (d *Medium) read(l msg.SDPLine) {
	switch l.Type {
	case 'c':
		if f := strings.Fields(string(l.Value)); len(f) == 3 {
			d.Address, _, _ = strings.Cut(f[2], "/") // a time to live may follow
		}
	case 'a':
		name, value, _ := strings.Cut(string(l.Value), ":")
		switch name {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			d.Direction = name
		case "rtpmap":
			format, codec, _ := strings.Cut(value, " ")
			if c := d.codec(format); c != nil {
				f := strings.Split(strings.TrimSpace(codec), "/")
				c.Name = f[0]
				if len(f) > 1 {
					n, _ := strconv.ParseUint(f[1], 10, 32)
					c.Rate = uint32(n)
				}
			}
		case "fmtp":
			format, params, _ := strings.Cut(value, " ")
			if c := d.codec(format); c != nil {
				c.tied = tied(params)
			}
		}
	}
}

// tied returns apt of the parameters of a format.
func tied(params string) string {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(p), "="); ok && name == "apt" {
			return value
		}
	}
	return ""
}

func (d *Medium) codec(format string) *Codec {
	for i := range d.Codecs {
		if d.Codecs[i].Format == format {
			return &d.Codecs[i]
		}
	}
	return nil
}

// static names the payload types that have no a=rtpmap.
func (d *Medium) static() {
	if !d.rtp() {
		return
	}
	for i := range d.Codecs {
		c := &d.Codecs[i]
		if known, ok := assigned[c.Format]; ok && c.Name == "" {
			c.Name, c.Rate = known.Name, known.Rate
		}
	}
}

// assigned are the payload types that mean the same everywhere (RFC 3551, 6).
var assigned = map[string]Codec{
	"0": {Name: "PCMU", Rate: 8000}, "3": {Name: "GSM", Rate: 8000}, "4": {Name: "G723", Rate: 8000}, "5": {Name: "DVI4", Rate: 8000},
	"6": {Name: "DVI4", Rate: 16000}, "7": {Name: "LPC", Rate: 8000}, "8": {Name: "PCMA", Rate: 8000}, "9": {Name: "G722", Rate: 8000},
	"10": {Name: "L16", Rate: 44100}, "11": {Name: "L16", Rate: 44100}, "12": {Name: "QCELP", Rate: 8000}, "13": {Name: "CN", Rate: 8000},
	"14": {Name: "MPA", Rate: 90000}, "15": {Name: "G728", Rate: 8000}, "16": {Name: "DVI4", Rate: 11025}, "17": {Name: "DVI4", Rate: 22050},
	"18": {Name: "G729", Rate: 8000}, "25": {Name: "CelB", Rate: 90000}, "26": {Name: "JPEG", Rate: 90000}, "28": {Name: "nv", Rate: 90000},
	"31": {Name: "H261", Rate: 90000}, "32": {Name: "MPV", Rate: 90000}, "33": {Name: "MP2T", Rate: 90000}, "34": {Name: "H263", Rate: 90000},
}
