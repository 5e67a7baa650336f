package sip

import (
	"fmt"
	"strings"
	"testing"
)

// TestKept keeps the latest messages of either way, and of long ones the beginning.
func TestKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.MaxKept = 100 }, quiet...)
	if list, _ := r.stack.Kept(0, 10); len(list) != 0 {
		t.Errorf("before anything came: %v", list)
	}
	r.invite()
	list, next := r.stack.Kept(0, 2)
	rest, end := r.stack.Kept(next, 100)
	var got []string
	for _, k := range append(list, rest...) {
		line, _, _ := strings.Cut(string(k.Raw), " ")
		got = append(got, fmt.Sprint(line, " ", k.From, " ", k.To))
	}
	want := "[INVITE 192.0.2.1:5060 192.0.2.100:5060 SIP/2.0 192.0.2.100:5060 192.0.2.1:5060 INVITE 192.0.2.100:5060 192.0.2.11:5060]"
	if fmt.Sprint(got) != want || end != 3 {
		t.Errorf("%v, next %d", got, end)
	}
	for i := range 300 {
		r.recv("caller", dialogRequest("OPTIONS", i, fmt.Sprint("o", i), "", "X: "+strings.Repeat("x", 5000)))
	}
	list, next = r.stack.Kept(0, 1000)
	if len(list) != 100 || next != r.stack.journal.all {
		t.Errorf("%d are kept, next %d", len(list), next)
	}
	for _, k := range list {
		if len(k.Raw) > keptBytes {
			t.Errorf("%d bytes of one are kept", len(k.Raw))
		}
	}
	if again, _ := r.stack.Kept(next, 1000); len(again) != 0 {
		t.Error("messages that did not come")
	}
}
