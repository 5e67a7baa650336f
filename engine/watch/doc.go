// Package watch finds the scripts below the paths a user named, reads them as one
// consistent set, and tells when what they hold changes.
//
// A [Watcher] runs in the goroutine that calls its Run; the goroutine that it
// owns ends before Run returns.
package watch
