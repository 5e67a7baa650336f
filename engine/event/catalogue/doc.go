// Package catalogue finds what the families declare: hook points by number, name
// or pattern, events, objects, functions. Checkers, printers, the console and
// the documentation read it; nothing in it runs per packet except [Catalogue.Point].
//
// A [Catalogue] is immutable once made and may be read from any goroutine.
package catalogue
