package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says what is wrong with an expression and where. Parse returns it,
// and Scope does for what a scope cannot take.
type SyntaxError struct {
	// Expr is the whole expression.
	Expr string
	// Column is where in Expr the problem is, in characters from 1.
	Column int
	// What is wrong.
	What string
	// Hint says what to write instead; it may be empty.
	Hint string
}

// Error returns "filter: column N: what; hint".
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("filter: column %d: %s", e.Column, e.What)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// errorAt makes a SyntaxError for the byte offset at of the expression.
func errorAt(expr string, at int, hint, format string, args ...any) error {
	return &SyntaxError{
		Expr:   expr,
		Column: utf8.RuneCountInString(expr[:at]) + 1,
		What:   fmt.Sprintf(format, args...),
		Hint:   hint,
	}
}

// usual maps what people write to what the language says.
var usual = map[string]string{
	"ipv4": "ip", "ip4": "ip", "ipv6": "ip6", "icmpv6": "icmp6", "icmp4": "icmp",
	"source": "src", "dest": "dst", "destination": "dst", "to": "dst", "from": "src",
	"network": "net", "subnet": "net", "ports": "port", "addr": "host", "address": "host",
	"eth": "ether", "ethernet": "ether", "netmask": "mask", "protocol": "proto",
}

// longestKeyword bounds what is compared with the keywords.
const longestKeyword = len("metaconnect")

// didYouMean finds the keyword that a word may stand for.
func didYouMean(word string) string {
	lower := strings.ToLower(word)
	if _, ok := keywords[lower]; ok {
		return fmt.Sprintf("keywords are lower case: %q", lower)
	}
	if k, ok := usual[lower]; ok {
		return fmt.Sprintf("the word is %q", k)
	}
	if len(word) < 3 || len(word) > longestKeyword+2 {
		return ""
	}
	best, bound := "", 1+len(word)/4
	for k := range keywords {
		d := distance(lower, k, bound)
		if d < bound || d == bound && (best == "" || k < best) {
			best, bound = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// distance is the number of edits between two words, two letters that changed
// places being one, or more than bound.
func distance(a, b string, bound int) int {
	if len(a)-len(b) > bound || len(b)-len(a) > bound {
		return bound + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				cost = 1 + min(cost, rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cost = min(cost, 1+rows[i-2][j-2])
			}
			rows[i][j] = cost
		}
	}
	return rows[len(a)][len(b)]
}
