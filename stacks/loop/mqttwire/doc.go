// Package mqttwire is the packets of MQTT 3.1, 3.1.1 and 5 over bytes that are in a
// buffer, and the matching of topics. Parsing is strict: what the standards call
// malformed, or a protocol error within one packet, is an [Error] that carries the
// reason code to end with.
//
// Goroutines: none; functions may be called from anywhere.
package mqttwire
