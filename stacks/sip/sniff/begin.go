package sniff

import "bytes"

// maxFirstLine is how far the end of a first line is looked for.
const maxFirstLine = 4096

// begins reports whether bytes begin with a first line of SIP: "INVITE sip:bob@example.com
// SIP/2.0", "SIP/2.0 200 OK". Of most other traffic it looks at three bytes.
func begins(b []byte) bool {
	if !could(b) {
		return false
	}
	line, _, whole := bytes.Cut(b[:min(len(b), maxFirstLine)], []byte("\n"))
	if !whole {
		return false
	}
	if version(line) {
		return len(line) > 8 && line[7] == ' ' && line[8] >= '1' && line[8] <= '9'
	}
	sp := bytes.IndexByte(line, ' ')
	at := bytes.LastIndex(line, []byte(" SIP/"))
	return sp > 0 && at > sp && version(line[at+1:])
}

// could reports whether bytes may be the beginning of a first line: of a method, which
// for all that anybody uses is of capitals, or of a version.
func could(b []byte) bool {
	for _, c := range b[:min(len(b), 3)] {
		if (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return len(b) != 0
}

// version reports whether text begins with SIP's version.
func version(b []byte) bool {
	return len(b) >= 7 && string(b[:4]) == "SIP/" && b[4] >= '0' && b[4] <= '9' && b[5] == '.' && b[6] >= '0' && b[6] <= '9'
}

// next returns where behind the first line a first line of SIP begins, or -1.
func next(b []byte) int {
	for at := 0; ; {
		lf := bytes.IndexByte(b[at:], '\n')
		if lf < 0 {
			return -1
		}
		at += lf + 1
		if begins(b[at:]) {
			return at
		}
	}
}
