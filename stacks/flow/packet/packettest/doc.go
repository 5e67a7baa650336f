// Package packettest builds the frames that tests feed to the flow stack: real bytes, with right
// lengths and checksums, each a line of a test table.
//
//	packettest.TCP(c, s, 100, 0, packet.SYN, "", packettest.MSS(1460))
//
// Frames are Ethernet unless an option says otherwise. The package is for tests only: it panics on
// what cannot be built. Its functions may be called from any goroutine.
package packettest
