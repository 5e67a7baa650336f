// Package netns runs functions in other network namespaces, so that the sockets
// which they open belong there. A socket keeps its namespace for life; only what
// opens one has to be there.
//
// Goroutines: anything may be called from anywhere; [Do] occupies a thread.
package netns
