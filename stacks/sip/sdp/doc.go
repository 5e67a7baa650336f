// Package sdp reads session descriptions in messages and edits them (RFC 8866, 3264): which
// media there are, with which codecs, and what is left when some of them are not wanted. Lines
// that nothing is said of stay as they came.
//
// Its functions keep nothing and may be called by any goroutine.
package sdp
