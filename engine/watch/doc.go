// Package watch finds the scripts below the paths a user named and reads them
// as one consistent set.
package watch
