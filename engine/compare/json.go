package compare

import (
	"encoding/json"
	"io"

	"github.com/hookd/hookd/engine/event"
)

// Version is the version of the JSON lines.
const Version = 1

// JSON writes differences as JSON lines, the summary as the last one.
type JSON struct {
	Shown

	enc *json.Encoder
	err error
}

// NewJSON returns a writer of lines to w.
func NewJSON(w io.Writer) *JSON {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &JSON{enc: enc}
}

// Err returns the first error of any write.
func (j *JSON) Err() error { return j.err }

type line struct {
	V       int             `json:"v"`
	Packet  uint64          `json:"packet,omitempty"`
	TS      json.RawMessage `json:"ts"`
	Conn    uint64          `json:"conn,omitempty"`
	Subject string          `json:"subject,omitempty"`
	Point   string          `json:"point,omitempty"`
	Alert   string          `json:"alert,omitempty"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Old     *said           `json:"old"`
	New     *said           `json:"new"`
}

// said is what one side said: a verdict, or an alert's presence.
type said struct {
	Verdict string `json:"verdict,omitempty"`
	Rules   []Rule `json:"rules"`
}

// Write writes one difference.
func (j *JSON) Write(at Place, d Difference) {
	if !j.next() {
		return
	}
	l := line{V: Version, Packet: at.Packet, TS: event.AppendJSONTime(nil, at.TS)}
	subject := func(conn uint64, words string) { l.Conn, l.Subject = conn, words }
	alert := func(a *Alert) *said {
		if a == nil {
			return nil
		}
		subject(a.Conn, a.Subject)
		l.Alert = a.Name
		if a.Fields != "" {
			l.Fields = json.RawMessage(a.Fields)
		}
		return &said{Rules: []Rule{a.Rule}}
	}
	l.Old, l.New = alert(d.OldAlert), alert(d.NewAlert)
	if was := d.Old; was != nil {
		subject(was.Conn, was.Subject)
		l.Point, l.Old = was.Point, &said{was.Verdict, was.Rules}
	}
	if is := d.New; is != nil {
		subject(is.Conn, is.Subject)
		l.Point, l.New = is.Point, &said{is.Verdict, is.Rules}
	}
	j.encode(l)
}

// Summary writes the last line.
func (j *JSON) Summary(packets uint64, c *Comparison) {
	type side struct {
		Decisions uint64 `json:"decisions"`
		Observed  uint64 `json:"observed"`
		Alerts    uint64 `json:"alerts"`
		Errors    uint64 `json:"errors"`
		First     string `json:"first_error,omitempty"`
	}
	of := func(s *Side) side { return side{s.Decisions, s.Observed, s.Alerts, s.Errors, s.FirstError} }
	j.encode(struct {
		V       int    `json:"v"`
		Summary Total  `json:"summary"`
		More    uint64 `json:"not_shown,omitempty"`
		Packets uint64 `json:"packets"`
		Old     side   `json:"old"`
		New     side   `json:"new"`
	}{Version, c.Total, j.more, packets, of(c.Old), of(c.New)})
}

func (j *JSON) encode(v any) {
	if j.err == nil {
		j.err = j.enc.Encode(v)
	}
}
