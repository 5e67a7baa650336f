// Package image is how a TCP connection is written down: a container of checksummed
// sections, the same in a file and on a wire. The numbers of the connection are in the
// form of CRIU's tcp-stream images, byte for byte, which it reads and writes too.
//
//	header   8 bytes "HKSOCK\r\n", u16 version, u16 header length, u32 flags,
//	         16 bytes id, u64 generation, u64 created (Unix, ns), u32 sections
//	section  u16 type, u16 flags (1: must be understood), u32 CRC-32C of the content,
//	         u64 length; then the content
//	trailer  the last section: u64 length of all, SHA-256 over header, section headers
//	         and all contents but the queues', whose checksums are in their headers
//
// Numbers are little-endian. A reader refuses whatever is cut short, too long, flipped,
// of another version, or contradicts itself, before anybody acts on it.
//
// An image is user data: it holds what the peers said. Files are made for their owner
// alone. It is good for one restore; [Claim] sees to that.
//
// Goroutines: values are their holder's; nothing here is shared.
package image
