// Package layers decodes whole packets by gopacket, for scripts that ask for what the flow stack itself
// does not look into, and turns what gopacket found into plain data.
//
// It is dear, and only here is gopacket part of the program. Results are bounded whatever a packet
// claims; a packet that breaks gopacket's decoder ends in a layer that says so. There is no state: any
// goroutine may call it.
package layers
