// Package ws is WebSocket (RFC 6455, with permessage-deflate, RFC 7692) on the
// loop's connections, from the handshake's end on: of a server, which package web
// hands over to it, and of a client, which makes the handshake itself. Frames are
// package wsframe's; this package says what is raised and how a connection closes.
//
// Pings are answered and close frames echoed without asking anybody; a peer that is
// silent for long is pinged, and given up when it stays so. What a peer does wrong
// is answered by a close frame with the code for it.
//
// Goroutines: none; a session belongs to its connection's shard.
package ws
