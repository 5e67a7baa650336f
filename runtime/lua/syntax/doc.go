// Package syntax walks the syntax trees of scripts. It knows which expressions and
// blocks stand in a statement, which operands in an expression and which names
// they declare, and nothing of what any of it means: that is for the packages
// that walk.
//
// Expressions are visited by the slot that holds them, so a visitor may put
// another one into it. The functions keep no state; two goroutines must not
// change one tree.
package syntax
