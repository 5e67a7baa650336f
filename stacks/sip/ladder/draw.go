package ladder

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is how a ladder is drawn.
type Style struct {
	// Width is how many columns the terminal has; 0: as many as it takes.
	Width int
	// ASCII draws without box characters.
	ASCII bool
}

// least and most characters between two columns, and what is left of the first.
const (
	leastGap = 18
	mostGap  = 40
	margin   = 11
)

// strokes are what a ladder is made of.
type strokes struct{ rail, line, right, left string }

var (
	boxes = strokes{"│", "─", "▶", "◀"}
	plain = strokes{"|", "-", ">", "<"}
)

// Draw draws a call: its title, then an arrow a message. Where there are too many
// addresses for the width it is a list.
func (c *Call) Draw(w io.Writer, st Style) error {
	if len(c.Steps) == 0 {
		return nil
	}
	d := drawing{call: c, s: boxes}
	if st.ASCII {
		d.s = plain
	}
	for _, step := range c.Steps {
		for _, a := range [...]netip.AddrPort{step.From, step.To} {
			if !slices.Contains(d.ends, a) {
				d.ends = append(d.ends, a)
			}
		}
	}
	d.title()
	if !d.columns(st.Width) {
		d.list()
	} else {
		d.head()
		for i := range c.Steps {
			d.arrow(&c.Steps[i])
		}
	}
	if c.Lost > 0 {
		fmt.Fprintf(&d.out, "%d further messages are not shown\n", c.Lost)
	}
	_, err := io.WriteString(w, d.out.String())
	return err
}

// drawing is one ladder being drawn.
type drawing struct {
	call *Call
	s    strokes
	ends []netip.AddrPort
	gap  int // characters between two rails
	out  strings.Builder
}

// title says which call it is and how it went.
func (d *drawing) title() {
	first := d.call.Steps[0]
	fmt.Fprintf(&d.out, "%s: %s", clean(d.call.ID), clean(first.Method))
	if first.FromUser != "" && first.ToUser != "" {
		fmt.Fprintf(&d.out, " from %s to %s", clean(first.FromUser), clean(first.ToUser))
	}
	for _, s := range slices.Backward(d.call.Steps) {
		if s.Code >= 200 && s.Method == first.Method {
			fmt.Fprintf(&d.out, ", %d", s.Code)
			break
		}
	}
	if by := d.call.transports(); len(by) > 1 || by[0] != "udp" {
		fmt.Fprintf(&d.out, ", by %s", strings.Join(by, " and "))
	}
	last := d.call.Steps[len(d.call.Steps)-1]
	fmt.Fprintf(&d.out, ", %s from %s\n", seconds(last.TS-first.TS), time.Unix(0, first.TS).UTC().Format("2006-01-02 15:04:05"))
}

// transports lists what carried the call, in the order of the first message by each.
func (c *Call) transports() []string {
	var list []string
	for i := range c.Steps {
		if by := c.Steps[i].Proto; !slices.Contains(list, by) {
			list = append(list, by)
		}
	}
	return list
}

// columns finds how wide columns are; false: they do not fit.
func (d *drawing) columns(width int) bool {
	n := max(len(d.ends)-1, 1)
	longest := 0
	for i := range d.call.Steps {
		longest = max(longest, utf8.RuneCountInString(label(&d.call.Steps[i]))+6)
	}
	d.gap = min(max(longest, leastGap), mostGap)
	if width > 0 && margin+n*(d.gap+1)+8 > width {
		d.gap = (width-margin-8)/n - 1
	}
	return d.gap >= leastGap
}

// at is where the rail of a column is.
func (d *drawing) at(i int) int { return margin + i*(d.gap+1) }

// head names the columns: by addresses where they fit, else by letters.
func (d *drawing) head() {
	names := make([]string, len(d.ends))
	fits := len(d.ends) <= 26
	for i, a := range d.ends {
		names[i] = a.String()
		fits = fits && len(names[i]) <= d.gap-1
	}
	if !fits {
		for i, a := range d.ends {
			names[i] = letter(i)
			fmt.Fprintf(&d.out, "  %s  %s\n", names[i], a)
		}
	}
	line := row{}
	for i, name := range names {
		line.put(max(0, d.at(i)-len(name)/2), name)
	}
	d.line(line)
}

// letter names a column: A to Z, then AA.
func letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return letter(i/26-1) + letter(i%26)
}

// arrow draws one message.
func (d *drawing) arrow(s *Step) {
	line := row{}
	line.put(0, fmt.Sprintf("%*s", margin-2, seconds(s.TS-d.call.Steps[0].TS)))
	for i := range d.ends {
		line.put(d.at(i), d.s.rail)
	}
	from, to := slices.Index(d.ends, s.From), slices.Index(d.ends, s.To)
	text := label(s)
	if from == to {
		line.put(d.at(from)+2, text+" (to itself)")
		d.line(line)
		return
	}
	lo, hi := min(from, to), max(from, to)
	room := d.at(hi) - d.at(lo) - 1
	if n := utf8.RuneCountInString(text); n > room-5 {
		text = string([]rune(text)[:room-6]) + "~"
	}
	rest := room - 1 - utf8.RuneCountInString(text) - 2
	before := rest / 2
	body := strings.Repeat(d.s.line, before) + " " + text + " " + strings.Repeat(d.s.line, rest-before)
	if from < to {
		body += d.s.right
	} else {
		body = d.s.left + body
	}
	line.put(d.at(lo)+1, body)
	d.line(line)
}

// list writes a line a message.
func (d *drawing) list() {
	for i := range d.call.Steps {
		s := &d.call.Steps[i]
		fmt.Fprintf(&d.out, "%*s  %s > %s  %s\n", margin-2, seconds(s.TS-d.call.Steps[0].TS), s.From, s.To, label(s))
	}
}

// line writes a row without what is blank at its end.
func (d *drawing) line(r row) {
	d.out.WriteString(strings.TrimRight(string(r), " "))
	d.out.WriteByte('\n')
}

// row is a line into which texts are put.
type row []rune

func (r *row) put(at int, text string) {
	runes := []rune(text)
	for len(*r) < at+len(runes) {
		*r = append(*r, ' ')
	}
	copy((*r)[at:], runes)
}

// label is what stands at an arrow: INVITE sdp, 200 OK (BYE), 180 Ringing again.
func label(s *Step) string {
	text := clean(s.Method)
	if s.Code != 0 {
		text = fmt.Sprintf("%d %s", s.Code, clean(s.Reason))
		if s.Method != "INVITE" {
			text += " (" + clean(s.Method) + ")"
		}
	}
	switch s.Body {
	case "":
	case "application/sdp":
		text += " sdp"
	default:
		text += " +" + clean(s.Body)
	}
	if s.Copy {
		text += " again"
	}
	if s.Fault != "" {
		text += " !" + s.Fault
	}
	return text
}

// clean takes out of a peer's words what a terminal could take for orders.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x200b && r <= 0x206f {
			return '?'
		}
		return r
	}, text)
}

// seconds writes a time as people read it in a trace.
func seconds(ns int64) string { return fmt.Sprintf("%.3f s", float64(ns)/1e9) }
