package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/trace"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// packetWriter writes what became of the packets of a replay as a capture with comments.
type packetWriter struct {
	src   *merged
	notes *trace.Notes

	to     *capture.NgWriter
	commit func() error
	drop   func() error
	paths  []string
	ifaces map[ifaceOf]int

	text    []byte
	written uint64
	err     error // the first of any write
}

// ifaceOf is an interface of one of the captures that are read.
type ifaceOf struct {
	file, iface int
	link        capture.LinkType
}

// newPacketWriter begins the capture at path, "-" for stdout.
func newPacketWriter(path string, stdout io.Writer, src *merged, paths []string, notes *trace.Notes) (*packetWriter, error) {
	w := &packetWriter{src: src, notes: notes, paths: paths, ifaces: map[ifaceOf]int{}}
	if path == "-" {
		out := bufio.NewWriterSize(stdout, 256<<10)
		to, err := capture.NewNgWriter(out, "hookd "+version)
		w.to, w.commit, w.drop = to, out.Flush, func() error { return nil }
		return w, err
	}
	f, err := capture.CreateNg(path, "hookd "+version)
	if err != nil {
		return nil, err
	}
	w.to, w.commit, w.drop = f.NgWriter, f.Commit, f.Discard
	return w, nil
}

// outcome takes what became of a packet: [flow.Config].Forward.
func (w *packetWriter) outcome(o *flow.Outcome) {
	if w.err != nil {
		return
	}
	w.comment(o)
	if o.Action == flow.Dropped {
		return
	}
	f := capture.Frame{Data: o.Data, WireLen: o.WireLen, TS: o.TS, Link: capture.LinkType(o.Link)}
	if w.err = w.to.WriteFrame(w.iface(f.Link), &f, w.text); w.err == nil {
		w.written++
	}
}

// send takes a packet that a script sends: [flow.Config].Send.
func (w *packetWriter) send(o *flow.Outcome) error {
	if w.err != nil {
		return w.err
	}
	f := capture.Frame{Data: o.Data, WireLen: o.WireLen, TS: o.TS, Link: capture.LinkType(o.Link)}
	if w.err = w.to.WriteFrame(w.iface(f.Link), &f, append(w.text[:0], "sent by a script"...)); w.err == nil {
		w.written++
	}
	return w.err
}

// comment puts into w.text what is said of a packet: its connection, what made it, what rules
// decided about it, and which decision cut its connection before.
func (w *packetWriter) comment(o *flow.Outcome) {
	b, id := w.text[:0], uint64(0)
	if o.Conn != nil {
		id = o.Conn.ID()
		b = append(b, "connection "...)
		b = strconv.AppendUint(b, id, 10)
	}
	earlier := ""
	if o.Verdict >= flowev.VerdictCut || o.Conn != nil && strictest(o.Conn) >= flowev.VerdictCut {
		earlier = w.cutBy(o, id)
	}
	switch o.Action {
	case flow.Injected:
		b = append(b, "; RST made"...)
		if earlier != "" {
			b = append(append(b, "; "...), earlier...)
		}
	default:
		n := len(b)
		if o.Blocked != "" {
			if n > 0 {
				b = append(b, "; "...)
			}
			b = append(append(b, "blocked: "...), o.Blocked...)
		}
		b = w.notes.Take(b, id)
		if earlier != "" && len(b) == n {
			b = append(append(b, "; cut before: "...), earlier...)
		}
	}
	w.text = b
}

// decisionKey is what the text of the decision that cut a connection hangs on it by.
type decisionKey struct{}

// cutBy returns the decision that cut the connection of a packet, and remembers it there.
func (w *packetWriter) cutBy(o *flow.Outcome, id uint64) string {
	if o.Conn == nil {
		return ""
	}
	slots := o.Conn.Slots()
	if v := flowev.Family.Verdict(strictest(o.Conn)); v != nil {
		if text := w.notes.Deciding(id, flowev.Family.Name+"."+v.Name); text != "" {
			slots.Set(decisionKey{}, text)
		}
	}
	text, _ := slots.Get(decisionKey{}).(string)
	return text
}

// strictest returns what rules decided about the whole of a connection so far.
func strictest(c flowev.Conn) event.VerdictKind {
	if v, ok := c.(interface{ Verdict() event.VerdictKind }); ok {
		return v.Verdict()
	}
	return event.None
}

// iface returns the interface that the packet at hand was captured on.
func (w *packetWriter) iface(link capture.LinkType) int {
	at := ifaceOf{file: w.src.file, iface: w.src.iface, link: link}
	n, ok := w.ifaces[at]
	if !ok {
		name := filepath.Base(w.paths[at.file])
		if at.iface > 0 {
			name += ":" + strconv.Itoa(at.iface)
		}
		n = w.to.AddInterface(link, name)
		w.ifaces[at] = n
	}
	return n
}

// finish puts the capture in its place, or takes it away where it could not be written.
func (w *packetWriter) finish() error {
	if w.err != nil {
		_ = w.drop() // what could not be written says more
		return w.err
	}
	return w.commit()
}

// notAmong refuses to write over a capture that is read.
func notAmong(out string, paths []string) error {
	to, err := os.Stat(out)
	if err != nil || out == "-" {
		return nil // what is not there is none of them
	}
	for _, p := range paths {
		if from, err := os.Stat(p); err == nil && os.SameFile(from, to) {
			return usagef("--write %s: it is one of the captures that are read", out)
		}
	}
	return nil
}

// verdictMode reads --verdicts.
func verdictMode(word string) (flow.VerdictMode, error) {
	switch word {
	case "record":
		return flow.Record, nil
	case "apply":
		return flow.Apply, nil
	}
	return 0, usagef("--verdicts %s: record or apply", word)
}

// forwarded tells a person what passed, where verdicts are applied.
func (h *house) forwarded(w io.Writer, fs flow.Stats) {
	if h.stack.Verdicts != flow.Apply {
		return
	}
	fmt.Fprintf(w, "verdicts applied: %d packets forwarded, %d dropped", fs.Frames-fs.Stopped, fs.Stopped)
	if fs.Swallowed > 0 {
		fmt.Fprintf(w, " (%d of connections cut before)", fs.Swallowed)
	}
	fmt.Fprintf(w, ", %d RSTs made\n", fs.Injected)
	writeCounts(w, "not done", []count{
		{fs.NotInjected, "RSTs that could not be made"},
		{fs.NotReplaced, "packets that could not be replaced, dropped"},
		{fs.Conflicts, "fields replaced otherwise by an earlier rule"},
		{fs.AliasesTaken, "connections given addresses and ports that another has"},
	})
}
