// Package reload makes changed scripts live, and the ones before live again: it
// stages what the files hold, has it verified, publishes it, keeps the last sets
// that were live, and writes the latest of them to the state directory, so that
// a start does not depend on files that somebody broke meanwhile.
//
// A Reloader may be used from any goroutine; one reload runs at a time. It has no
// goroutine but the one that calls Run.
package reload
