package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// ends writes the records of connections that end.
type ends struct{ out bytes.Buffer }

// Dispatch implements event.Dispatcher.
func (d *ends) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	end := e.(*flowev.ConnEnd)
	d.out.WriteString(`{"event":"flow.conn_end"`)
	d.out.Write(flowev.AppendConnJSON(nil, end.C))
	d.out.WriteString(`,"client_bytes":`)
	d.out.Write(event.AppendJSONFloat(nil, float64(end.C.Client().Bytes())))
	d.out.WriteString(`,"server_bytes":`)
	d.out.Write(event.AppendJSONFloat(nil, float64(end.C.Server().Bytes())))
	d.out.WriteString("}\n")
	return event.Verdict{}
}

// TestMadeCapture checks that the capture is the same each time, and that the
// stack finds in it what its maker says.
func TestMadeCapture(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made.pcap")
	var sums [2][sha256.Size]byte
	var known truth
	for i := range sums {
		var err error
		if known, err = makeCapture(path, 30_000); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(file)
	}
	if sums[0] != sums[1] {
		t.Error("two captures differ")
	}
	records := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(records, follow(t, path), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := known.check(records)
	if err != nil || known.total() < 500 {
		t.Errorf("%d connections made: %v", known.total(), err)
	}
	if !strings.Contains(found, "with the very bytes") {
		t.Error(found)
	}
	for c := range known {
		known[connection{1, 2, 3, 4}] = known[c] * 100
		break
	}
	if _, err := known.check(records); err == nil {
		t.Error("connections that are not there are not missed")
	}
}

// follow returns the records of a capture's connections.
func follow(t *testing.T, path string) []byte {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var d ends
	shard := event.NewShard(0)
	shard.Bind(&d, func(id event.PointID) bool { return id == flowev.OnConnEnd.ID() })
	stack := flow.New(shard, flow.Config{})
	var f capture.Frame
	for err = r.Next(&f); err == nil; err = r.Next(&f) {
		stack.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	stack.Close()
	return d.out.Bytes()
}

// TestMeasure runs a program that is there and one that is not.
// TestParse has command lines that make no sense: nothing is measured for them.
func TestParse(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-set flow,nope": "-set nope: there are flow, http, echo, sip, sock",
		"-rounds -1":     "-rounds -1: 1 or more",
		"flow":           `argument "flow": only flags are expected`,
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
	if o, err := parse([]string{"-set", "flow,sip", "-short"}, io.Discard); err != nil || o.rounds != 3 || len(o.only) != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{options: options{rounds: 3, short: true}, ctx: t.Context(), log: io.Discard, dir: t.TempDir()}
	res, err := b.measure(&set{
		name: "sample", doc: "A sample.",
		programs: []*program{
			{name: "here", argv: []string{self, "-test.run=^$"}, check: firstLine},
			{name: "slow", argv: []string{self, "-test.run=^$"}, slow: true},
			{name: "absent", argv: []string{"no-such-program"}, get: "from nowhere"},
		},
		probes: []probe{{"seven", func() (float64, error) { return 7, nil }}},
		aims: []aim{
			{what: "small", bound: 7, value: probed("seven")},
			{what: "large", bound: 8, least: true, value: probed("seven")},
			{what: "unknown", bound: 1, value: ratio("absent", "here")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, slow := len(res.run("here").samples), len(res.run("slow").samples); n != 3 || slow != 1 {
		t.Errorf("%d and %d samples", n, slow)
	}
	if cpu := res.cpu("here"); !(cpu > 0) || !math.IsNaN(res.cpu("absent")) {
		t.Errorf("CPU %v, absent %v", cpu, res.cpu("absent"))
	}
	rep := newReport(b)
	rep.add(res)
	var out strings.Builder
	if err := rep.markdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| absent | | | | | not installed: from nowhere |", "| small | ≤ 7 | 7 | met |", "| large | ≥ 8 | 7 | **missed** |", "| unknown | ≤ 1 | not measured |  |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	path := filepath.Join(t.TempDir(), "figures.json")
	if err := rep.save(path); err != nil || !rep.missed() {
		t.Errorf("missed: %v, %v", rep.missed(), err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), `"value": 7`) {
		t.Errorf("%v: %s", err, text)
	}
}

// TestProfile checks that each program to profile has its own files, whatever its set, and
// that a set without one is passed over.
func TestProfile(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	b := &bench{ctx: t.Context(), dir: t.TempDir(), log: io.Discard}
	writes := func(text string) *program {
		return &program{name: text, argv: []string{"sh", "-c", `echo ` + text + ` > "$2"`, "sh"}, profiled: true}
	}
	idle := &program{name: "idle", argv: []string{"false"}}
	var all []string
	for _, s := range []*set{
		{name: "one", programs: []*program{idle, writes("a"), writes("b")}},
		{name: "none", programs: []*program{idle}},
		{name: "two", programs: []*program{idle, writes("c")}},
	} {
		parts, err := b.profile(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parts...)
	}
	var got strings.Builder
	for _, part := range all {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(bytes.TrimSpace(text))
	}
	if want := strings.Repeat("a", profileRuns) + strings.Repeat("b", profileRuns) + strings.Repeat("c", profileRuns); got.String() != want {
		t.Errorf("profiles of %s, want %s", &got, want)
	}
	if err := b.mergeProfiles(filepath.Join(b.dir, "all"), nil); err == nil {
		t.Error("nothing was profiled, and that is no error")
	}
}
