package filter

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// samplesFile writes samples as a capture; the time of each is its index.
func samplesFile(t testing.TB, link uint16, samples []sample) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkType(link), true)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		f := capture.Frame{Data: s.data, WireLen: s.wireLen, TS: int64(i) * 1e9, Link: capture.LinkType(link)}
		if err := w.WriteFrame(&f); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// selection makes a string of 0 and 1, one for each sample.
func selection(samples []sample, match func(s *sample) bool) string {
	selected := bytes.Repeat([]byte{'0'}, len(samples))
	for i := range samples {
		if match(&samples[i]) {
			selected[i] = '1'
		}
	}
	return string(selected)
}

// compiled is an expression as both kinds of program.
type compiled struct {
	matcher *Matcher
	code    []bpf.Instruction
	// usesLen says that the code asks for the packet's length, which the virtual
	// machine takes for the captured one.
	usesLen bool
	vm      *bpf.VM
}

func compileFor(t testing.TB, link uint16, expr string) (compiled, error) {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		return compiled{}, err
	}
	m, err := e.Matcher(link)
	raw, err2 := e.BPF(link, 0)
	if (err == nil) != (err2 == nil) {
		t.Errorf("%.200q: matcher: %v, BPF: %v", expr, err, err2)
	}
	if err != nil || err2 != nil {
		return compiled{}, errors.Join(err, err2)
	}
	code, all := bpf.Disassemble(raw)
	if !all {
		t.Fatalf("%.200q: not all of the program is BPF", expr)
	}
	c := compiled{matcher: m, code: code}
	for _, in := range code {
		_, ext := in.(bpf.LoadExtension)
		c.usesLen = c.usesLen || ext
	}
	if c.vm, err = bpf.NewVM(code); err != nil {
		t.Fatalf("%.200q: %v", expr, err)
	}
	return c, nil
}

// run lets the program decide in the virtual machine.
func (c *compiled) run(t testing.TB, s *sample) bool {
	t.Helper()
	vm := c.vm
	if c.usesLen && s.wireLen != len(s.data) {
		code := make([]bpf.Instruction, len(c.code))
		for i, in := range c.code {
			if _, ok := in.(bpf.LoadExtension); ok {
				in = bpf.LoadConstant{Dst: bpf.RegA, Val: uint32(s.wireLen)}
			}
			code[i] = in
		}
		var err error
		if vm, err = bpf.NewVM(code); err != nil {
			t.Fatal(err)
		}
	}
	n, err := vm.Run(s.data)
	if err != nil {
		t.Fatal(err)
	}
	return n != 0
}

// difference describes where two selections differ.
func difference(samples []sample, got, want string) string {
	var b strings.Builder
	for i, s := range samples {
		if got[i] != want[i] {
			fmt.Fprintf(&b, "\n  %c, want %c: %s, %d of %d bytes", got[i], want[i], s.name, len(s.data), s.wireLen)
		}
		if b.Len() > 1000 {
			b.WriteString(" ...")
			break
		}
	}
	return b.String()
}

// checkFilters compares what both programs select with what they should.
func checkFilters(t *testing.T, c *compiled, samples []sample, expr, want string) {
	t.Helper()
	if got := selection(samples, func(s *sample) bool { return c.matcher.Match(s.data, s.wireLen) }); got != want {
		t.Errorf("%q: matcher: %s", expr, difference(samples, got, want))
	}
	step := 1 + len(samples)/1000 // the virtual machine is slow
	for i := 0; i < len(samples); i += step {
		s := &samples[i]
		if got := c.run(t, s); got != (want[i] == '1') && !tooManyHeaders(expr, s) {
			t.Errorf("%q: BPF: %v of %s, %d of %d bytes", expr, got, s.name, len(s.data), s.wireLen)
		}
	}
}

// tooManyHeaders says of protochain that a packet may have more headers than a
// BPF program looks behind.
func tooManyHeaders(expr string, s *sample) bool {
	return strings.Contains(expr, "protochain") && len(s.data) > 8*(maxChained+1)
}

// compareFilters checks both programs of an expression against what libpcap's
// selects of the samples, and returns that, "refused" if it is an error for all.
func compareFilters(t *testing.T, link uint16, samples []sample, file []byte, expr string, args ...string) string {
	t.Helper()
	want, fault := tcpdump(t, file, len(samples), expr, args...)
	c, err := compileFor(t, link, expr)
	if (err == nil) != (fault == nil) {
		t.Errorf("%q: %v, but tcpdump: %v", expr, err, fault)
	}
	if err != nil || fault != nil {
		return refused
	}
	checkFilters(t, &c, samples, expr, want)
	return want
}

const refused = "refused"

// recordedVersion is the libpcap that the recorded selections are of. Others
// differ in what their optimiser makes of packets that are too short.
const recordedVersion = "libpcap version 1.10.3"

// sameVersion says whether tcpdump has that libpcap.
func sameVersion(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("tcpdump", "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Contains(string(out), recordedVersion)
}

// changedSince are expressions that libpcap has another meaning for from 1.11 on.
var changedSince = map[string]bool{"ip multicast": true}
