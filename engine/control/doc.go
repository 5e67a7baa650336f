// Package control is how one asks and tells a running hookd: HTTP and JSON over a
// Unix socket that only its owner and root may use. It knows how requests,
// streams of lines and conversations go; what they are about is given by who
// makes the [Server].
//
// A Server owns one goroutine a connection and one a stream, and waits for them
// in Close. What it calls runs in those goroutines. A Client may be used from any
// goroutine.
package control
