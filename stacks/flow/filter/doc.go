// Package filter understands the pcap-filter language (pcap-filter(7)): Parse
// turns an expression into a tree, and Scope compiles the part of it that a
// connection's key decides into a matcher.
//
// The language is libpcap's: "and" and "or" have the same precedence and group
// from left to right, "not" binds tightest, a bare value takes over the last
// qualifiers, keywords are lower case. What Parse accepts, libpcap accepts with
// the same meaning, with these differences:
//
//   - Names of hosts and networks are an error, since nothing is looked up.
//     Services and protocols are those of a table in this package.
//   - A network may be one number and a prefix length or a mask: net 10/8.
//   - In a list of bare values in parentheses a full test may follow a value:
//     host a and (b or port 80).
//   - Protocol numbers over 255 are an error, not a test that is never true.
//
// An Expr and a Scope are immutable and may be used by any number of goroutines;
// the package starts none.
package filter
