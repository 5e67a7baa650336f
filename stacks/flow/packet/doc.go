// Package packet decodes one captured frame, link layer to transport header, into a reused struct.
//
// It owns the wire formats up to TCP and UDP and nothing behind them: no state between frames, no
// reassembly, no checksum verification. Decode keeps offsets into the caller's buffer, allocates
// nothing and never fails: what cannot be decoded has a Class that says so.
//
// A Packet belongs to one goroutine, and is valid until its frame's buffer is reused.
package packet
