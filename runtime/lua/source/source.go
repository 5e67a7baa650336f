// Package source turns the bytes of a script into a syntax tree that is safe to
// work on. The parser is gopher-lua's; in front of it stands a lexer that holds
// scripts to the lexical rules of Lua 5.1 and to limits of size and depth, so
// that no source, however made, costs more than a moment or recurses without
// bound in anything that walks the tree later; behind it stands what turns the
// parser's "syntax error" into a sentence, a caret and a hint.
//
// The package keeps no state; its functions may be called from any goroutine. A
// Chunk belongs to whoever holds it.
package source

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/diag"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Limits of one source. They are far above what people write and well below
// what hurts the parser, the compiler or the stack.
const (
	// MaxSize is the greatest size in bytes.
	MaxSize = 256 << 10
	// MaxNesting is how deep brackets, blocks, unary operators and the right
	// operands of .. and ^ may nest, taken together, as in Lua 5.1.
	MaxNesting = 200
	// MaxChain is how many left-associative operators, calls, indexes and
	// elseifs may follow each other within what is nested. Arithmetic operators
	// count fourfold: the compiler folds constants in quadratic time.
	MaxChain = 1000
	// MaxConstants is how many different names, numbers and strings one source
	// may have: the compiler looks each up among all those before it.
	MaxConstants = 8192
	// MaxFunctions is how many functions one source may define.
	MaxFunctions = 4096
	// MaxLabels is how many labels and gotos one source may have. Resolving
	// them takes the compiler quadratic time.
	MaxLabels = 1000
)

const arithmeticWeight = 4

// Chunk is a source that parses.
type Chunk struct {
	// Name is what diagnostics and tracebacks call the source.
	Name string
	Src  []byte
	// Stmts is the syntax tree. Positions in it are lines only.
	Stmts []ast.Stmt
}

// Parse reads a source. The list holds what is wrong with it, in order; the
// chunk is nil if and only if an error is among that.
func Parse(name string, src []byte) (*Chunk, diag.List) {
	stmts, t, found := read(name, src)
	var list diag.List
	for _, c := range found {
		list = append(list, t.diagnostic(c))
	}
	list.Sort()
	if list.HasErrors() {
		return nil, list
	}
	return &Chunk{Name: name, Src: src, Stmts: stmts}, list
}

// Incomplete tells whether src stops in the middle of something, so that more
// lines might make it a valid source: the question a console asks before it
// reports an error.
func Incomplete(src []byte) bool {
	_, _, found := read("", src)
	unfinished := false
	for _, c := range found {
		if !c.warning && !c.unfinished {
			return false
		}
		unfinished = unfinished || c.unfinished
	}
	return unfinished
}

// read does the work of Parse.
func read(name string, src []byte) ([]ast.Stmt, text, []*complaint) {
	if len(src) > MaxSize {
		return nil, newText(name, nil), []*complaint{{
			msg:  fmt.Sprintf("source of %d bytes is too large: the limit is %d", len(src), MaxSize),
			hint: "split it, or move its data to a store or a data file",
		}}
	}
	t := newText(name, src)
	l, err := lex(src)
	found := l.warnings
	if err != nil {
		return nil, t, append(found, err)
	}
	s := trace(t, l.tokens, len(l.tokens)-1)
	if s.limit != nil {
		return nil, t, append(append(found, s.problems...), s.limit)
	}
	stmts, fault := parseClean(l.clean)
	if fault == nil {
		return stmts, t, append(found, s.problems...)
	}
	at, ok := offending(t, l.tokens, fault)
	if !ok {
		return nil, t, append(found, &complaint{msg: fault.Error()})
	}
	// Beyond the first syntax error the shape means little.
	s.problems = slices.DeleteFunc(s.problems, func(c *complaint) bool { return c.from >= int(l.tokens[at].from) })
	return nil, t, append(append(found, s.problems...), explain(trace(t, l.tokens, at)))
}

// parseClean runs the parser. Nothing that it panics with leaves it.
func parseClean(clean []byte) (stmts []ast.Stmt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser failed: %v", p)
		}
	}()
	stmts, err = parse.Parse(bytes.NewReader(clean), "")
	if err == nil && stmts == nil {
		// parse.Parse drops panics that are no errors.
		err = fmt.Errorf("the parser failed without saying why")
	}
	return stmts, err
}

// offending returns the index of the token that the parser stumbled over. The
// parser reports the position of that token's last byte.
func offending(t text, tokens []token, fault error) (int, bool) {
	pe, ok := fault.(*parse.Error)
	if !ok {
		return 0, false
	}
	if pe.Pos.Line == parse.EOF {
		return len(tokens) - 1, true
	}
	if pe.Pos.Line < 1 || pe.Pos.Line > len(t.lines) {
		return 0, false
	}
	last := int(t.lines[pe.Pos.Line-1]) + pe.Pos.Column - 1
	i, found := slices.BinarySearchFunc(tokens, last, func(tok token, at int) int { return int(tok.to) - 1 - at })
	return i, found
}

// quote puts a token into a message.
func quote(src []byte, tok token) string {
	if tok.kind == tEOF {
		return "the end of the file"
	}
	text := clip(src[tok.from:tok.to])
	if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
		text = append(bytes.Clone(text[:i]), "..."...)
	}
	return "'" + strings.ToValidUTF8(string(text), "\uFFFD") + "'"
}
