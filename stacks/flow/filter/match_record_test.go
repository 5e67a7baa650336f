package filter

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
)

const (
	filtersFile     = "testdata/filters.txt"
	linkFiltersFile = "testdata/linkfilters.txt"
	selectionsFile  = "testdata/selections.golden"
)

// lines reads a file of expressions, the first of which is the empty one.
func lines(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// few thins expressions out for go test -short.
func few(exprs []string) []string {
	if !testing.Short() {
		return exprs
	}
	var kept []string
	for i := 0; i < len(exprs); i += 8 {
		kept = append(kept, exprs[i])
	}
	return kept
}

// otherLinks are the link types besides Ethernet.
var otherLinks = []uint16{
	packet.LinkNull, packet.LinkPPP, packet.LinkRaw, packet.LinkCHDLC, packet.LinkLoop,
	packet.LinkSLL, packet.LinkIPv4, packet.LinkIPv6, packet.LinkSLL2,
}

// recordedCuts are the lengths at which the recorded samples are cut: within and
// behind each of the headers that tests look at.
var recordedCuts = []int{0, 13, 15, 20, 22, 29, 32, 34, 36, 38, 41, 47, 55, 70}

// recorded calls fn with each expression and the samples it is tried on.
func recorded(t testing.TB, fn func(link uint16, samples []sample, exprs []string)) {
	t.Helper()
	fn(packet.LinkEthernet, ethernetSamples().cut(recordedCuts...), lines(t, filtersFile))
	for _, link := range otherLinks {
		fn(link, internetSamples(link).cut(recordedCuts...), lines(t, linkFiltersFile))
	}
}

// TestFiltersAgainstTcpdump compares both programs of every expression with what
// libpcap's selects, of whole packets and of packets cut short.
func TestFiltersAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	same := sameVersion(t)
	var record strings.Builder
	compared, decided := 0, 0
	recorded(t, func(link uint16, samples []sample, exprs []string) {
		if !same {
			samples = long(samples)
		}
		file := samplesFile(t, link, samples)
		for _, expr := range exprs {
			if same || !changedSince[expr] {
				want := compareFilters(t, link, samples, file, expr)
				compared++
				decided += len(samples)
				fmt.Fprintf(&record, "%d %s %s\n", link, pack(want), expr)
			}
		}
	})
	t.Logf("%d expressions compared with tcpdump, %d for Ethernet, on %d packets", compared, len(lines(t, filtersFile)), decided)
	if !same {
		t.Logf("tcpdump has not %s: only packets with all headers were compared", recordedVersion)
		return
	}
	if *update {
		if err := os.WriteFile(selectionsFile, []byte(record.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// long leaves out the samples that are too short for a load that a filter may
// make or leave out.
func long(samples []sample) []sample {
	var kept []sample
	for _, s := range samples {
		if len(s.data) == s.wireLen && len(s.data) >= 90 {
			kept = append(kept, s)
		}
	}
	return kept
}

// TestFiltersAgainstRecord does the same without tcpdump.
func TestFiltersAgainstRecord(t *testing.T) {
	t.Parallel()
	wanted := make(map[string]string)
	for _, line := range lines(t, selectionsFile) {
		f := strings.SplitN(line, " ", 3)
		wanted[f[0]+" "+f[2]] = f[1]
	}
	compared := 0
	recorded(t, func(link uint16, samples []sample, exprs []string) {
		for _, expr := range exprs {
			want, ok := wanted[strconv.Itoa(int(link))+" "+expr]
			if !ok {
				t.Fatalf("%q is not recorded for link type %d; run go test -run Tcpdump -update", expr, link)
			}
			compared++
			c, err := compileFor(t, link, expr)
			if (err != nil) != (want == refused) {
				t.Errorf("%q for link type %d: %v", expr, link, err)
				continue
			}
			if err == nil {
				checkFilters(t, &c, samples, expr, unpack(t, want, len(samples)))
			}
		}
	})
	if compared != len(wanted) || compared < 600 {
		t.Errorf("%d comparisons, %d records", compared, len(wanted))
	}
}

// pack writes a string of 0 and 1 as hexadecimal digits.
func pack(selected string) string {
	if selected == refused {
		return refused
	}
	b := make([]byte, (len(selected)+7)/8)
	for i := range selected {
		if selected[i] == '1' {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return hex.EncodeToString(b)
}

func unpack(t *testing.T, text string, n int) string {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != (n+7)/8 {
		t.Fatalf("a record of %d bytes for %d packets: %v", len(b), n, err)
	}
	selected := make([]byte, n)
	for i := range selected {
		selected[i] = '0' + b[i/8]>>(i%8)&1
	}
	return string(selected)
}

// TestEveryCut compares with tcpdump on packets cut at every length.
func TestEveryCut(t *testing.T) {
	needTcpdump(t)
	same := sameVersion(t)
	every := make([]int, 100)
	for i := range every {
		every[i] = i
	}
	samples := ethernetSamples().cut(every...)
	if !same {
		samples = long(samples)
	}
	file := samplesFile(t, packet.LinkEthernet, samples)
	exprs := append(lines(t, filtersFile), lines(t, expressionsFile)...)
	for _, expr := range few(exprs) {
		if same || !changedSince[expr] {
			compareFilters(t, packet.LinkEthernet, samples, file, expr)
		}
	}
	t.Logf("%d expressions, %d packets", len(exprs), len(samples))
}
