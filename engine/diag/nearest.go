package diag

import (
	"strings"
	"unicode/utf8"
)

// nearestMax is the longest name, in runes, that Nearest looks at.
const nearestMax = 128

// Nearest returns the candidate that name was most likely meant to be, or "" if
// none comes close. Close is a Damerau-Levenshtein distance of 2, of 1 for names
// under 4 runes, and never the whole name; a name that differs in case only is
// closest of all. Of equally close candidates the first wins.
func Nearest(name string, candidates []string) string {
	runes := []rune(name)
	if len(runes) > nearestMax {
		return ""
	}
	limit := 2
	if len(runes) < 4 {
		limit = 1
	}
	limit = min(limit, len(runes)-1)
	best := ""
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		n := utf8.RuneCountInString(c)
		if n > len(runes)+limit || n < len(runes)-limit {
			continue
		}
		if d := distance(runes, []rune(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, changes and swaps of neighbours
// that turn a into b, no rune being touched twice.
func distance(a, b []rune) int {
	before := make([]int, len(b)+1) // row i-2
	prev := make([]int, len(b)+1)   // row i-1
	row := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
