// Package filter understands the pcap-filter language (pcap-filter(7)). Parse
// turns an expression into a tree, which compiles to a Matcher of packets, to a
// BPF program for the kernel, and, if a connection's key decides it, to a Scope.
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
// Matcher and BPF select what libpcap 1.10 selects, with these differences:
//
//   - Of a packet that is too short for a load which cannot change the result,
//     libpcap's optimiser leaves out other loads than this package does in
//     contrived expressions, and none in those with protochain or geneve. So do
//     its versions among each other.
//   - Where libpcap is wrong, this package is not: it takes a division by the
//     first bytes of a header for one by zero, and its optimiser finds nothing
//     for "net 2001:db8::/48 and net 2001:db8::/48".
//   - "byte N & V" and "byte N | V" load the byte, "vxlan" exists, and the address
//     family of LINKTYPE_NULL is understood in either byte order, as in libpcap
//     1.11.
//   - Tests to the right of geneve or vxlan, of packets without that tunnel, look
//     at the beginning of the frame; there libpcap computes with what happens to
//     be in memory. A tunnel within MPLS is entered.
//   - A netmask is not known, so "ip broadcast" is an address of all zeros or ones.
//
// An Expr, a Scope and a Matcher are immutable and may be used by any number of
// goroutines; the package starts none.
package filter
