// Package craft makes the packets of connections by hand: two ends that open,
// send, repeat, close or break off, as real frames with right numbers. Specs and
// tests run rules on what no capture holds.
//
// A Conn belongs to one goroutine, the one that takes its frames.
package craft
