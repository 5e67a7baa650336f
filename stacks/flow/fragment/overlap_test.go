package fragment_test

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Fragments as the literature draws them: a digit is eight bytes.
var (
	// novak are those by which Shankar and Paxson (2003), and after them Novak, told hosts apart.
	novak = []drawn{{0, "111"}, {4, "22"}, {6, "333"}, {1, "4444"}, {6, "555"}, {9, "666"}}
	// around are such that a later one reaches around an earlier, or ends where it does.
	around = []drawn{{2, "11"}, {6, "22"}, {1, "3333"}, {5, "444"}, {0, "5"}, {8, "6"}}
)

type drawn struct {
	at    int
	units string
}

// TestOverlap has every policy put the same fragments together; the first outcomes are Novak's.
func TestOverlap(t *testing.T) {
	t.Parallel()
	rows := []struct {
		policy        fragment.Overlap
		novak, around string
	}{
		{fragment.OverlapBSD, "111442333666", "533334446"},
		{fragment.OverlapFirst, "111422333666", "531134226"},
		{fragment.OverlapLast, "144442555666", "533334446"},
		{fragment.OverlapBSDRight, "144422555666", "531134226"},
		{fragment.OverlapLinux, "111442555666", "533334446"},
		{fragment.OverlapWindows, "111422333666", "533334226"},
		{fragment.OverlapSolaris, "111422333666", "533334446"},
	}
	for _, r := range rows {
		for _, c := range []struct {
			list []drawn
			want string
		}{{novak, r.novak}, {around, r.around}} {
			if got := together(t, r.policy, c.list); got != c.want {
				t.Errorf("%v: %s, want %s", r.policy, got, c.want)
			}
		}
	}
	if got := fragment.OverlapNames(); len(got) != int(fragment.OverlapDiscard)+1 || got[fragment.OverlapBSD] != "bsd" || fragment.OverlapDiscard.String() != "discard" {
		t.Errorf("the policies are called %v", got)
	}
}

// together returns what becomes of the fragments in the order given, of which the last ends the datagram.
func together(t *testing.T, policy fragment.Overlap, list []drawn) string {
	t.Helper()
	table := fragment.New(fragment.Config{Overlap: policy})
	var p packet.Packet
	total := 0
	for i, d := range list {
		last := i == len(list)-1
		var body strings.Builder
		for _, c := range d.units {
			body.WriteString(strings.Repeat(string(c), 8))
		}
		total = max(total, d.at+len(d.units))
		// A UDP header goes before, so that the datagram is a whole one.
		frame := piece(8+8*d.at, !last, body.String())
		p.Decode(1, frame, len(frame), start)
		table.Add(&p)
	}
	frame := piece(0, true, header(8*total))
	p.Decode(1, frame, len(frame), start)
	if got := table.Add(&p); got != fragment.Whole {
		t.Fatalf("%v: the last missing fragment is %v", policy, got)
	}
	var out strings.Builder
	for b := p.Payload(); len(b) >= 8; b = b[8:] {
		out.WriteByte(b[0])
	}
	return out.String()
}
