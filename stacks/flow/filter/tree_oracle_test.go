package filter

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// program returns the code that libpcap makes of an expression for packets of a
// link type, before it optimises it, or its error.
func program(t *testing.T, link capture.LinkType, expr string) (code, fault string) {
	t.Helper()
	var file, out, msg bytes.Buffer
	if _, err := capture.NewWriter(&file, link, true); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tcpdump", "-n", "-O", "-d", "-r", "-", expr)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &file, &out, &msg
	if err := cmd.Run(); err != nil {
		return "", lastLine(msg.String())
	}
	return out.String(), ""
}

// linkFor is the link type for which libpcap compiles the tests of an expression.
func linkFor(expr string) capture.LinkType {
	for words, link := range map[string]capture.LinkType{
		"wlan type subtype": capture.LinkTypeIEEE80211, "vpi lane": 123, "fisu": 140, "ifname em0": capture.LinkTypePFLog,
		"$3f": capture.LinkTypeARCNET,
	} {
		for word := range strings.FieldsSeq(words) {
			if strings.Contains(expr, word) {
				return link
			}
		}
	}
	return capture.LinkTypeEthernet
}

// sameOtherwise are expressions that print as something which libpcap makes
// other code of: a range of one port, lengths; and a test for which it makes wrong
// code, which computes before it loads.
var sameOtherwise = map[string]bool{
	"portrange 80":                             true,
	"less 60 or greater 1500":                  true,
	"byte 6 & 1 and byte 7 | 2 and byte 8 = 3": true,
}

// TestTreeAgainstTcpdump has libpcap compile an expression and what we
// understand of it, with everything spelled out: it must be the same program.
func TestTreeAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	exprs := expressions(t)
	for _, tc := range understood {
		exprs = append(exprs, tc.expr)
	}
	compared := 0
	for _, expr := range exprs {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		link := linkFor(expr)
		want, fault := program(t, link, expr)
		got, fault2 := program(t, link, e.String())
		if (fault != fault2 || got != want) && !sameOtherwise[expr] {
			t.Errorf("%s\nprogram %s%s\nbut as %s\nit is %s%s", expr, want, fault, e, got, fault2)
		}
		if fault == "" {
			compared++
		} else {
			t.Logf("%s: %s", expr, fault)
		}
	}
	if compared < 250 {
		t.Errorf("only %d of %d expressions compiled", compared, len(exprs))
	}
}

// TestErrorsAgainstTcpdump asks libpcap about expressions that are an error here.
func TestErrorsAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	for _, tc := range wrong {
		if strings.Contains(tc.hint, "not resolved") {
			continue // it would ask the name server
		}
		if code, _ := program(t, linkFor(tc.expr), tc.expr); code != "" && tc.expr != "proto 256" {
			t.Errorf("%q is an error only here", tc.expr)
		}
	}
}
