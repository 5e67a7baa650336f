package sip

import "bytes"

// lineChanges says how a message differs from what it was, as the lines that went and
// those that came: "-Subject: lunch +Subject: dinner". Of a body only the length shows.
func lineChanges(old, now []byte) string {
	from, to := headLines(old), headLines(now)
	for len(from) != 0 && len(to) != 0 && bytes.Equal(from[0], to[0]) {
		from, to = from[1:], to[1:]
	}
	for len(from) != 0 && len(to) != 0 && bytes.Equal(from[len(from)-1], to[len(to)-1]) {
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	var b []byte
	for i, side := range [2][][]byte{from, to} {
		for _, line := range side {
			if len(b) != 0 {
				b = append(b, ' ')
			}
			b = append(append(b, "-+"[i]), line...)
		}
	}
	return string(b)
}

// headLines returns the lines of a message up to its body.
func headLines(raw []byte) [][]byte {
	var lines [][]byte
	for len(raw) != 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 && len(lines) != 0 {
			break
		}
		lines, raw = append(lines, line), rest
	}
	return lines
}
