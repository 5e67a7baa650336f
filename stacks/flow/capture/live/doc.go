// Package live captures packets from network interfaces, by the kernel's packet
// socket with a ring of blocks that both sides map (Linux, TPACKET_V3). It is
// read as a capture file is: [Source.Next] lends one frame after the other.
//
// What the kernel takes off a frame on its way is put back: the VLAN tag that
// the card or the kernel cut out stands in the frame again. Packets that were
// merged (GRO, LRO) come as one large frame, and checksums that the sending host
// left to its card are not filled in; both are told by the packet's own lengths
// and sums.
//
// A Source belongs to the goroutine that calls Next; [Source.Wake],
// [Source.Stats] and nothing else may be called from others. It has no goroutine
// of its own.
package live
