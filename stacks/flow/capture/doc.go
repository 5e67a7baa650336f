// Package capture reads capture files: classic pcap in all its byte orders and
// time units, pcapng, snoop (RFC 1761), and any of them compressed with gzip. It
// also writes classic pcap, and pcapng with comments at packets.
//
// Reading is one pass over a bounded window of the stream. A packet is lent
// from that window, so a call of Reader.Next copies and allocates nothing, and
// what it handed out is gone at the next call. No length that a file claims is
// believed before the bytes themselves have arrived: memory grows with what was
// read, up to maxBlock, and a window that grew for a long record falls back behind it.
//
// A damaged file yields every whole packet before the damage and then a
// FormatError that says where the damage is.
//
// A Reader or a Writer belongs to one goroutine at a time; the package starts
// none and keeps no state of its own.
package capture
