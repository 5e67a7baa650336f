// Package analyse reads a script's AST before it runs and reports names that
// mean nothing: globals that are not there, members that a family does not
// have, fields and methods that the objects a handler receives lack, words that
// an enumeration does not know.
//
// It reports only what is certain. A local that is assigned again, a value that
// came through a table or a call, is not followed. Functions of the package are
// pure.
package analyse
