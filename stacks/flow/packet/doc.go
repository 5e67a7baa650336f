// Package packet decodes one captured frame, link layer to transport header, into a reused struct.
//
// It owns the wire formats up to TCP and UDP and nothing behind them but tunnels, which it enters where
// it is asked to, and no state between frames. Decode keeps offsets into the caller's buffer, allocates
// nothing and never fails: what cannot be decoded has a Class that says so. Checksums are verified when
// asked for; fragments are put together by package fragment.
//
// A Packet belongs to one goroutine, and is valid until its frame's buffer is reused.
package packet
