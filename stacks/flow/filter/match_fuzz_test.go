package filter

import (
	"encoding/binary"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// FuzzMatcher feeds any expression, link type and frame. Both programs must
// decide the same, and nothing may panic.
func FuzzMatcher(f *testing.F) {
	samples := ethernetSamples().samples
	for i, expr := range append(lines(f, filtersFile), lines(f, expressionsFile)...) {
		s := &samples[i%len(samples)]
		f.Add(expr, packet.LinkEthernet, s.data, s.wireLen)
	}
	for _, link := range otherLinks {
		for i, expr := range lines(f, linkFiltersFile) {
			of := internetSamples(link).samples
			s := &of[i%len(of)]
			f.Add(expr, link, s.data[:len(s.data)/2], s.wireLen)
		}
	}
	f.Fuzz(func(t *testing.T, expr string, link uint16, data []byte, wireLen int) {
		if len(expr) > 2000 {
			return
		}
		c, err := compileFor(t, link, expr)
		if err != nil {
			return
		}
		checkSame(t, &c, expr, sample{"fuzzed", data, int(uint32(wireLen))})
	})
}

// checkSame compares the decisions of both programs.
func checkSame(t *testing.T, c *compiled, expr string, s sample) {
	t.Helper()
	if got, want := c.matcher.Match(s.data, s.wireLen), c.run(t, &s); got != want && !tooManyHeaders(expr, &s) {
		t.Fatalf("%.300q: the matcher says %v, BPF %v of %s, %d of %d bytes: %x", expr, got, want, s.name, len(s.data), s.wireLen, s.data)
	}
}

// FuzzRandomFilters makes up an expression from a seed, and frames from the
// samples by writing over, cutting and adding to them.
func FuzzRandomFilters(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, []byte{byte(seed), 0, 12, 0x81, 0})
	}
	f.Fuzz(func(t *testing.T, seed uint64, edits []byte) {
		w := newWriter(seed)
		w.variables, w.chains = true, true
		links := append([]uint16{packet.LinkEthernet, packet.LinkEthernet}, otherLinks...)
		link := links[w.IntN(len(links))]
		expr := w.pick("", "", "", "geneve and ", "vxlan or ") + w.expression(3)
		c, err := compileFor(t, link, expr)
		if err != nil {
			return
		}
		samples := internetSamples(link).samples
		if link == packet.LinkEthernet {
			samples = ethernetSamples().samples
		}
		for range 16 {
			s := samples[w.IntN(len(samples))]
			checkSame(t, &c, expr, edited(s, edits))
			s.data = s.data[:w.IntN(len(s.data)+1)]
			checkSame(t, &c, expr, edited(s, edits))
		}
	})
}

// edited applies edits of 4 bytes each: where, and what is to be there.
func edited(s sample, edits []byte) sample {
	data := append([]byte(nil), s.data...)
	for ; len(edits) >= 4; edits = edits[4:] {
		at := int(binary.BigEndian.Uint16(edits)) % (len(data) + 8)
		for at+2 > len(data) {
			data = append(data, 0)
		}
		copy(data[at:], edits[2:4])
	}
	s.data = data
	return s
}
