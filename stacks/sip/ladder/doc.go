// Package ladder draws the messages of SIP calls: a column for each address, an arrow for
// each message, or JSON. What it draws a [Book] collects, from captures or from what a
// daemon keeps.
//
// A Book belongs to one goroutine at a time.
package ladder
