// Package survey lists the TCP sockets of a network namespace, with what is in their
// queues and which processes hold them.
//
// Goroutines: functions may be called from anywhere.
package survey
